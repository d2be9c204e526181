#' Fine-tune a fit on other cells
#'
#' Starts a new fit from what an earlier one has learned: pre-train on bulk profiles of many drugs,
#' then fine-tune on single cells. Genes, perturbations, covariates and their levels are matched by
#' name; what has no counterpart starts anew, and the adversaries always do. `transfer_table()` (and
#' the printed fit) says what was kept, what is new and what is frozen.
#'
#' @section Genes:
#' With `genes = "append"` the trained network stays whole, with all its genes, and gets one more
#' layer at either end, from the genes of `x` to its own and back (Hetzel et al. 2022): use it when
#' `x` has more genes, or quite others. With `genes = "match"` the network is made for the genes of
#' `x`; weights of genes that both have are kept, the others are new. `NULL` takes `"match"` when the
#' genes are the same (in any order), otherwise `"append"`. A fit that has got layers for other genes is
#' matched by the genes of its network, which are those of the fit before it; appending to it keeps the
#' layers as far as they are of genes of `x`.
#' @section Doses:
#' A dose, and a value of a continuous covariate, means the same to the network as before: the `dose_transform` of
#' `fit` stays, with the highest doses that its shares are of; of `"relative"` ones a perturbation without cells
#' there has that of `x`. `dose_unit` is given for both fits, or for neither.
#' @inheritParams chemcpa
#' @param fit The `compert_fit` to start from, of [cpa()] or [chemcpa()].
#' @param molecules As in [chemcpa()], of the same kind as those of `fit`; features of a matrix are matched
#'   by the names of its columns where both have some. `NULL` for a fit without.
#' @param genes `"append"`, `"match"` or `NULL`, see Genes.
#' @param gene_names What the genes of `x` are called in `fit`, where names differ: a character
#'   vector with one name per row of `x`, or one named by rows of `x`. Version suffixes of Ensembl
#'   identifiers (`ENSG00000141510.11`) are ignored.
#' @param freeze Parts that are kept as they are: of `"encoder"`, `"decoder"`, `"perturbations"`,
#'   `"covariates"` and `"dosers"`. Running statistics of batch normalisation follow the new cells. What is
#'   new in them, of a perturbation, level or gene that `fit` lacks, is not trained either: a warning tells.
#' @param lr_factor The learning rates, as a share of those that the earlier fit was trained with from
#'   the beginning: small steps keep what it knows. Rates given in `...` are taken as they are; layers
#'   for other genes learn ten times as fast as the rest.
#' @param ... Settings of the run to change, by the names of [cpa_settings()], such as `epochs`,
#'   `autoencoder_lr` or `seed`; what shapes the network is the earlier fit's.
#' @return A `compert_fit` with its own history. `transfer_table()`: a tibble with one row per part
#'   of the network, `part`, `values` (numbers in it), `kept` (how many came from the earlier fit) and
#'   `state` (`"kept"`, `"partly kept"`, `"new"`, with `"frozen"` where it is).
#' @section Errors: Another likelihood than the earlier fit's, fewer than two common genes, no molecules
#'   for a fit that has some, features of another kind or name, and all errors of [cpa()].
#' @references Hetzel et al. (2022) NeurIPS 35; theislab/chemCPA v2.0,
#'   `chemCPA/experiments_run.py`.
#' @seealso [resume_fit()] for the same cells, [add_levels()] and [add_molecules()] for names without cells;
#'   [chemcpa()]; `vignette("drugs")`
#' @examples
#' cells <- kang_example(as = "list")
#' bulk <- cpa(cells$x[1:500, ], "condition", control = "control", covariates = "cell_type",
#'             split = "split", col_data = cells$col_data,
#'             settings = cpa_settings(epochs = 1, seed = 1, verbose = FALSE))
#' fit <- fine_tune(bulk, cells$x, "condition", control = "control", covariates = "cell_type",
#'                  split = "split", col_data = cells$col_data, epochs = 1, verbose = FALSE)
#' transfer_table(fit)
#' @export
fine_tune <- function(fit, x, perturbation, ..., molecules = NULL, dose = NULL, covariates = NULL,
                      continuous = NULL, control, batch = NULL, split = NULL, assay = NULL, layer = NULL,
                      dose_unit = NULL, genes = NULL, gene_names = NULL, freeze = character(),
                      lr_factor = 0.1, col_data = NULL, sep = "+", degs = NULL) {
  validate_fit(fit)
  need_cells(missing(x))
  if (fit$meta$model %in% c("scgen", "multicpa")) {
    abort_input("`fit` must come from `cpa()` or `chemcpa()`.",
                paste0("It comes from `", fit$meta$model, "()`."),
                "Fit anew, or go on with the same cells by `resume_fit()`.")
  }
  registry <- fit$meta$registry
  settings <- tuning_settings(fit, rlang::list2(...), freeze, lr_factor)
  doses <- list(unit = check_dose_unit(dose_unit), transform = registry$dose_transform)
  keys <- keys_of(given_arguments(), settings$loss_ae)
  keys$degs <- check_own_degs(degs)
  read <- read_more_molecules(molecules, registry)
  task <- new_task(x, keys, col_data, settings, read, rlang::current_env(), doses, fit)
  known <- list(own = registry$genes, inner = network_genes(registry))
  map <- correspondence(task$registry, registry, genes,
                        lapply(known, names_in_fit, task$registry$genes, gene_names, rlang::current_env()))
  task$meta$registry$genes_inner <- if (map$genes == "append") known$inner
  started <- with_core_errors(core_transfer(
    fit$state, c(task$design, list(n_genes_inner = map$n_inner)), length(task$registry$genes),
    settings_json(task$settings), map, meta_to_json(task$meta)
  ))
  task$meta$transfer <- c(list(genes = map$genes, matched = map$matched, of = length(map$own_gene),
                               unmatched = utils::head(map$unmatched, 20),
                               rates = trained_rates(fit)),
                          as.list(transfer_parts(started$table)))
  warn_frozen_new(task$meta$transfer)
  if (show_messages(settings$verbose)) cli::cli_inform(c(i = escape_braces(gene_report(task$meta))))
  run_task(task, started$state)
}

# The earlier fit's settings with changes of the run laid over them.
tuning_settings <- function(fit, changes, freeze, lr_factor, call = rlang::caller_env()) {
  if (!is.numeric(lr_factor) || length(lr_factor) != 1 || !is.finite(lr_factor) || lr_factor < 0) {
    abort_input("`lr_factor` must be one number of at least 0.",
                paste0("It is ", describe(lr_factor), "."), "Write lr_factor = 0.1.", call)
  }
  parts <- c("encoder", "decoder", "perturbations", "covariates", "dosers")
  check_strings(freeze, "freeze", call = call)
  for (part in freeze) check_choice(part, parts, "freeze", call)
  check_changes(changes, fixed_settings(), "the network", "Fit a new model to change the network.", call)
  old <- lasting_settings(fit)
  old[c("seed", "epochs", "checkpoint")] <- NULL
  rates <- trained_rates(fit)
  old[names(rates)] <- lapply(rates, `*`, lr_factor)
  settings <- changed_settings(fit, old, changes, fine_tune, call)
  if (length(freeze)) settings$frozen <- paste(freeze, collapse = ",")
  settings
}

# The learning rates that a fit was trained with from the beginning; a fit that was itself fine-tuned
# remembers them.
trained_rates <- function(fit) {
  fit$meta$transfer$rates %||% state_settings(fit)[rate_names]
}

rate_names <- c("autoencoder_lr", "embeddings_lr", "dosers_lr", "adversary_lr")

# A dose means the same to the network as before: the scales of the earlier fit stay, relative ones for the
# perturbations that it knows.
same_scales <- function(registry, screen, fit, call) {
  before <- fit$meta$registry
  unit <- registry$dose_unit
  if (is.null(unit) != is.null(before$dose_unit)) {
    abort_input("`dose_unit` must be given for both fits or for neither.",
                paste0("It is ", if (is.null(unit)) "missing here" else "missing in `fit`", "."),
                "Give the unit of the doses, so that they mean the same in both.", call)
  }
  # An error of units that cannot be converted names those of the cells first.
  if (!is.null(unit)) convert_doses(0, unit, before$dose_unit, call)
  in_unit <- function(dose) if (is.null(unit)) dose else convert_doses(dose, before$dose_unit, unit, call)
  known <- match(registry$perturbations, before$perturbations)
  # Of a perturbation without any cells in the earlier fit (training, test or ood) no scale was measured;
  # without cells here as well it has the top of that fit.
  known[!registry$perturbations %in% unlist(fit$meta$conditions$parts)] <- NA
  registry$dose_top <- in_unit(before$dose_top)
  here <- unlist(screen$parts[!duplicated(screen$code)], use.names = FALSE)
  without <- !registry$perturbations %in% c(here, registry$control)
  registry$dose_scale[without] <- registry$dose_top
  registry$dose_scale[!is.na(known)] <- in_unit(before$dose_scale[known[!is.na(known)]])
  # So do those of continuous covariates.
  for (name in intersect(names(registry$continuous), names(before$continuous))) {
    registry$continuous[[name]][1:2] <- before$continuous[[name]][1:2]
  }
  registry
}

# The genes of `x` as the earlier fit calls them.
names_in_fit <- function(known, genes, gene_names, call = rlang::caller_env()) {
  if (!is.null(gene_names)) {
    check_strings(gene_names, "gene_names", call = call)
    if (!is.null(names(gene_names))) {
      renamed <- unname(gene_names[genes])
      genes <- ifelse(is.na(renamed), genes, renamed)
    } else if (length(gene_names) == length(genes)) {
      genes <- gene_names
    } else {
      abort_input("`gene_names` must have one name per gene of `x`, or be named by them.",
                  paste0("It has ", length(gene_names), " for ", count_of(length(genes), "gene"), "."),
                  "Give rownames(x) in the names of the fit.", call)
    }
  }
  plain <- function(g) sub("^(ENS[A-Z]*G[0-9]+)\\.[0-9]+$", "\\1", g)
  place <- match_feature_names(plain(genes), plain(known))
  ifelse(is.na(place), genes, known[place])
}

# The genes of the network itself: with layers for other genes, those between these layers.
network_genes <- function(registry) registry$genes_inner %||% registry$genes

# What corresponds to what, 0-based and -1 for nothing, for core_transfer(). `names`: the new genes as the
# earlier fit calls its `own`, and those of its network (`inner`).
correspondence <- function(new, old, genes, names, call = rlang::caller_env()) {
  match0 <- function(x, table) match(x, table, 0L) - 1L
  inner <- network_genes(old)
  if (!is.null(genes)) genes <- check_choice(genes, c("append", "match"), "genes", call)
  genes <- genes %||% if (setequal(names$inner, inner)) "match" else "append"
  known <- names$inner %in% inner
  if (genes == "match" && sum(known) < 2) {
    abort_input("`x` and the genes of `fit` must have at least two genes in common.",
                paste0(sum(known), " of ", count_of(length(known), "gene"), " is known; the first are ",
                       name_list(utils::head(names$inner, 3)), " here and ",
                       name_list(utils::head(inner, 3)), " there."),
                "Translate them with `gene_names`, or use genes = \"append\".", call)
  }
  if (genes == "append") known <- known | names$own %in% old$genes
  covariates <- base::names(new$covariates)
  level <- unname(lapply(covariates, function(name) {
    match0(new$covariates[[name]], old$covariates[[name]] %||% character())
  }))
  list(gene = if (genes == "append") seq_along(inner) - 1L else match0(names$inner, inner),
       own_gene = match0(names$own, old$genes),
       perturbation = match0(new$perturbations, old$perturbations),
       covariate = match0(covariates, base::names(old$covariates)), level = level,
       continuous = match0(base::names(new$continuous), base::names(old$continuous)),
       genes = genes, n_inner = if (genes == "append") length(inner) else 0L,
       matched = sum(known), unmatched = names$own[!known])
}
