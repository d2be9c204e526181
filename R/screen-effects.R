# How far the conditions of a screen lie from their controls, before a fit.

# Per group of `code` (one per cell, from 1): the root mean square, over genes, of differences of means (`effect`,
# without what noise adds to it), what noise adds (`noise`), and differentially expressed genes; NA where there is
# nothing to compare. A difference of means has the square of its standard error in its expected square.
condition_effects <- function(screen, call = rlang::caller_env()) {
  groups <- de_groups(screen, screen$keys$covariates, by_dose = TRUE)
  stats <- with_core_errors(core_group_stats(log_values(screen), groups$code, length(groups$key)), call)
  reference <- groups$reference + 1L
  alone <- reference == 0L | stats$n < 2L
  alone[!alone] <- stats$n[reference[!alone]] < 2L
  rows <- vapply(seq_along(reference), function(k) {
    if (alone[k]) return(c(effect = NA_real_, noise = NA, n_degs = NA))
    at <- c(k, reference[k])
    n <- stats$n[at]
    variance <- stats$variance[, at] * rep(n / (n - 1), each = nrow(stats$variance))
    difference <- stats$mean[, k] - stats$mean[, reference[k]]
    noise <- mean(variance %*% (1 / n))
    c(effect = sqrt(max(0, mean(difference^2) - noise)), noise = sqrt(noise),
      n_degs = sum(cautious_p(difference, variance, min(n)) < 0.05, na.rm = TRUE))
  }, c(effect = 0, noise = 0, n_degs = 0))
  list(code = groups$code + 1L, effect = rows["effect", ], noise = rows["noise", ],
       n_degs = as.integer(rows["n_degs", ]))
}

# Adjusted p-values of Welch's t where both sides count as `n` cells, the fewer of the two: with hundreds of controls
# and ten cells, of which none happens to express a gene, the variance is 0 on one side and the error of the other is
# too small by far. Random groups of controls have thousands of genes then.
cautious_p <- function(difference, variance, n) {
  squared <- rowSums(variance) / n
  df <- (n - 1) * rowSums(variance)^2 / rowSums(variance^2)
  p <- 2 * stats::pt(-abs(difference) / sqrt(squared), df)
  p[squared == 0] <- ifelse(difference[squared == 0] == 0, 1, 0)
  stats::p.adjust(p, "BH")
}

# Effects of conditions, by their first cells; NA where an empty list says that there are none to tell.
effect_columns <- function(effects, first) {
  if (is.null(effects)) return(NULL)
  unknown <- list(n_degs = NA_integer_, effect = NA_real_, noise = NA_real_)
  if (length(effects) == 0L) return(lapply(unknown, rep, length(first)))
  lapply(effects[names(unknown)], `[`, effects$code[first])
}

# Perturbations without a gene that stands out, whose differences are more noise than effect, at all their doses.
idle_defect <- function(screen, effects) {
  first <- which(!duplicated(effects$code))
  of <- tibble::as_tibble(effect_columns(effects, first))
  of$label <- condition_label(screen$parts[first], sep = screen$keys$sep)
  of <- of[!is.na(of$n_degs), ]
  idle <- sort_names(setdiff(of$label, of$label[of$n_degs > 0L | of$effect > of$noise]))
  if (length(idle) == 0L) return(NULL)
  one <- length(idle) == 1L
  new_defect("without effect", "A perturbation should change genes by more than noise does.",
             paste0(name_list(idle, 20L), if (one) " does not" else " do not", ", of ",
                    count_of(length(unique(of$label)), "perturbation"), "."),
             paste(if (one) "It" else "They", "may not have worked, or have too few cells to tell. Scores of such",
                   "effects are of noise."),
             severity = "note", n = length(idle))
}
