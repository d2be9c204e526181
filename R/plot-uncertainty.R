#' Uncertainty over doses
#'
#' Draws the distances that [prediction_uncertainty()] tells for a [condition_grid()]. Single
#' perturbations are lines over their dose, with filled points where training saw the very condition
#' (distance 0). Two perturbations together are a map over both doses.
#'
#' @param uncertainty What [prediction_uncertainty()] returns, whole or filtered by rows: single
#'   perturbations only, or combinations of two only.
#' @param ... Must be empty: later arguments are given by name.
#' @param value `"cosine"` (distance of directions, from 0 to 2; of no use for single perturbations of
#'   a fit without covariates, where doses have one direction) or `"euclidean"` (latent units).
#' @param log_dose `TRUE` draws logarithmic dose axes; dose 0 is drawn at a tenth of the lowest dose
#'   above 0, which no line leads to.
#' @param sep What joins the doses of a combination in the table's dose column; `NULL` for what joins them
#'   in the screen of the fit.
#' @return A ggplot. Lines: with one perturbation a line per covariate combination, with several a line
#'   per perturbation and a panel per covariate combination (more than 8 lines have a panel each). Maps:
#'   a panel per combination and covariates. What there is one of stands in the subtitle. Of more than 40
#'   conditions at one dose, as of knockouts, the 40 farthest are points beside their names.
#' @section Errors:
#' A table that is not from [prediction_uncertainty()]; single perturbations and combinations mixed, or
#' combinations of more than two; more than 48 maps.
#' @source `plot_uncertainty_dose` and `plot_uncertainty_comb_dose` in `cpa/plotting.py` of
#'   facebookresearch/CPA.
#' @seealso [plot_dose_response()]
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' wells <- drugseq_example()
#' fit <- cpa(wells, "condition", dose = "dose", control = "control",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' one <- condition_grid(condition = c("Trametinib", "Abemaciclib"), dose = c(0.1, 0.3, 1, 3, 10))
#' uncertainty <- prediction_uncertainty(fit, one, min_cells = 3)
#' plot_uncertainty(uncertainty, value = "euclidean", log_dose = TRUE)
#'
#' steps <- c(0.1, 1, 10)
#' two <- condition("Abemaciclib+Trametinib",
#'                  dose = paste(rep(steps, 3), rep(steps, each = 3), sep = "+"))
#' plot_uncertainty(prediction_uncertainty(fit, two, min_cells = 3), log_dose = TRUE)
#' @export
plot_uncertainty <- function(uncertainty, ..., value = c("cosine", "euclidean"), log_dose = FALSE,
                             sep = NULL) {
  need_ggplot()
  need_columns(uncertainty, c("seen", "cosine", "nearest_cosine", "euclidean"), "uncertainty",
               "prediction_uncertainty()")
  check_no_dots(...)
  value <- check_choice(value, c("cosine", "euclidean"), "value")
  check_flag(log_dose, "log_dose")
  check_string(sep, "sep", null_ok = TRUE)
  sep <- sep %||% attr(uncertainty, "dose_sep") %||% "+"
  table <- uncertainty_table(uncertainty, value, sep)
  doses <- table[intersect(c("dose", "dose_1", "dose_2"), names(table))]
  # Names beside points are more than colours that have no legend, and than panels of one tile.
  if (nrow(table) > 40L && nrow(unique(doses)) == 1L) return(uncertainty_ranks(table, value))
  if (is.null(table$dose_2)) return(uncertainty_lines(table, value, log_dose))
  uncertainty_map(table, value, log_dose, sep)
}

uncertainty_words <- function() {
  c(cosine = "Cosine distance", euclidean = "Euclidean distance")
}

# Perturbation, dose (or dose_1 and dose_2), covariates in one text, and the value. In the table the
# user's own columns come first: covariates, perturbation, dose.
uncertainty_table <- function(uncertainty, value, sep, call = rlang::caller_env()) {
  own <- as.list(uncertainty[seq_len(match("seen", names(uncertainty)) - 1L)])
  if (length(own) < 2L || nrow(uncertainty) == 0L) {
    abort_input("`uncertainty` must have rows, and the perturbation and the dose before `seen`.",
                paste0("It has ", nrow(uncertainty), " rows and the columns ",
                       name_list(names(uncertainty), 12L), "."),
                "Give what `prediction_uncertainty()` returns, whole or filtered by rows.", call)
  }
  dose <- own[[length(own)]]
  doses <- split_doses(dose, sep)
  n <- unique(lengths(doses))
  if (length(n) > 1L || n > 2L || anyNA(unlist(doses))) {
    abort_input(
      "`uncertainty` must be of single perturbations, or of combinations of two.",
      paste0("The doses are ", name_list(dose), "."),
      "Filter it by rows, and draw the two kinds one after the other.", call
    )
  }
  place <- own[seq_len(length(own) - 2L)]
  table <- data.frame(
    perturbation = as.character(own[[length(own) - 1L]]),
    covariates = if (length(place)) {
      do.call(paste, c(unname(lapply(place, as.character)), sep = ", "))
    } else {
      rep("", nrow(uncertainty))
    },
    seen = uncertainty$seen, .value = round(uncertainty[[value]], 9L), stringsAsFactors = FALSE
  )
  if (n == 1L) {
    table$dose <- vapply(doses, `[`, 0, 1L)
  } else {
    table$dose_1 <- vapply(doses, `[`, 0, 1L)
    table$dose_2 <- vapply(doses, `[`, 0, 2L)
  }
  structure(table, dose_unit = attr(uncertainty, "dose_unit"),
            place = paste(names(place), collapse = ", "))
}

uncertainty_lines <- function(table, value, log_dose) {
  table$.dose <- if (log_dose) lift_zero(table$dose) else table$dose
  if (all(table$covariates == "")) table$covariates <- NULL
  table$response <- table$.value
  table <- response_layout(table, c("response", "seen"))
  constant <- attr(table, "constant")
  names(constant)[names(constant) == "covariates"] <- attr(table, "place")
  table$.seen <- seen_words(table$seen)
  p <- ggplot2::ggplot(table, ggplot2::aes(.data$.dose, .data$.value, colour = .data$.line)) +
    ggplot2::geom_line(ggplot2::aes(linetype = .data$.line),
                       joined_doses(table, log_dose),
                       linewidth = 0.7, na.rm = TRUE) +
    ggplot2::geom_point(ggplot2::aes(shape = .data$.seen), size = 2.2, stroke = 0.8, na.rm = TRUE) +
    scale_colour_compert(nlevels(table$.line)) +
    ggplot2::scale_shape_manual(values = seen_shapes()) +
    # An axis of zeros alone would reach below 0.
    ggplot2::expand_limits(y = if (all(table$.value %in% c(0, NA))) c(0, 1) else 0) +
    ggplot2::labs(x = dose_title(table), y = paste(uncertainty_words()[[value]],
                                                  "to the nearest\ncondition of the training"),
                  colour = NULL, linetype = NULL, shape = NULL,
                  subtitle = constant_subtitle(constant)) +
    theme_compert() +
    ggplot2::theme(legend.box = "vertical", legend.margin = ggplot2::margin(0, 0, 0, 0)) +
    names_legend(levels(table$.line))
  p <- p + dose_panels(nlevels(table$.panel), "fixed", log_dose, unique(table$dose))
  if (log_dose) p + log_dose_scale("x", table$dose, table$.dose) else p
}

condition_words <- function(table) {
  paste0(table$perturbation, ifelse(nzchar(table$covariates), ", ", ""), table$covariates)
}

# The farthest conditions of many at one dose.
uncertainty_ranks <- function(table, value, call = rlang::caller_env(), most = 40L) {
  table <- table[is.finite(table$.value), ]
  if (nrow(table) == 0L) {
    abort_input("`uncertainty` must have distances to draw.", paste0("`", value, "` is NA in every row."),
                paste0("Write `value = \"", setdiff(names(uncertainty_words()), value), "\"`."), call)
  }
  names <- condition_words(table)
  far <- utils::head(order(-table$.value), most)
  ranks <- data.frame(.value = table$.value[far], .seen = seen_words(table$seen)[far],
                      .name = factor(names[far], rev(unique(names[far]))))
  ggplot2::ggplot(ranks, ggplot2::aes(.data$.value, .data$.name)) +
    ggplot2::geom_point(ggplot2::aes(shape = .data$.seen), size = 1.8, na.rm = TRUE) +
    ggplot2::scale_shape_manual(values = seen_shapes()) +
    ggplot2::expand_limits(x = if (all(ranks$.value %in% c(0, NA))) c(0, 1) else 0) +
    names_axis("y", levels(ranks$.name)) +
    ggplot2::labs(x = paste(uncertainty_words()[[value]], "to the nearest condition of the training"), y = NULL,
                  shape = NULL, caption = paste("The", length(far), "farthest of", count(nrow(table)), "conditions")) +
    theme_compert() +
    ggplot2::theme(axis.text.y = ggplot2::element_text(size = ggplot2::rel(0.7)))
}

# A panel per combination and covariates. Conditions of the training are points.
uncertainty_map <- function(table, value, log_dose, sep) {
  one <- length(unique(table$perturbation)) == 1L
  table$panel <- if (one) table$covariates else condition_words(table)
  maps <- length(unique(table$panel))
  if (maps > 48L) {
    abort_input("`uncertainty` must be of at most 48 maps, one per combination and covariates.",
                paste0("It is of ", count(maps), "."), "Filter it by rows.", rlang::caller_env())
  }
  seen <- table$seen == "condition"
  map <- map_table(table[c("panel", "dose_1", "dose_2", ".value")], ".value", log_dose)
  legend <- paste0(sub(" ", "\n", uncertainty_words()[[value]]), "\nto training")
  names <- if (one) split_text(table$perturbation[1L], sep)[[1L]]
  if (length(names) != 2L) names <- c("the first", "the second")
  p <- dose_map(map, FALSE, legend, contours = FALSE) +
    ggplot2::labs(x = dose_title(table, short_names(names[1L], 40L)),
                  y = dose_title(table, short_names(names[2L])),
                  subtitle = if (one) constant_subtitle(c(
                    perturbation = table$perturbation[1L],
                    if (nlevels(map$.panel) == 1L && nzchar(attr(table, "place")))
                      stats::setNames(table$covariates[1L], attr(table, "place")))))
  if (any(seen)) {
    points <- map[seen, , drop = FALSE]
    points$.seen <- "in training"
    p <- p + ggplot2::geom_point(ggplot2::aes(shape = .data$.seen), points, size = 2.5,
                                 colour = "white") +
      ggplot2::scale_shape_manual(values = c(`in training` = 16)) +
      ggplot2::guides(shape = ggplot2::guide_legend(override.aes = list(colour = "black"))) +
      ggplot2::labs(shape = NULL)
  }
  if (!log_dose) return(p)
  p + log_dose_scale("x", map$dose_1, map$.x) + log_dose_scale("y", map$dose_2, map$.y)
}
