#' How two perturbations act together, as a picture
#'
#' Draws what [interaction_table()] returns. Of pairs the plane of the two coefficients of Norman et al.: where
#' the effects of the parts add up a pair lies on the cross at 1 and 1, with synergy outside of the circle
#' through it, with buffering or redundancy inside, and off the diagonal where one part decides.
#' Predictions and measurements of a pair are joined by a line. Of genes the change under both
#' perturbations against the sum of the changes under either: on the line effects add up.
#'
#' @param interactions What [interaction_table()] returns, whole or filtered by rows.
#' @param ... Must be empty: later arguments are given by name.
#' @param n_labels Number of names, those of the largest `deviation` (of genes per panel). Names that have no room
#'   are left out, and the caption tells how many.
#' @param genes Names of genes to write instead, for tables of genes.
#' @param max_panels Most panels, for tables of genes: a pair, combination of covariates and `method` each.
#' @return A ggplot. Its `data` has a row per row of the table that is drawn. Pairs
#'   without coefficients are left out, with a message.
#' @section Errors:
#' A table that is not from [interaction_table()]; no pair that has coefficients; unknown genes; more
#' panels than `max_panels`.
#' @references Norman TM, Horlbeck MA, Replogle JM, et al. (2019). *Science* 365:786-793.
#'   \doi{10.1126/science.aax4438}
#' @seealso [interaction_table()], [plot_dose_response2d()]
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' wells <- drugseq_example()
#' fit <- cpa(wells, "condition", dose = "dose", control = "control",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' # No pair was measured in this screen: there are predictions only.
#' both <- condition(condition = c("Abemaciclib+Trametinib", "Erlotinib hydrochloride+Trametinib"),
#'                   dose = list(c(10, 10), c(10, 10)))
#' plot_interactions(interaction_table(fit, wells, both))
#' plot_interactions(interaction_table(fit, wells, both[1, ], by = "gene"))
#' @export
plot_interactions <- function(interactions, ..., n_labels = 10L, genes = NULL, max_panels = 12L) {
  need_ggplot()
  check_count(n_labels, "n_labels", min = 0)
  check_count(max_panels, "max_panels")
  of_genes <- is.data.frame(interactions) && all(c("expected", "gene") %in% names(interactions))
  columns <- c("method", "seen", "deviation", if (of_genes) c(pair_means, "expected") else
    c("coef_1", "coef_2"))
  need_columns(interactions, columns, "interactions", "interaction_table()")
  check_no_dots(...)
  table <- as.data.frame(interactions)
  table$.name <- condition_names(table)
  table$.seen <- seen_words(table$seen)
  constant <- constant_names(table)
  scale <- attr(interactions, "scale")
  if (of_genes) return(draw_pair_genes(table, genes, n_labels, max_panels, scale, constant))
  if (!is.null(genes)) {
    abort_input("`genes` must be left out for a table of pairs.", "It was given.",
                "Make the table with `interaction_table(by = \"gene\")`.")
  }
  draw_pair_plane(drop_undetermined(table), n_labels, constant)
}

drop_undetermined <- function(table, call = rlang::caller_env()) {
  known <- is.finite(table$coef_1) & is.finite(table$coef_2)
  if (!any(known)) {
    abort_input("`interactions` must have pairs with coefficients.", "There is none.",
                "They are not determined where a part has no effect, or both have the same.", call)
  }
  if (!all(known)) {
    cli::cli_inform(c(i = "{sum(!known)} of {length(known)} rows have no coefficients and are left out."),
                    class = "compert_left_out")
  }
  table[known, , drop = FALSE]
}

draw_pair_plane <- function(table, n_labels, constant) {
  table$method <- factor(table$method, c("predicted", "observed"))
  # One name per pair, at its prediction where there is one.
  named <- table[order(-abs(table$deviation)), , drop = FALSE]
  named <- utils::head(unique(named$.name), n_labels)
  rows <- order(table$method)
  many <- length(unique(table$.name)) > 200L
  span <- range(0, 1.5, table$coef_1, table$coef_2)
  labels <- place_names(data.frame(x = table$coef_1, y = table$coef_2, name = table$.name), 0.021,
                        rows[match(named, table$.name[rows])], span, margin = 0.02)
  left <- length(named) - nrow(labels)
  angle <- seq(0, 2 * pi, length.out = 361L)
  circle <- data.frame(x = sqrt(2) * cos(angle), y = sqrt(2) * sin(angle))
  # The circle ends at the border.
  circle[pmin(circle$x, circle$y) < span[1L], ] <- NA
  ggplot2::ggplot(table, ggplot2::aes(.data$coef_1, .data$coef_2)) +
    ggplot2::geom_abline(colour = "grey80", linewidth = 0.4, linetype = "22") +
    ggplot2::geom_path(ggplot2::aes(.data$x, .data$y), circle, colour = "grey80", linewidth = 0.4,
                       na.rm = TRUE) +
    ggplot2::annotate("point", x = 1, y = 1, shape = 4, size = 3, stroke = 1, colour = "grey40") +
    ggplot2::geom_line(ggplot2::aes(group = .data$.name), rows_of_lines(table, ".name"), colour = "grey60",
                       linewidth = 0.3, alpha = if (many) 0.2 else 1) +
    ggplot2::geom_point(ggplot2::aes(colour = .data$method, shape = .data$.seen), size = if (many) 1 else 2.2,
                        stroke = if (many) 0.4 else 0.8) +
    ggplot2::geom_text(ggplot2::aes(.data$x, .data$y, label = .data$name, hjust = .data$hjust, vjust = .data$vjust),
                       labels, size = 2.7) +
    ggplot2::scale_colour_manual(values = c(predicted = "#0072B2", observed = "#D55E00")) +
    ggplot2::scale_shape_manual(values = seen_shapes()) +
    ggplot2::coord_equal(xlim = span, ylim = span, clip = "off") +
    ggplot2::labs(x = "Coefficient of the first part", y = "Coefficient of the second part",
                  colour = NULL, shape = NULL, subtitle = constant,
                  caption = paste0("Cross: effects add up; circle: magnitude of the sum",
                                   if (left) paste0("\n", count_of(left, "name"), " left out for want of room"))) +
    theme_compert()
}

draw_pair_genes <- function(table, genes, n_labels, max_panels, scale, constant,
                            call = rlang::caller_env()) {
  unknown <- setdiff(genes, table$gene)
  if (length(unknown)) {
    abort_input("`genes` must be genes of `interactions`.", paste0("Not among them: ", name_list(unknown), "."),
                paste0("Known: ", name_list(table$gene), "."), call)
  }
  words <- table$.seen
  table$condition <- paste0(short_names(table$.name, 18L, many = FALSE), "\n(", table$method, ",\n", words, ")")
  table$condition <- factor(table$condition, unique(table$condition))
  n <- nlevels(table$condition)
  if (n > max_panels) {
    abort_input(paste0("`interactions` must have at most ", max_panels, " pairs and methods."),
                paste0("It has ", n, "."),
                paste0("Filter it by rows, or write `max_panels = ", n, "`."), call)
  }
  table$predicted <- table$expected - table$control
  table$measured <- table$both - table$control
  table <- table[is.finite(table$predicted) & is.finite(table$measured), , drop = FALSE]
  rank <- stats::ave(-abs(table$deviation), table$condition, FUN = function(x) rank(x, ties.method = "first"))
  table$.named <- if (is.null(genes)) rank <= n_labels else table$gene %in% genes
  labels <- table[table$.named, , drop = FALSE]
  labels <- labels[order(rank[table$.named]), , drop = FALSE]
  across <- sqrt(1.5 * n)
  # What is predicted and what was observed of a pair stand side by side.
  across <- if (n > 1L && length(unique(table$method)) == 2L) 2 * round(across / 2) else ceiling(across)
  labels$.name <- short_names(labels$gene, if (n > 1L) 12L else 20L)
  span <- range(table$predicted, table$measured)
  table$.kind <- as.character(table$.named)
  draw_genes(table, labels, span, across, n, c(`FALSE` = "#999999", `TRUE` = "#D55E00")) +
    ggplot2::guides(colour = "none") +
    ggplot2::labs(x = with_scale_words("Sum of the changes under either part", scale),
                  y = with_scale_words("Change under both", scale, "\n"), subtitle = constant) +
    ggplot2::facet_wrap(ggplot2::vars(.data$condition), ncol = across) + square_panels()
}
