# Differentially expressed genes of every condition against the controls of the same covariates.

#' Rank genes by their response to each condition
#'
#' Compares the cells of every condition with the control cells of the same covariates, gene by
#' gene, with Welch's t-test on log-normalised expression, and lists the genes with the largest
#' absolute t. These are the genes over which [evaluate_r2()] computes its DEG scores.
#'
#' The cells are read once, over non-zero values only, so a screen of a hundred thousand cells takes
#' seconds. Genes with equal scores keep their order in `x`. A gene without variance in both groups
#' scores 0 when the means are equal, and `Inf` or `-Inf` when they are not.
#'
#' @param x SingleCellExperiment, SummarizedExperiment, Seurat object, matrix (genes x cells, with
#'   `col_data`), DelayedMatrix, or path of an `.h5ad` file. Log-normalised values are taken as they
#'   are; counts are first divided by the cell's total, scaled to the median total, and taken to
#'   log(1 + value), with a message. Values that are neither are taken as they are, with a warning.
#' @param perturbation Name of the column that holds the perturbation, `"A+B"` for combinations, or of several
#'   columns, see "Several columns" in [cpa()].
#' @param ... Must be empty: later arguments are given by name.
#' @param dose Name of the dose column, or of as many as `perturbation` names, or `NULL`.
#' @param covariates Names of columns, such as cell type or donor. Each combination of their levels
#'   is treated separately, with its own controls.
#' @param control Name of the control perturbation, several names, or that of a logical column, as in [cpa()].
#' @param n_genes How many genes to list per condition; `nrow(x)` lists all.
#' @param by_dose `TRUE` ranks each dose by itself, `FALSE` takes all doses of a perturbation
#'   together.
#' @param assay,layer Which assay (Seurat: assay and layer; `.h5ad`: layer) to read. `NULL` takes
#'   the usual name of log-normalised values, else of counts.
#' @param proteins,protein_assay For a screen of RNA and proteins: where the proteins are, as in [multicpa()]
#'   (`NULL`: the usual names), ranks these in place of the genes, over the cells that have them. Raw counts of
#'   proteins are taken to log(1 + count), without a total, since few proteins make one; other values are taken as
#'   they are.
#' @param sep What joins the names of a combination; `NULL` when nothing does.
#' @param col_data Data frame with one row per cell, for a matrix only.
#'
#' @return A tibble with one row per condition and gene (or protein): first the columns named in `covariates`,
#'   `perturbation` and `dose` (numbers, or text such as `"1+0.5"` when there are combinations; without
#'   a dose column only where `"A+A"` is A at dose 2), then
#'   \describe{
#'     \item{gene, rank}{name of the gene, or protein, and its place, from 1.}
#'     \item{score}{Welch's t of condition against control.}
#'     \item{mean, mean_control}{mean over cells, on the log scale.}
#'     \item{log_fold_change}{their difference, in the logarithm of the data: natural where counts were
#'       log-normalised here, to base 2 in scuttle's `logcounts`.}
#'     \item{p_value, p_adjusted}{two-sided, with Welch-Satterthwaite degrees of freedom; adjusted
#'       over all genes of the condition by Benjamini and Hochberg. Of a gene without variance on both
#'       sides it is 0 where the means differ, and 1 where they do not.}
#'     \item{n_cells, n_control}{cells compared.}
#'   }
#'   A column of yours that has one of these names gets `own_` in front.
#'   Covariate combinations without controls, and groups of a single cell (which has no variance),
#'   are left out with a warning that names them.
#' @references
#' Lotfollahi et al. (2023) Molecular Systems Biology 19, e11517. The procedure is that of
#' facebookresearch/CPA, `cpa/helper.py` `rank_genes_groups_by_cov`, and of scanpy's
#' `rank_genes_groups(rankby_abs = TRUE)` below it.
#'
#' Welch (1947) Biometrika 34, 28-35.
#' @seealso [evaluate_r2()], [check_screen()] (`effects = TRUE`), [plot_genes()]
#' @section Errors: No condition with two cells and two controls of the same covariates; proteins that are not found;
#'   what [cpa()] refuses of the columns.
#' @examples
#' cells <- kang_example()
#' rank_degs(cells, "condition", covariates = "cell_type", control = "control", n_genes = 5)
#' both <- cite_example()
#' rank_degs(both, "condition", covariates = "cell_type", control = "control", proteins = NULL, n_genes = 3)
#' @export
rank_degs <- function(x, perturbation, ..., dose = NULL, covariates = NULL, control = NULL,
                      n_genes = 50, by_dose = TRUE, proteins = FALSE, protein_assay = NULL, assay = NULL,
                      layer = NULL, sep = "+", col_data = NULL) {
  check_no_dots(...)
  need_cells(missing(x))
  check_count(n_genes, "n_genes")
  check_flag(by_dose, "by_dose")
  keys <- with_protein_keys(keys_of(given_arguments()), proteins, NULL, protein_assay)
  of_proteins <- !is.null(keys$proteins)
  screen <- as_screen(x, keys, col_data, need = c("perturbation", "dose", "covariates", "control"),
                      expects_log = if (!of_proteins) {
                        c(must = "`rank_degs()` expects log-normalised values, or counts.",
                          todo = "Means and fold changes are of the values as they are.")
                      })
  if (of_proteins) {
    screen <- proteins_as_genes(screen)
  } else if (screen$scale == "counts") {
    cli::cli_inform(c(i = "Counts were log-normalised: to the median total, log(1 + value)."))
  }
  groups <- de_groups(screen, screen$keys$covariates, by_dose)
  warn_left_out(groups)
  ranked <- rank_groups(screen, groups, n_genes, p_values = TRUE, call = rlang::current_env())
  deg_table(screen, groups, ranked, by_dose)
}

# Gene indices (0-based, best first) of each of `conditions` of a screen: lists `perturbation` and `dose`, and the
# data frame `covariates`. What cannot be compared (controls, no cells, no controls, a single cell) has no genes.
degs_of_screen <- function(screen, conditions, n = 50, by_dose = TRUE, call = rlang::caller_env()) {
  groups <- de_groups(screen, names(conditions$covariates), by_dose)
  wanted <- condition_group_key(conditions$perturbation, conditions$dose, by_dose)
  at <- match(paste(covariate_key(conditions$covariates, groups$covariates), wanted), groups$key)
  # Groups that nobody asks for are not counted.
  groups$reference[!seq_along(groups$key) %in% at] <- -1L
  groups$code[!(groups$code + 1L) %in% c(at, groups$reference + 1L)] <- -1L
  ranked <- rank_groups(screen, groups, n, p_values = FALSE, call)
  lapply(at, function(k) if (is.na(k)) integer() else ranked[[k]]$genes)
}

# Cells by covariates and condition; controls are one group per combination of covariates, whatever
# their dose. `code` is the group of each cell and `reference` the control group of each group, both
# 0-based, -1 for none.
de_groups <- function(screen, covariates, by_dose) {
  # Keys are made for one cell of each label and covariates; several labels may be one group.
  code <- row_codes(c(list(screen$code), screen$covariates[covariates]))
  first <- which(!duplicated(code))
  condition <- condition_group_key(screen$parts[first], screen$doses[first], by_dose)
  condition[screen$control[first]] <- "\b"  # no name of a perturbation
  level <- covariate_key(screen$covariates[first, , drop = FALSE], covariates)
  key <- paste(level, condition)
  at <- which(!duplicated(key))
  cell <- first[at]
  label <- condition_label(screen$parts[cell], sep = screen$keys$sep)
  dose <- vapply(screen$doses[cell], function(d) d[1], 0)
  order <- do.call(order, c(lapply(unname(as.list(screen$covariates[cell, covariates, drop = FALSE])), level_rank),
                            list(!screen$control[cell], label, dose, method = "radix")))
  at <- at[order]
  cell <- first[at]
  control <- screen$control[cell]
  reference <- match(level[at], level[at][control])
  reference <- which(control)[reference]
  code <- match(key, key[at])[code]
  list(code = code - 1L, key = key[at], cell = cell, control = control,
       reference = ifelse(is.na(reference) | control, -1L, reference - 1L),
       n = tabulate(code, length(cell)), level = covariate_label(screen, covariates, cell),
       label = condition_label(screen$parts[cell],
                               if (by_dose) shown_doses(screen$doses[cell], screen$keys, screen$doses),
                               screen$keys$sep),
       covariates = covariates)
}

# One text per row that says all covariates.
covariate_key <- function(table, covariates) {
  if (length(covariates) == 0) return(rep("", nrow(table)))
  do.call(paste, c(unname(as.list(table[covariates])), sep = "\u001f"))
}

covariate_label <- function(screen, covariates, cell) {
  parts <- lapply(covariates, function(name) paste(name, "=", screen$covariates[[name]][cell]))
  if (length(parts) == 0) rep("", length(cell)) else do.call(paste, c(parts, sep = ", "))
}

condition_group_key <- function(parts, doses, by_dose) {
  if (by_dose) return(condition_key(parts, doses))
  vapply(parts, paste, "", collapse = "\u001e")
}

# One list(genes, score, mean, mean_control, ...) per group; only `genes`, empty, where there is
# nothing to compare with.
rank_groups <- function(screen, groups, n_genes, p_values, call = rlang::caller_env()) {
  with_core_errors(
    core_rank_degs(log_values(screen), groups$code, length(groups$key), groups$reference,
                   min(n_genes, nrow(screen$x)), p_values)$groups,
    call = call)
}

# The values on a log scale. Counts are brought to the median total per cell first.
log_values <- function(screen) {
  x <- screen$x
  if (screen$scale != "counts") return(x)
  total <- cell_totals(x)
  factor <- ifelse(total > 0, stats::median(total[total > 0]) / total, 0)
  if (is_stored(x)) {
    x$log_factor <- factor
    return(x)
  }
  if (!methods::is(x, "dgCMatrix")) return(log1p(x * rep(factor, each = nrow(x))))
  x@x <- log1p(x@x * rep(factor, diff(x@p)))
  x
}

warn_left_out <- function(groups, call = rlang::caller_env()) {
  alone <- !groups$control & groups$reference == -1
  few <- groups$n < 2
  few_control <- groups$reference >= 0 & few[pmax(groups$reference, 0) + 1]
  of <- function(hit) if (length(groups$covariates)) paste(" of", name_list(groups$level[hit])) else ""
  if (any(alone)) {
    cli::cli_warn(c("Conditions without control cells of the same covariates are left out.",
                    "!" = "There are no controls{of(alone)}.",
                    i = "Leave that covariate out of `covariates` to use all controls."),
                  call = call, class = "compert_no_controls")
  }
  if (any(few & !groups$control) || any(few_control)) {
    hit <- (few & !groups$control) | few_control
    n <- sum(hit)
    label <- paste0(groups$level, if (length(groups$covariates)) ", ", groups$label)[hit]
    cli::cli_warn(c("Conditions that cannot be tested are left out: a group of one cell has no
                     variance.",
                    "!" = "{n} condition{?s} {?has/have} one cell or one control: {name_list(label)}."),
                  call = call, class = "compert_one_cell")
  }
  kept <- !alone & !groups$control & !few & !few_control
  if (any(kept)) return(invisible())
  abort_input("There must be a condition with two cells and two controls of the same covariates.",
              "No condition has.", "Look at the design with check_screen().", call = call)
}

# The table of rank_degs(), in the user's own column names.
deg_table <- function(screen, groups, ranked, by_dose) {
  size <- lengths(lapply(ranked, `[[`, "genes"))
  row <- rep(seq_along(ranked), size)
  cell <- groups$cell[row]
  own <- lapply(screen$covariates[groups$covariates], `[`, cell)
  own[[screen$keys$perturbation]] <- condition_label(screen$parts[cell], sep = screen$keys$sep)
  dose <- if (by_dose) dose_column(screen$doses[groups$cell], screen$keys$sep)[row]
  if (!is.null(screen$keys$dose)) own[[screen$keys$dose]] <- dose
  column <- function(name) unlist(lapply(ranked, `[[`, name)) %||% numeric()
  ranks <- list(
    gene = rownames(screen$x)[column("genes") + 1], rank = sequence(size),
    score = column("score"), mean = column("mean"), mean_control = column("mean_control"),
    log_fold_change = column("mean") - column("mean_control"), p_value = column("p_value"),
    p_adjusted = column("p_adjusted"), n_cells = groups$n[row],
    n_control = groups$n[groups$reference[row] + 1]
  )
  if (by_dose && has_hidden_doses(screen$doses, screen$keys)) ranks <- c(list(dose = dose), ranks)
  tibble::as_tibble(beside_own(list2DF(own, length(row)), ranks))
}

# Numbers when every condition has one part, else text like "1+0.5".
dose_column <- function(doses, sep) {
  if (all(lengths(doses) == 1)) return(unlist(doses))
  dose_text(doses, sep)
}
