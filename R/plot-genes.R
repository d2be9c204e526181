#' Distributions of genes or proteins: controls, predicted and measured cells
#'
#' One panel per gene (protein) with three violins: the control cells that the prediction starts from, these cells as
#' the model predicts them under the condition, and the cells that were measured. Points are means. A prediction may
#' meet the mean and miss what cells do: whether all of them respond, or a part.
#'
#' @details
#' Counterfactuals by difference are cells, with the spread of their controls; of decoded ones draws of the model's
#' distribution are shown, as in [evaluate_r2()]. Fits on counts are shown on log-normalised values, raw
#' counts of proteins as log(1 + value). The measured cells are those of all splits together; of proteins, here and
#' among the controls, those in which they were measured.
#'
#' @inheritParams plot_means
#' @param fit A `compert_fit`.
#' @param condition A [condition()] with one measured condition: name its covariates, and its dose where there are
#'   several.
#' @param features `"genes"`, or of a fit of RNA and proteins `"proteins"`.
#' @param genes Names of genes (proteins) to draw, in this order; `NULL` for the condition's first DEGs, and for the
#'   proteins whose means changed most.
#' @param n_genes How many genes (proteins) where `genes` is `NULL`.
#' @param ncol Panels beside each other, as in [ggplot2::facet_wrap()]; `NULL` chooses. With more than three the colours
#'   have a legend in place of names at the axis. Fifty genes want a page of their own, about 20 cm square.
#' @return A ggplot. Its `data` has a row per gene (protein) and cell: `gene`, `cells` (`"Control"`, `"Predicted"`,
#'   `"Measured"`), `value`.
#' @section Errors:
#' No, or more than one, measured condition; no controls of the same covariates; unknown genes; for proteins, cells
#' of the condition or controls in which none were measured.
#' @seealso [plot_means()], [distribution_distance()], [rank_degs()]
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control", split = "split",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' stimulated_b <- condition(condition = "IFNb", cell_type = "B")
#' plot_genes(fit, screen, stimulated_b)
#' plot_genes(fit, screen, stimulated_b, genes = c("ISG15", "CD74"))
#'
#' # Surface proteins.
#' both <- cite_example()
#' fit <- multicpa(both, "condition", control = "control", settings = multicpa_settings(epochs = 1, verbose = FALSE))
#' plot_genes(fit, both, condition("CTCL"), features = "proteins")
#' @export
plot_genes <- function(fit, newdata, condition, ..., features = c("genes", "proteins"), genes = NULL,
                       n_genes = 6L, ncol = NULL, residual = NULL, seed = NULL, assay = NULL, layer = NULL,
                       col_data = NULL, missing_genes = c("error", "zero")) {
  check_no_dots(...)
  need_ggplot()
  validate_fit(fit)
  need_newdata(missing(newdata), "plot_genes")
  need_condition_to_draw(missing(condition), fit)
  check_count(n_genes, "n_genes", min = 2)
  check_count(ncol, "ncol", null_ok = TRUE)
  check_seed(seed)
  features <- check_features(fit, features)
  genes <- check_genes(fit, genes, of = features)
  options <- r2_options(fit, "compert", list(min_cells = 1L, residual = residual))
  screen <- read_newdata(fit, newdata, assay, layer, col_data, missing_genes, need = measured_roles())
  rows <- evaluation_rows(fit, screen, character(), condition, options)
  stop_unless_one(rows$table)
  seed <- resolve_seed(seed)
  if (features == "genes") {
    genes <- genes %||% first_degs(fit, screen, rows, n_genes)
    parts <- cells_of_genes(fit, screen, rows, options, seed)
    scale <- with_scale_words("Expression", gene_scale(fit, "log"))
  } else {
    parts <- cells_of_proteins(fit, screen, rows, options, seed)
    genes <- genes %||% most_changed(parts, n_genes)
    scale <- c(log1p = "log(1 + value)", other = "Expression")[[protein_scale(fit, "log")]]
  }
  table <- long_cells(lapply(parts, function(x) x[genes, , drop = FALSE]))
  draw_distributions(table, describe_one(fit, rows), scale, min(ncol %||% ggplot2::wrap_dims(length(genes))[2L],
                                                               length(genes)))
}

stop_unless_one <- function(table, call = rlang::caller_env()) {
  if (nrow(table) == 1L) return(invisible())
  abort_input("`condition` must name one condition that was measured.",
              if (nrow(table)) paste0("It names ", nrow(table), ".") else "No cell of `newdata` has it.",
              "Name all covariates, and the dose where there are several.", call)
}

first_degs <- function(fit, screen, rows, n_genes, call = rlang::caller_env()) {
  at <- evaluation_degs(fit, screen, rows, NULL, n_genes, call)[[1L]]
  if (length(at)) return(rownames(screen$x)[at])
  abort_input("`newdata` must hold cells enough to tell which genes respond, where `genes` names none.",
              "There are too few of the condition or of its controls.", "Name them: `genes = c(...)`.", call)
}

# list(Control, Predicted, Measured), genes x cells each; the controls are those that predictions start from.
cells_of_genes <- function(fit, screen, rows, options, seed, call = rlang::caller_env()) {
  of <- compared_cells(fit, screen, rows, options, seed, call = call)
  total <- if (options$log_counts) cell_totals(screen$x)
  predicted <- predicted_cells(fit, screen, of$target, list(of$control), options$kinds[1L], seed,
                               if (options$log_counts) stats::median(total[total > 0]))
  values <- if (options$log_counts) log_values(screen) else screen$x
  cells <- function(at) as.matrix(pick_columns(values, at))
  list(Control = cells(of$control), Predicted = with_names(predicted, rownames(screen$x)),
       Measured = cells(of$measured))
}

# The same of proteins, on the scale of their means.
cells_of_proteins <- function(fit, screen, rows, options, seed, call = rlang::caller_env()) {
  of <- compared_cells(fit, screen, rows, options, seed, with_proteins = TRUE, call)
  answer <- predicted_values(fit, screen, of$target, list(of$control), options$kinds[1L] == "decoded", seed)
  scale <- protein_scaling(fit, "log")
  cells <- function(at) scale(as.matrix(screen$proteins[, at, drop = FALSE]))
  predicted <- scale(protein_rows(fit$meta$registry, answer))
  list(Control = cells(of$control), Predicted = with_names(predicted, rownames(screen$proteins)),
       Measured = cells(of$measured))
}

# The cells of the one row, the controls that its prediction starts from, and what that is to be.
compared_cells <- function(fit, screen, rows, options, seed, with_proteins = FALSE, call = rlang::caller_env()) {
  of_proteins <- function(cells) if (with_proteins) cells[has_proteins(screen)[cells]] else cells
  words <- if (with_proteins) " with proteins"
  control <- evaluation_controls(screen, rows$groups, rows$table, options, call)
  source <- some_source_cells(lapply(control$source, of_proteins), seed)[[1L]]
  if (length(source) == 0L) {
    abort_input(paste0("`newdata` must hold control cells", words, " of the condition's covariates."), "There is none.",
                "Give them: predictions start from them.", call)
  }
  cells <- which(rows$of_cell == 1L)
  measured <- of_proteins(cells)
  if (length(measured) == 0L) {
    abort_input("`newdata` must hold cells with proteins of the condition.", "There is none.",
                "Give the cells in which proteins were measured.", call)
  }
  list(control = source, measured = measured,
       target = group_targets(fit, rows$groups, rows$table$group, continuous_means(screen, list(cells))))
}

with_names <- function(x, names) {
  rownames(x) <- names
  x
}

# Of measured cells against controls.
most_changed <- function(parts, n) {
  change <- abs(rowMeans(parts$Measured) - rowMeans(parts$Control))
  names(utils::head(sort(change, decreasing = TRUE), n))
}

# A row per gene and cell, the controls first.
long_cells <- function(parts) {
  long <- lapply(names(parts), function(name) {
    x <- parts[[name]]
    data.frame(gene = rep(rownames(x), ncol(x)), cells = name, value = as.vector(x))
  })
  table <- do.call(rbind, long)
  table$cells <- factor(table$cells, names(parts))
  table
}

# The title of the picture.
describe_one <- function(fit, rows) {
  about <- describe_rows(fit, rows$groups, rows$table)
  paste0(short_names(group_names(fit, rows$groups)[rows$table$group], 36L, many = FALSE), " (",
         seen_words(about$fixed$seen), ")")
}

draw_distributions <- function(table, title, scale, across) {
  table$.panel <- factor(table$gene, unique(table$gene))
  n <- table(table$cells) / nlevels(table$.panel)
  # One cell has no distribution; its value is the mean that is drawn.
  several <- table[table$cells %in% names(n)[n > 1], , drop = FALSE]
  ggplot2::ggplot(table, ggplot2::aes(.data$cells, .data$value, fill = .data$cells)) +
    ggplot2::geom_violin(data = several, scale = "width", linewidth = 0.3, colour = "grey40", alpha = 0.8) +
    ggplot2::stat_summary(fun = mean, geom = "point", size = if (across > 3) 0.8 else 1.6, show.legend = FALSE) +
    ggplot2::facet_wrap(ggplot2::vars(.data$.panel), scales = "free_y", ncol = across,
                        labeller = name_headings()) +
    ggplot2::scale_x_discrete(limits = levels(table$cells)) +
    ggplot2::scale_fill_manual(values = c(Control = "#999999", Predicted = "#E69F00", Measured = "#0072B2")) +
    ggplot2::guides(fill = if (across > 3) ggplot2::guide_legend() else "none") +
    ggplot2::labs(x = NULL, y = scale, fill = NULL, title = title,
                  subtitle = paste0(paste0(n, " ", lower_case(names(n)), collapse = ", "),
                                    " cells; points are means")) +
    theme_compert() +
    if (across > 3) narrow_panels(across)
}

# Names below each of three violins have no room there, and those of genes less.
narrow_panels <- function(across) {
  ggplot2::theme(axis.text.x = ggplot2::element_blank(),
                 strip.text = ggplot2::element_text(size = ggplot2::rel(max(0.55, 1 - 0.05 * across))))
}
