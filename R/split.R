# Which cells teach, which measure (test) and which nobody has seen (ood).

# "train", "test" or "ood" for each word, NA for others.
split_meaning <- function(text) {
  words <- c(train = "train", training = "train", test = "test", testing = "test", valid = "test",
             validation = "test", val = "test", ood = "ood", holdout = "ood", hold_out = "ood",
             "held-out" = "ood")
  unname(words[lower_case(trimws(text))])
}

# The column's words as "train", "test" or "ood": list(value, defects).
read_split <- function(column, name, todo = NULL) {
  text <- as.character(column)
  distinct <- unique(text)
  meaning <- split_meaning(distinct)
  value <- meaning[match(text, distinct)]
  strange <- distinct[is.na(meaning)]
  if (length(strange) == 0) return(list(value = value, defects = NULL))
  strange[is.na(strange)] <- "NA"
  list(value = value, defects = new_defect(
    "split values", "The split column must hold \"train\", \"test\" and \"ood\" only.",
    paste0("Column ", dQuote(name, FALSE), " holds ", name_list(strange), "."),
    todo %||% "split_cells() makes such a column; split = NULL splits automatically.",
    n = sum(is.na(value))))
}

# The first column that by its words holds cells out: its name, and how many cells.
unused_split <- function(table) {
  for (name in names(table)) {
    column <- table[[name]]
    if (!is.character(column) && !is.factor(column)) next
    meaning <- split_meaning(unique(as.character(column)))
    if (anyNA(meaning) || !all(c("train", "ood") %in% meaning)) next
    return(list(name = name, n = sum(read_split(column, name)$value == "ood")))
  }
}

# Uniform numbers in [0, 1) for items 1..n under a seed: a 32-bit integer hash (the finaliser of
# MurmurHash3, public domain, A. Appleby) of the item's number. R's own stream stays untouched, and
# the result is the same on every machine.
seeded_uniform <- function(n, seed) {
  if (n == 0) return(double())
  start <- hash32(times32(seed %% 2^32 + 1, 2654435769))
  item <- hash32((seq_len(n) + start) %% 2^32)
  hash32((item + start) %% 2^32) / 2^32
}

# `n` of the items, at random under the seed.
seeded_sample <- function(items, n, seed) items[order(seeded_uniform(length(items), seed))[seq_len(n)]]

hash32 <- function(h) {
  h <- times32(xor_shift(h, 16), 2246822507)
  h <- times32(xor_shift(h, 13), 3266489909)
  xor_shift(h, 16)
}

# h XOR (h >> bits), in doubles: R's bitwXor() takes 31 bits.
xor_shift <- function(h, bits) {
  shifted <- h %/% 2^bits
  high <- bitwXor(as.integer(h %/% 65536), as.integer(shifted %/% 65536))
  low <- bitwXor(as.integer(h %% 65536), as.integer(shifted %% 65536))
  high * 65536 + low
}

# Product modulo 2^32; the parts stay below 2^53.
times32 <- function(a, b) {
  high <- ((a %/% 65536) * b) %% 65536
  (high * 65536 + (a %% 65536) * b) %% 2^32
}

# A random share of each group to "test"; at least two cells of a group stay in "train".
# The reference's automatic split takes 25 % (facebookresearch/CPA, cpa/data.py).
test_share <- function(group, share, seed) {
  n <- length(group)
  code <- match(group, unique(group))
  size <- tabulate(code)
  take <- pmax(0, pmin(floor(size * share), size - 2))
  rank <- integer(n)
  rank[order(code, seeded_uniform(n, seed))] <- sequence(size)
  ifelse(rank <= take[code], "test", "train")
}

# Text that is the same for cells of the same condition (doses count) and covariates (the batch
# does not).
condition_group <- function(screen, covariates = screen$keys$covariates) {
  first <- match(seq_len(max(screen$code, 0)), screen$code)
  used <- !is.na(first)
  key <- rep(NA_character_, length(first))
  key[used] <- condition_key(screen$parts[first[used]], screen$doses[first[used]])
  do.call(paste, c(list(key[screen$code]), unname(as.list(screen$covariates[covariates])),
                   sep = "\u001d"))
}

# Conditions, controls and covariates of a table of cells, the small part of a screen that needs no expression.
label_screen <- function(table, keys, call = rlang::caller_env()) {
  names <- rownames(table)
  cells <- list(x = matrix(0, 0, nrow(table), dimnames = list(NULL, names)), col_data = table)
  need <- c("perturbation", "dose", "covariates", "control")
  abort_defects(column_defects(keys, names(table), need), call)
  labels <- read_labels(cells, keys)
  design <- read_design(cells, keys)
  abort_defects(bind_defects(labels$defects, design$defects), call)
  keys[c("control", "idle_zero")] <- labels[c("control", "idle_zero")]
  list(x = cells$x, keys = keys, parts = labels$parts, doses = labels$doses, code = labels$code,
       control = labels$is_control, covariates = design$covariates,
       col_data = with_joint_columns(table, keys, readable = TRUE))
}

# Split made by cpa() when none is given: a quarter of each condition in each covariate.
auto_split <- function(screen, seed, share = 0.25) {
  test_share(condition_group(screen), share, seed)
}

#' Divide cells into train, test and held out
#'
#' Adds a column with `"train"`, `"test"` and `"ood"` (out of distribution: held out) to the table
#' of cells, for the `split` argument of [cpa()]. Whole conditions are held out as `hold_out` says;
#' of the rest a random share of every condition in every combination of covariates goes to test.
#' Controls are never held out.
#'
#' @inheritParams cpa
#' @param x A SingleCellExperiment, SummarizedExperiment, Seurat object, or a data frame with one
#'   row per cell (the `col_data` of a matrix).
#' @param hold_out What nobody shall see in training, one of
#'   * a [condition()], [condition_grid()], names of perturbations (`c("A", "A+B")`) or a data frame with the
#'     screen's own columns: these conditions; covariates that a row does not name may have any value, and
#'     so may doses where there is a column of them. Where controls have dose 0, a part at dose 0 is not there: `"A+B"`
#'     at `"1+0"` is held out with `"A"` at 1, and not with `"A+B"`.
#'     A row that no cell matches, beside others that some do, is a warning, but not of a
#'     `condition_grid()`, which crosses everything;
#'   * a list of filters that must hold together, named by columns of the table, e.g.
#'     `list(cell_type = "B", condition = "IFNb")`; besides columns, `contains` (perturbations that
#'     occur in it, alone or in a combination), `n_parts` (2 for all doubles), and `n` or `share`
#'     (that many, or that share, of the matching conditions at random). Filters of perturbations and
#'     doses hold out whole conditions, as a [condition()] does;
#'   * a list of such lists (each of them held out);
#'   * a number between 0 and 1: that share of the perturbed conditions at random;
#'   * `NULL`: nothing.
#'
#'   Drawn at random are conditions in the narrow sense: a perturbation at a dose in a combination of
#'   `covariates`. Others of the same drug stay in training; to hold out whole drugs name them.
#' @param test Share of each remaining condition that goes to test, at least 0 and below 1, rounded down: of
#'   conditions with fewer than `1 / test` cells none goes. Two cells of each condition always stay in train.
#' @param seed A whole number; `NULL` draws one with `sample.int()`, so that `set.seed()` governs.
#'   A number leaves R's stream untouched.
#' @param name Name of the new column.
#' @param verbose Whether to say what was held out.
#'
#' @return `x` with the new column in its table of cells.
#' @references Lotfollahi et al. (2023) Molecular Systems Biology 19, e11517 (train, test and ood
#'   cells); facebookresearch/CPA, `cpa/data.py` (the random quarter).
#' @section Errors: `hold_out` that no perturbed cell matches, or that names perturbations, levels or columns that
#'   the table does not have; a `dose_unit` in it; a share that rounds to no condition.
#' @seealso [condition()], [check_screen()], [cpa()], [evaluate_r2()]
#' @examples
#' cells <- data.frame(
#'   drug = rep(c("control", "A", "B", "A+B"), each = 10),
#'   cell_type = rep(c("K562", "A549"), 20)
#' )
#' held <- split_cells(cells, "drug", control = "control", covariates = "cell_type",
#'                     hold_out = condition(drug = "A+B"), seed = 1)
#' table(held$drug, held$split)
#' all_doubles <- split_cells(cells, "drug", control = "control",
#'                            hold_out = list(n_parts = 2), seed = 1)
#' @export
split_cells <- function(x, perturbation, ..., control, hold_out = NULL, test = 0.25, seed = NULL,
                        dose = NULL, covariates = NULL, name = "split", sep = "+",
                        verbose = TRUE) {
  if (missing(control)) control <- NULL
  if (missing(perturbation)) perturbation <- NULL
  check_no_dots(...)
  need_cells(missing(x))
  check_number(test, "test", 0, 0.99)
  check_string(name, "name")
  check_flag(verbose, "verbose")
  seed <- resolve_seed(seed)
  keys <- new_keys(perturbation, dose = dose, covariates = covariates, control = control, sep = sep)
  table <- cell_table(x)
  check_roles(list(perturbation = perturbation, dose = dose, covariates = covariates,
                   control = intersect(control, names(table)), name = name), rlang::current_env())
  screen <- label_screen(table, keys)
  held <- held_out_cells(screen, hold_out, seed)
  value <- rep("ood", length(held))
  value[!held] <- test_share(condition_group(screen)[!held], test, seed)
  if (verbose) inform_split(screen, value, name)
  set_cell_column(x, name, value)
}
