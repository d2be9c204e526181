#' Look at a screen before fitting it
#'
#' Reads a screen the way [cpa()] does and reports everything that is wrong, or odd, in one look:
#' missing columns, absent controls, doses that cannot be read, values that are not finite, names
#' that are there twice or nearly twice, covariates without controls or tied to the perturbation,
#' conditions with hardly any cells, counts where logarithms belong, antibodies among the genes (by
#' `feature_types` of an `.h5ad` or the `Type` of `rowData()`), large doses where the model takes them as they
#' are. `cpa()` runs the same checks: errors stop it, warnings are said once, together. With `settings` it also
#' tells how long a fit would take.
#'
#' @inheritParams cpa
#' @param proteins,protein_loss,protein_assay For a screen of RNA and proteins, as [multicpa()] takes them:
#'   where the proteins are, `NULL` for the usual names; `FALSE` looks at the RNA alone.
#' @param dose_unit Only checked, as [cpa()] does it.
#' @param molecules For a screen of drugs, as [cpa()] and [chemcpa()] take them: whether they can be read, and fit
#'   the perturbations. Those that no cell has are a note.
#' @param settings Those of the fit to come, from [cpa_settings()], [chemcpa_settings()] or [scgen_settings()], or
#'   with `proteins` from [multicpa_settings()]: the screen is looked at as that model takes it, and the time of its
#'   training is estimated, see Time. `NULL`: as [cpa()] takes it by default, without an estimate.
#' @param effects `TRUE` compares every condition with the controls of the same covariates, over the genes of all
#'   cells: three more columns of `design`, and a note of perturbations that change nothing beyond noise.
#'
#' @return A list of class `compert_check` with
#'   \describe{
#'     \item{defects}{tibble, one row per defect: `severity` (`"error"`, `"warning"`, `"note"`),
#'       `check` (its short name), `n` (how many cells, genes or conditions), `must`, `given`,
#'       `todo` (what has to hold, what was found, what to do).}
#'     \item{design}{tibble, one row per condition and combination of covariates: your own columns,
#'       `dose` where `"A+A"` is A at dose 2 and there is no dose column,
#'       `n_cells`, `n_control` (controls of the same covariates) and, with a split, `n_train`,
#'       `n_test`, `n_ood`. With `effects` there are `n_degs`, `effect` and `noise`, see Effects. A column of yours
#'       that has one of these names gets `own_` in front. Cells that cannot be read are not counted.}
#'     \item{assay, loss, n_genes, n_cells, bytes}{what was read, the likelihood that it suits or
#'       that was asked for, its size, and its memory.}
#'     \item{proteins}{the proteins in words, `""` without.}
#'     \item{training}{with `settings`, and without errors, a list of `epochs` (at most so many), `epoch_seconds` (of
#'       one), `seconds` (of all, or `max_minutes` where that is less) and `device`; else `NULL`.}
#'   }
#' @section Effects: Values are log-normalised as in [rank_degs()]; the whole screen counts, test cells included.
#'   \describe{
#'     \item{effect}{size of the effect: with d_g the difference of the means of cells and controls of gene g, and s_g
#'       its standard error, the root of `mean_g(d_g^2 - s_g^2)`, or 0 where that is negative. Without noise it
#'       would be the root mean square difference. It does not grow where cells are few, so that conditions can be
#'       compared, in the logarithm of the data (natural where counts were log-normalised here).}
#'     \item{noise}{the root of `mean_g(s_g^2)`: what the means of so many cells differ by without any effect.}
#'     \item{n_degs}{genes with p < 0.05 (Benjamini and Hochberg over all genes) by Welch's t with the smaller of the
#'       numbers of cells and controls for both, as scanpy's `t-test_overestim_var`. [rank_degs()] has Welch's own
#'       p-values, with which few cells beside many have DEGs by chance, since their variance is 0 where none of
#'       them expresses a gene: 10 of the controls of Kang et al. (2018) have 1,600 to 1,700 of 6,998 genes against
#'       322 others, and none by this test. The number grows with that of cells.}
#'   }
#'   The note names perturbations that have no DEG, and less effect than noise, at all their doses and in all
#'   covariates. Controls, and conditions with one cell or one control, have `NA`; so have all
#'   while the screen has errors. Cells in a file are read block by block; in memory there are four numbers per
#'   gene and condition.
#' @section Time: The model of the settings makes 27 steps on cells of the screen, as a fit does, and the middle one of
#'   eight epochs of three steps is taken: it holds for this machine and device beside the other work of this moment.
#'   Of 2,000 genes it takes half a second, and of a wide network a few. On two cores that other work shared, epochs of
#'   [kang_example()], [drugseq_example()], [cite_example()] and of 15,000 training cells with 2,000 genes, in memory and
#'   in a file, took 0.7 to 1.8 times what was told, most of them 0.8 to 1.2 times. Scores of the test cells, which every
#'   `checkpoint_freq` epochs take, and what comes before the first epoch are not part of it; with thousands of
#'   conditions they are more than a trifle. `patience` may end training before its last epoch.
#' @references The input that the reference asserts: facebookresearch/CPA, `cpa/data.py`.
#'
#' `t-test_overestim_var`: scanpy, `rank_genes_groups()`. The square of `effect` is the distance of Chen and Qin
#' (2010) A two-sample test for high-dimensional data with applications to gene-set testing. Annals of Statistics 38,
#' 808-835, per gene.
#' @seealso [cpa()], [split_cells()], [rank_degs()], [distribution_distance()]
#' @section Errors: Only for arguments of another kind: what is wrong with the screen is a row of `defects`.
#' @examples
#' cells <- data.frame(drug = c("control", "A", "A", "a "), dose = c("1", "1", "x", "1"))
#' x <- matrix(c(0, 1.2, 0.4, 2.1), 2, 4, dimnames = list(c("g1", "g2"), NULL))
#' check_screen(x, "drug", dose = "dose", control = "control", col_data = cells)
#'
#' # How long a fit would take.
#' check_screen(kang_example(), "condition", covariates = "cell_type", control = "control",
#'              settings = cpa_settings(batch_size = 256))$training
#'
#' # What the conditions change. Guides without effect would be a note.
#' check_screen(kang_example(), "condition", covariates = "cell_type", control = "control", effects = TRUE)$design
#' @export
check_screen <- function(x, perturbation, ..., dose = NULL, covariates = NULL, continuous = NULL, control,
                         batch = NULL, split = NULL, assay = NULL, layer = NULL, loss = NULL,
                         proteins = FALSE, protein_loss = NULL, protein_assay = NULL, molecules = NULL,
                         effects = FALSE, col_data = NULL, sep = "+", dose_unit = NULL, dose_transform = NULL,
                         settings = NULL) {
  check_no_dots(...)
  need_cells(missing(x))
  check_flag(effects, "effects")
  given <- given_arguments()
  call <- rlang::current_env()
  how <- look_as(given, call)
  read <- read_both(x, how$both, how$keys, col_data)
  found <- look_at_molecules(molecules, read, call)
  read$unread <- bind_defects(read$unread, found$defects)
  defects <- model_defects(read, how$settings, found$described, how$doses$transform)
  timed <- if (!is.null(settings) && !any(c(read$unread$severity, defects$severity) == "error")) {
    time_training(read$screen, how$settings, found$molecules, how$doses, call)
  }
  read$unread <- bind_defects(read$unread, timed$defects)
  out <- look_at_screen(read, defects, effects)
  out["training"] <- list(timed$training)
  out
}

# list(settings, doses, keys, both): what the model of the settings makes of the arguments, `both` with the proteins.
look_as <- function(given, call) {
  settings <- given$settings %||% cpa_settings()
  alone <- identical(given$proteins, FALSE)
  if (!is.null(given$settings)) check_settings(settings, if (alone) c("cpa", "chemcpa", "scgen") else "multicpa", call)
  if (settings$model == "chemcpa") need_molecules(given$molecules, call)
  doses <- list(unit = check_dose_unit(given$dose_unit, call),
                transform = pick_dose_transform(given$dose_transform, settings, call))
  keys <- model_keys(keys_of(given, agreed_loss(settings, given$loss, call), call), settings, call)
  how <- list(settings = settings, doses = doses, keys = keys, both = keys)
  if (settings$model != "multicpa") {
    how$both <- with_protein_keys(keys, given$proteins, given$protein_loss, given$protein_assay, call)
    return(how)
  }
  both <- read_multicpa(how, given, call)
  utils::modifyList(how, list(settings = both$settings, both = both$keys))
}

# What is odd about the molecules, and the perturbations that they describe.
look_at_molecules <- function(molecules, read, call) {
  if (is.null(molecules)) return(list(described = character()))
  screen <- read$screen %||% read$partial
  known <- NULL
  defects <- list()
  keep <- function(severity) function(cnd) {
    defects[[length(defects) + 1L]] <<- as_defect(cnd, "molecules", severity)
    if (severity == "warning") rlang::cnd_muffle(cnd)
  }
  tryCatch(withCallingHandlers({
    known <- molecules_of_cells(read_molecules(molecules, call = call), read, call)
    if (!is.null(screen) && !is.null(known)) {
      parts <- sort_names(c(unlist(screen$parts[!duplicated(screen$code)]), screen$keys$control))
      warn_same_molecules(known, parts, call)
      warn_unscaled_features(known, parts, call)
      defects <- c(defects, list(idle_molecules(known_molecules(known), parts)))
      perturbation_features(known, list(perturbations = parts, control = screen$keys$control,
                                        sep = screen$keys$sep), call)
    }
  }, warning = keep("warning")), compert_input_error = keep("error"))
  list(defects = bind_defects(defects), described = known_molecules(known), molecules = known)
}

idle_molecules <- function(described, parts) {
  idle <- setdiff(described, parts)
  if (length(idle) == 0L) return(NULL)
  new_defect("molecules without cells", "Molecules are matched with perturbations by name.",
             paste0("No cell has ", name_list(idle), "."),
             "They can be predicted by their structure alone; correct the names if cells were meant.",
             severity = "note", n = length(idle))
}

# `defects`: see all_defects().
look_at_screen <- function(read, defects, effects = FALSE, call = rlang::caller_env()) {
  screen <- read$screen %||% read$partial
  defects <- bind_defects(read$unread, defects)
  found <- if (effects && !any(defects$severity == "error")) condition_effects(screen, call)
  if (!is.null(found)) defects <- bind_defects(defects, idle_defect(screen, found))
  rank <- match(defects$severity, c("error", "warning", "note"))
  structure(list(
    defects = defects[order(rank), ],
    design = if (is.null(screen)) tibble::tibble() else design_table(screen, if (effects) found %||% list()),
    assay = read$source, loss = read$loss, n_genes = read$dim[1], n_cells = read$dim[2],
    bytes = read$bytes, proteins = protein_text(screen)
  ), class = "compert_check")
}

# Reads a screen of both. Where only the proteins cannot be read the RNA is looked at all the same, and the
# error is a defect, `unread`.
read_both <- function(x, keys, rna_keys, col_data, call = rlang::caller_env()) {
  tryCatch(read_screen(x, keys, col_data, call = call), compert_input_error = function(cnd) {
    read <- read_screen(x, rna_keys, col_data, call = call)
    c(read, list(unread = as_defect(cnd, "proteins")))
  })
}

# Defects met while reading, and those of the design. Where some cells could not be read the design
# is that of the others, and what it lacks may be a consequence: its errors are not repeated. `...`:
# what is known of the model, see design_defects().
all_defects <- function(read, ...) {
  if (!is.null(read$screen)) return(bind_defects(read$defects, design_defects(read$screen, ...)))
  if (is.null(read$partial)) return(read$defects)
  more <- design_defects(read$partial, ...)
  bind_defects(read$defects, more[more$severity != "error", ])
}

# Conditions x covariates with numbers of cells, in the user's own column names, and `effects`, an empty list where
# there are none to tell.
design_table <- function(screen, effects = NULL) {
  group <- condition_group(screen)
  first <- which(!duplicated(group))
  levels <- screen$covariates[screen$keys$covariates]
  place <- row_codes(c(list(rep(1, length(group))), levels))
  own <- levels[first, , drop = FALSE]
  own[[screen$keys$perturbation]] <- condition_label(screen$parts[first], sep = screen$keys$sep)
  doses <- screen$doses[first]
  slots <- lapply(seq_len(max(lengths(doses), 0L)), function(j) vapply(doses, `[`, 0, j))
  by <- c(list(!screen$control[first]), unname(lapply(own, level_rank)), slots)
  dose <- dose_text(doses, screen$keys$sep)
  if (!is.null(screen$keys$dose)) own[[screen$keys$dose]] <- dose
  code <- match(group, group[first])
  numbers <- list(n_cells = tabulate(code, length(first)),
                  n_control = tabulate(place[screen$control], max(place))[place[first]])
  if (has_hidden_doses(screen$doses, screen$keys)) numbers <- c(list(dose = dose), numbers)
  for (part in if (is.null(screen$split)) character() else c("train", "test", "ood")) {
    numbers[[paste0("n_", part)]] <- tabulate(code[screen$split == part], length(first))
  }
  out <- tibble::as_tibble(beside_own(own, c(numbers, effect_columns(effects, first))))
  out[do.call(order, c(by, method = "radix")), ]
}

#' @export
print.compert_check <- function(x, ..., n = 10) {
  cli::cat_line(wrap_lines(paste0(
    "<screen of ", count_of(x$n_cells, "cell"), " x ", count_of(x$n_genes, "gene"), x$proteins, ", ",
    bytes_text(x$bytes), "; ", sub("^([[:upper:]])", "\\L\\1", x$assay, perl = TRUE),
    "; loss = ", dQuote(x$loss, FALSE), ">"
  )))
  if (nrow(x$defects) == 0) cli::cat_line("No defects.")
  mark <- c(error = cli::col_red(cli::symbol$cross), warning = cli::col_yellow("!"),
            note = cli::col_cyan(cli::symbol$info))
  text <- paste(x$defects$must, x$defects$given, x$defects$todo)
  for (k in seq_along(text)) {
    lines <- strwrap(text[k], width = cli::console_width() - 3)
    cli::cat_line(c(mark[[x$defects$severity[k]]], rep(" ", length(lines) - 1)), " ", lines)
  }
  if (!is.null(x$training)) cli::cat_line(wrap_lines(training_text(x$training)))
  if (nrow(x$design) > 0) {
    cli::cat_line("Design: ", count_of(nrow(x$design), "condition"))
    print(x$design, n = n)
  }
  invisible(x)
}
