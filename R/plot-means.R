#' Predicted against measured means
#'
#' One point per gene: its mean over the cells of a condition, as the model predicts it from control
#' cells and as it was measured. The condition's DEGs are coloured and the strongest of them named. On
#' the line prediction and measurement agree.
#'
#' @details
#' What is drawn are the very numbers that [evaluate_r2()] scores: predictions start from the controls
#' of the same covariates, and fits on counts are compared on log-normalised values. In the subtitle
#' stand r2 over all genes and over the DEGs, of what is drawn (means, or changes with `value = "difference"`). The
#' measured cells are those of all splits together, so look at `seen` of [predict()][predict.compert_fit]: for a
#' condition of the training the agreement is no test.
#'
#' @inheritParams evaluate_r2
#' @param newdata The cells of the condition and their controls, in any container that [cpa()] takes.
#' @param condition A [condition()] that was measured. Several, as where a covariate or the dose is left
#'   open, make a panel each, in their order, with r2 in its heading and whether training saw it.
#' @param value `"mean"`, or `"difference"`: the change from the measured mean of the controls, which
#'   means have in common otherwise.
#' @param features `"genes"`, or of a fit of RNA and proteins `"proteins"`, which have no DEGs; raw counts of
#'   them are log(1 + mean), as `r2_mean_protein` has them.
#' @param n_labels Number of DEGs with a name, in the order of their ranks; of proteins those with the largest
#'   measured change. Names that have no room are left out, and the caption tells how many.
#' @param genes Names of genes (proteins) to write instead.
#' @param residual As in [predict()][predict.compert_fit].
#' @param max_panels Most panels.
#' @return A ggplot, the predictions on the horizontal axis. Its `data` has a row per condition and
#'   gene (protein): `condition`, `gene`, `predicted`, `measured`, `deg` (rank, `NA` for others).
#' @section Errors:
#' Conditions without measured cells, controls or a prediction; unknown names; more panels than `max_panels`.
#' @source `mean_plot` in `cpa/plotting.py` of facebookresearch/CPA, where the axes are exchanged.
#' @seealso [evaluate_r2()], [plot_r2()]
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control", split = "split",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' stimulated_b <- condition(condition = "IFNb", cell_type = "B")
#' plot_means(fit, screen, stimulated_b)
#' plot_means(fit, screen, stimulated_b, value = "difference", genes = c("ISG15", "CD74"))
#' @export
plot_means <- function(fit, newdata, condition, ..., value = c("mean", "difference"),
                       features = c("genes", "proteins"), n_labels = 10L, genes = NULL, n_degs = 50L,
                       degs = NULL, residual = NULL, max_panels = 12L, seed = NULL, assay = NULL,
                       layer = NULL, col_data = NULL, missing_genes = c("error", "zero")) {
  check_no_dots(...)
  need_ggplot()
  validate_fit(fit, baseline = TRUE)
  need_newdata(missing(newdata), "plot_means")
  need_condition_to_draw(missing(condition), fit)
  value <- check_choice(value, c("mean", "difference"), "value")
  check_count(n_labels, "n_labels", min = 0)
  check_count(n_degs, "n_degs", min = 2)
  check_count(max_panels, "max_panels")
  check_seed(seed)
  features <- check_features(fit, features)
  genes <- check_genes(fit, genes, of = features)
  screen <- read_newdata(fit, newdata, assay, layer, col_data, missing_genes, need = measured_roles())
  means <- condition_means(fit, screen, condition, degs, n_degs, residual, seed, max_panels, features = features)
  table <- means_table(means, value, fit$meta$registry[[features]], features)
  draw_means(table, means_labels(table, genes, n_labels), value, means$scale, features)
}

need_condition_to_draw <- function(gone, fit, call = rlang::caller_env()) {
  if (!gone) return(invisible())
  abort_input("`condition` must say what to draw.", "It is missing.",
              paste0("Write ", example_condition(fit), "."), call)
}

# Measured and predicted means of conditions, genes x conditions, with their controls, DEGs and names; of all cells
# of a condition together, whatever their split.
condition_means <- function(fit, screen, condition, degs, n_degs, residual, seed, max_panels = Inf, min_cells = 1L,
                            controls = FALSE, features = "genes", call = rlang::caller_env()) {
  options <- r2_options(fit, "compert", list(min_cells = min_cells, residual = residual), call)
  if (controls) {
    options$control_rows <- NA
    options$with_controls <- TRUE
  }
  rows <- evaluation_rows(fit, screen, character(), condition, options, call)
  n <- nrow(rows$table)
  if (n == 0L) {
    abort_input(paste0("`newdata` must hold a perturbed condition of at least ", count_of(min_cells, "cell"), "."),
                "There is none.", "Give the cells that were perturbed, not only the controls.", call)
  }
  if (n > max_panels) {
    abort_input(paste0("`condition` must name at most ", max_panels, " measured conditions."),
                paste0("It names ", n, "."),
                paste0("Name the covariates, or write `max_panels = ", n, "`."), call)
  }
  second <- features == "proteins"
  rows$degs <- if (second) rep(list(integer()), n) else
    evaluation_degs(fit, screen, rows, degs, n_degs, call)
  parts <- row_statistics(fit, screen, rows, options, character(), resolve_seed(seed, call))
  of <- if (second) parts$proteins else parts
  about <- describe_rows(fit, rows$groups, rows$table)
  named <- beside_own(about$own, list(method = rep("", n)))
  list(predicted = of$methods$model, truth = of$truth, reference = of$reference$mean,
       note = (if (second) of$note) %||% parts$notes$model, degs = rows$degs, n_cells = rows$table$n_cells,
       # As they were asked for; `names` and all else are sorted.
       order = if (is.null(condition)) seq_len(n) else
         order(match(rows$table$group, asked_groups(fit, rows$groups, condition, call))),
       names = condition_names(named), constant = constant_names(named),
       whole = group_names(fit, rows$groups)[rows$table$group], seen = about$fixed$seen,
       scale = if (second) protein_scale(fit, "log") else gene_scale(fit, "log"))
}

# A row per condition and gene, with r2 in the headings.
means_table <- function(means, value, genes, features = "genes", call = rlang::caller_env()) {
  none <- which(!is.na(means$note))
  if (length(none) == length(means$names)) {
    stop_unanswered("`condition` must name a condition that can be predicted.", means$whole, means$note,
                    "Predictions start from control cells; a baseline needs what `?baseline_fit` says.", call)
  }
  start <- if (value == "difference") means$reference else 0
  unmeasured <- which(colSums(is.na(means$truth$mean - start)) > 0)
  none <- union(none, unmeasured)
  if (length(none) == length(means$names)) {
    abort_input("`newdata` must hold cells with proteins of the condition and its controls.",
                paste0("There are none for ", name_list(means$whole[unmeasured]), "."),
                "Give the cells in which proteins were measured.", call)
  }
  predicted <- means$predicted$mean - start
  measured <- means$truth$mean - start
  rows <- lapply(setdiff(means$order, none), function(k) {
    deg <- means$degs[[k]]
    r2 <- c(safe_r2(measured[, k], predicted[, k]), safe_r2(measured[deg, k], predicted[deg, k]))
    rank <- if (features == "genes") match(seq_along(genes), deg) else
      rank(-abs(means$truth$mean[, k] - means$reference[, k]), ties.method = "first")
    words <- sprintf("r2 = %.2f over all %d %s", r2[1L], length(genes), features)
    if (length(deg)) words <- sprintf("%s, %.2f over %d DEGs", words, r2[2L], length(deg))
    data.frame(condition = means$whole[k], gene = genes, predicted = predicted[, k],
               measured = measured[, k], deg = match(seq_along(genes), deg), rank = rank, words = words,
               r2 = paste0(sprintf("r2 = %.2f", r2[1L]), if (length(deg)) sprintf(", DEGs %.2f", r2[2L])),
               training = as.character(seen_words(means$seen[k])),
               seen = means$seen[k], n_cells = means$n_cells[k], stringsAsFactors = FALSE)
  })
  do.call(rbind, rows)
}

means_labels <- function(table, genes, n_labels) {
  if (!is.null(genes)) return(table[table$gene %in% genes, , drop = FALSE])
  named <- table[!is.na(table$rank) & table$rank <= n_labels, , drop = FALSE]
  # The strongest is written first: texts that would lie over it are left out.
  named[order(named$rank), , drop = FALSE]
}

draw_means <- function(table, labels, value, scale, features) {
  n <- length(unique(table$condition))
  # Panels are square: on a page there is room for more beside each other than one over the other.
  across <- ceiling(sqrt(1.5 * n))
  table$.panel <- factor(table$condition, unique(table$condition))
  labels$.panel <- factor(labels$condition, levels(table$.panel))
  labels$.name <- short_names(labels$gene, if (n > 1L) 12L else 20L)
  colours <- c(`other genes` = "#999999", DEGs = "#D55E00", proteins = "#0072B2")
  kind <- if (features == "proteins") features else ifelse(is.na(table$deg), "other genes", "DEGs")
  table$.kind <- factor(kind, names(colours))
  # DEGs are drawn over the others.
  table <- table[order(table$.kind), , drop = FALSE]
  span <- range(table$predicted, table$measured)
  if (span[1L] == span[2L]) span <- span + c(-0.5, 0.5)
  what <- if (value == "mean") "mean" else "change of the mean"
  heading <- unique(table[c("condition", "r2", "training")])
  heading <- stats::setNames(paste0(short_names(heading$condition, 18L, many = FALSE), "\n(",
                                    heading$training, ")\n", heading$r2), heading$condition)
  p <- draw_genes(table, labels, span, if (n > 1L) across else 1, n, colours) +
    ggplot2::guides(colour = if (features == "proteins") "none" else
      ggplot2::guide_legend(override.aes = list(size = 2.2, alpha = 1))) +
    ggplot2::labs(x = with_scale_words(paste("Predicted", what), scale),
                  y = with_scale_words(paste("Measured", what), scale, "\n"), colour = NULL)
  if (n > 1L) {
    return(p + ggplot2::facet_wrap(ggplot2::vars(.data$.panel), ncol = across,
                                   labeller = ggplot2::as_labeller(heading)) +
             square_panels())
  }
  p + ggplot2::labs(title = paste0(short_names(table$condition[1L], 36L, many = FALSE), " (",
                                   table$training[1L], ")"),
                    subtitle = paste0(table$words[1L], ";\n", count_of(table$n_cells[1L], "measured cell")))
}

# What is predicted of genes against what was measured, coloured by `.kind`, with names beside the points of
# `labels`, in `n` panels of which `across` share the width.
draw_genes <- function(table, labels, span, across, n, colours) {
  named <- name_genes(labels, table, span, across)
  left <- nrow(labels) - nrow(named)
  ggplot2::ggplot(table, ggplot2::aes(.data$predicted, .data$measured)) +
    ggplot2::geom_abline(colour = "grey60", linewidth = 0.4) +
    ggplot2::geom_point(ggplot2::aes(colour = .data$.kind), size = if (n > 1L) 0.8 else 1.4, alpha = 0.7) +
    ggplot2::geom_text(ggplot2::aes(label = .data$.name, hjust = .data$hjust, vjust = .data$vjust), named,
                       size = 2.7) +
    ggplot2::labs(caption = if (left) paste(count_of(left, "name"), "left out for want of room")) +
    ggplot2::scale_colour_manual(values = colours) +
    # Both axes reach as far, so that the line ends in the corners; names may stand over the border.
    ggplot2::coord_equal(xlim = span, ylim = span, clip = "off") +
    ggplot2::scale_x_continuous(expand = ggplot2::expansion(0.10)) +
    ggplot2::scale_y_continuous(expand = ggplot2::expansion(0.10)) +
    theme_compert()
}

# Small headings, and room between panels for the names of genes.
square_panels <- function() {
  ggplot2::theme(strip.text = ggplot2::element_text(size = ggplot2::rel(0.7)), strip.clip = "off",
                 panel.spacing = ggplot2::unit(12, "pt"))
}

# Where names stand in each panel: over no other name and no named point, and over few of the other points.
name_genes <- function(labels, table, span, across) {
  placed <- lapply(split(seq_len(nrow(labels)), labels$condition), function(rows) {
    own <- labels[rows, , drop = FALSE]
    others <- table[table$condition == own$condition[1L] & !table$gene %in% own$gene, , drop = FALSE]
    crowd <- rep(c(FALSE, TRUE), c(nrow(own), nrow(others)))
    at <- data.frame(x = c(own$predicted, others$predicted), y = c(own$measured, others$measured),
                     name = ifelse(crowd, "", c(own$.name, others$gene)), row = seq_along(crowd))
    at <- place_names(at, 0.016 * max(1.5, across), seq_len(nrow(own)), span, crowd)
    cbind(own[at$row, , drop = FALSE], at[c("hjust", "vjust")])
  })
  do.call(rbind, c(unname(placed), list(cbind(labels[0L, , drop = FALSE], hjust = numeric(), vjust = numeric()))))
}
