#' How training went
#'
#' Losses and, where the test cells were scored, r2 of the decoded expression (`residual = FALSE`,
#' whatever the fit predicts), over the epochs. A dotted line marks the epoch whose weights the fit
#' keeps. `autoplot()` is of ggplot2 and needs `library(ggplot2)`.
#'
#' @param object,x A `compert_fit`.
#' @param type `"loss"`, `"r2"`, or both.
#' @param ... Must be empty: later arguments are given by name.
#' @return A ggplot. `plot()` draws it and returns it invisibly.
#' @section Errors:
#' ggplot2 not installed; r2 of a fit whose test cells were not scored.
#' @source `CPAHistory.plot_losses` and `plot_r2_metrics` in `cpa/plotting.py` of
#'   facebookresearch/CPA.
#' @seealso History in [compert_fit]; [cpa_settings()]
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control",
#'            settings = cpa_settings(epochs = 4, verbose = FALSE))
#' plot(fit)
#' @name plot_history
NULL

#' @rdname plot_history
#' @method autoplot compert_fit
#' @exportS3Method ggplot2::autoplot compert_fit
autoplot.compert_fit <- function(object, ..., type = c("loss", "r2")) {
  check_no_dots(...)
  need_ggplot()
  validate_fit(object, "object")
  check_among(type, c("loss", "r2"), "type")
  table <- history_table(object$history, type)
  if (is.null(table)) {
    abort_input("`type` must name numbers that the history of the fit has.",
                paste0("There are none for ", name_list(type), "."),
                if (nrow(object$history)) "Write `type = \"loss\"`; r2 is scored where `split` names test cells." else
                  "Its history is empty: what a reference trained has none.")
  }
  draw_history(table, last_best(object$history), !isFALSE(object$meta$settings$restore_best),
               paste0(model_title(object$meta$model), ": training"))
}

# A ggplot keeps the frame that it was made in: this one is without the fit.
draw_history <- function(table, best, restored, title) {
  p <- ggplot2::ggplot(table, ggplot2::aes(.data$epoch, .data$value, colour = .data$series))
  if (length(best)) p <- p + ggplot2::geom_vline(xintercept = best, linetype = "dotted", colour = "grey30")
  p +
    ggplot2::geom_line(data = rows_of_lines(table, c("panel", "series")), linewidth = 0.5) +
    ggplot2::geom_point(data = table[table$kind == "r2", , drop = FALSE], size = 1.2) +
    ggplot2::facet_wrap(ggplot2::vars(.data$panel), scales = "free_y",
                        ncol = if (nlevels(table$panel) > 4L) 3L else 2L) +
    ggplot2::scale_colour_manual(values = history_colours()) +
    ggplot2::expand_limits(x = 0) +
    ggplot2::scale_x_continuous(breaks = whole_breaks) +
    ggplot2::labs(x = "Epoch", y = NULL, colour = NULL,
                  title = title, subtitle = history_subtitle(best, restored, any(table$kind == "r2"))) +
    # One series is what the headings of the panels name.
    (if (nlevels(table$series) == 1L) ggplot2::guides(colour = "none")) +
    theme_compert()
}

whole_breaks <- function(limits) {
  at <- pretty(limits)
  round(at[abs(at - round(at)) < 1e-6])
}

history_subtitle <- function(best, restored, scored) {
  of <- if (scored) "Test r2 is that of the decoded expression"
  if (length(best) == 0L) return(of)
  kept <- if (restored) paste0("The fit keeps epoch ", best, " (dotted line)") else paste0(
    "Best epoch ", best, " (dotted line); the fit keeps the last one (restore_best = FALSE)")
  paste(c(kept, of), collapse = if (restored) ". " else ".\n")
}

history_colours <- function() {
  c(autoencoder = "#000000", perturbation = "#0072B2", covariates = "#D55E00",
    `all genes` = "#009E73", DEGs = "#CC79A7", proteins = "#E69F00", background = "#56B4E9")
}

# Panel and series of every column of the history that is drawn.
history_series <- function() {
  rows <- rbind(
    c("loss_reconstruction", "Reconstruction loss", "autoencoder"),
    c("loss_proteins", "Protein reconstruction", "proteins"),
    c("loss_kl", "KL divergence", "autoencoder"),
    c("loss_kl_background", "KL, background", "background"),
    c("loss_alignment", "Alignment of basal states", "autoencoder"),
    c("loss_counterfactual", "Counterfactual loss", "autoencoder"),
    c("loss_adv_perturbations", "Adversary losses", "perturbation"),
    c("loss_adv_covariates", "Adversary losses", "covariates"),
    c("r2_mean", "Test r2 of means", "all genes"),
    c("r2_mean_deg", "Test r2 of means", "DEGs"),
    c("r2_mean_protein", "Test r2 of means", "proteins"),
    c("r2_var", "Test r2 of variances", "all genes"),
    c("r2_var_deg", "Test r2 of variances", "DEGs"),
    c("r2_var_protein", "Test r2 of variances", "proteins")
  )
  data.frame(column = rows[, 1L], panel = rows[, 2L], series = rows[, 3L],
             kind = sub("_.*", "", rows[, 1L]), stringsAsFactors = FALSE)
}

# Long form: one row per epoch and series that has a value; parts that were off (all 0) are left
# out. NULL where there is nothing.
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
  if (is.null(table) || nrow(table) == 0L) return(NULL)
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
