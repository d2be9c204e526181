#' How training went
#'
#' Losses and, where the test cells were scored, r2, over the epochs. A dotted line marks the epoch
#' whose weights the fit keeps.
#'
#' @param object,x A `compert_fit`.
#' @param type `"loss"`, `"r2"`, or both.
#' @param ... Not used.
#' @return A ggplot. `plot()` draws it and returns it invisibly.
#' @section Errors:
#' ggplot2 not installed.
#' @source `CPAHistory.plot_losses` and `plot_r2_metrics` in `cpa/plotting.py` of
#'   facebookresearch/CPA.
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control",
#'            settings = cpa_settings(epochs = 4, verbose = FALSE))
#' plot(fit)
#' @name plot_history
NULL

#' @rdname plot_history
#' @exportS3Method ggplot2::autoplot
autoplot.compert_fit <- function(object, ..., type = c("loss", "r2")) {
  check_no_dots(...)
  need_ggplot()
  validate_fit(object, "object")
  if (!is.character(type) || length(type) == 0L || !all(type %in% c("loss", "r2"))) {
    abort_input("`type` must be \"loss\", \"r2\" or both.", paste0("It is ", describe(type), "."),
                "Write `type = \"loss\"`.")
  }
  table <- history_table(object$history, type)
  best <- object$history$epoch[which(object$history$best %in% TRUE)]
  p <- ggplot2::ggplot(table, ggplot2::aes(.data$epoch, .data$value, colour = .data$series))
  if (length(best)) {
    p <- p + ggplot2::geom_vline(xintercept = best[length(best)], linetype = "dotted",
                                 colour = "grey30")
  }
  p +
    ggplot2::geom_line(data = several_points(table), linewidth = 0.5) +
    ggplot2::geom_point(data = table[table$kind == "r2", , drop = FALSE], size = 1.2) +
    ggplot2::facet_wrap(ggplot2::vars(.data$panel), scales = "free_y",
                        ncol = if (nlevels(table$panel) > 4L) 3L else 2L) +
    ggplot2::scale_colour_manual(values = history_colours()) +
    ggplot2::expand_limits(x = 0) +
    ggplot2::labs(x = "Epoch", y = NULL, colour = NULL,
                  title = paste0(toupper(object$meta$model), ": training"),
                  subtitle = history_subtitle(best)) +
    theme_compert()
}

# Series of one point have no line.
several_points <- function(table) {
  series <- paste(table$panel, table$series)
  table[series %in% series[duplicated(series)], , drop = FALSE]
}

history_subtitle <- function(best) {
  if (length(best)) paste0("The fit keeps epoch ", best[length(best)], " (dotted line)")
}

history_colours <- function() {
  c(autoencoder = "#000000", perturbation = "#0072B2", covariates = "#D55E00",
    `all genes` = "#009E73", DEGs = "#CC79A7")
}

# Panel and series of every column of the history that is drawn.
history_series <- function() {
  data.frame(
    column = c("loss_reconstruction", "loss_alignment", "loss_adv_perturbations",
               "loss_adv_covariates", "r2_mean", "r2_mean_deg", "r2_var", "r2_var_deg"),
    panel = c("Reconstruction loss", "Alignment of basal states", "Adversary losses",
              "Adversary losses", "Test r2 of means", "Test r2 of means", "Test r2 of variances",
              "Test r2 of variances"),
    series = c("autoencoder", "autoencoder", "perturbation", "covariates", "all genes", "DEGs",
               "all genes", "DEGs"),
    kind = rep(c("loss", "r2"), each = 4L), stringsAsFactors = FALSE
  )
}

# Long form: one row per epoch and series that has a value; parts that were off (all 0) are left
# out.
history_table <- function(history, type) {
  series <- history_series()
  series <- series[series$kind %in% type & series$column %in% names(history), , drop = FALSE]
  rows <- lapply(seq_len(nrow(series)), function(k) {
    value <- history[[series$column[k]]]
    there <- is.finite(value) & any(value != 0, na.rm = TRUE)
    data.frame(epoch = history$epoch[there], value = value[there],
               series[rep(k, sum(there)), c("panel", "series", "kind")], row.names = NULL)
  })
  table <- do.call(rbind, rows)
  table$panel <- factor(table$panel, intersect(unique(series$panel), table$panel))
  table$series <- factor(table$series, intersect(names(history_colours()), table$series))
  table
}

#' @rdname plot_history
#' @export
plot.compert_fit <- function(x, ..., type = c("loss", "r2")) {
  p <- autoplot.compert_fit(x, ..., type = type)
  print(p)
  invisible(p)
}
