#' Read a model that a reference implementation has trained
#'
#' Makes a fit of the weights that facebookresearch/CPA, theislab/chemCPA, theislab/cpa or theislab/multicpa has
#' trained and saved. A script in Python, which comes with the package, writes them to a file first; it runs where the
#' model was trained. Predictions of the fit are the reference's own, within the rounding of single precision.
#'
#' @section Exporting:
#' The script needs what the reference needs (Python, torch, numpy) and h5py, and this package not at all:
#' copy it to where the model is.
#' ```
#' file.copy(system.file("python", "export_reference.py", package = "compert"), ".")
#' ```
#' ```
#' python export_reference.py model.pt reference.h5 --data training.h5ad
#' ```
#' | reference | what it saved |
#' |---|---|
#' | facebookresearch/CPA (50e283a) | `model.pt` of its Python interface, or the files of `cpa.train` |
#' | theislab/chemCPA (2025) | a checkpoint of lightning, such as `last.ckpt` |
#' | theislab/cpa (0.8.8) | the folder of `save()`, with `CPA_info.json` in it |
#' | theislab/multicpa (2022) | the files of `train_compert()`; of a sweep, with `--args` (`--help`) |
#'
#' A saved model reads as a program does: export only those from where you would run one. What the script
#' does not know, such as an older version or likelihood, it refuses in one sentence.
#'
#' @section Names:
#' Weights have no names. Those of genes, perturbations and covariates, and what the cells of training were,
#' come from the training data: by `--data`, or else by the AnnData object or the path that the saved model
#' holds (facebookresearch/CPA has written "-" for "_" in the names of such an object; `--data` keeps yours).
#' Only theislab/cpa saves names with its weights. Where the script had no data, `genes`,
#' `perturbations`, `covariates`, `control` and, where the model has any, `proteins` must be given here (`proteins` also
#' where the array of `obsm` has no names in the data); the fit then does not know what training
#' saw: `seen` of [predict()][predict.compert_fit] is `NA`, no dose is called an extrapolation, a dose that is
#' left out is 1, and verbs that look at the conditions of training, such as [resume_fit()] and
#' [prediction_uncertainty()], refuse it.
#'
#' Columns of the cells are called as they were in training (`fit$meta$keys`). facebookresearch/CPA without
#' covariates has one with the single level `"dummy_cov"`, of this name: add it to the cells,
#' `cells$dummy_cov <- "dummy_cov"`.
#'
#' @section What is not in the file:
#' Optimisers, history and some of the adversaries: the references do not save them. [resume_fit()] and
#' [fine_tune()] start these anew. The name of the control within a combination (`"A+control"`) is
#' dropped, where the references add its embedding too. Where chemCPA was trained on combinations, what it makes
#' of single drugs depends on the length of the longest one, which is known from the data only. Of a chemCPA model
#' with layers for other genes (`append_ae_layer`) the genes between these layers have no names: [fine_tune()]
#' takes it to further genes by new layers of this kind. theislab/multicpa draws states and backgrounds
#' anew in every prediction; here they are the mean and the median, which draws spread around.
#'
#' @param file Path of the file that the script wrote.
#' @param ... Must be empty: later arguments are given by name.
#' @param genes Names of the genes, in the order of the training data.
#' @param perturbations Names of all perturbations, the control among them, in any order: the references
#'   number them in the order of their names.
#' @param covariates Named list of the levels of each covariate, in any order of the levels:
#'   `list(cell_type = c("B", "NK"))`. Numbers, where they were numbers to the reference, which sorts them so.
#' @param control Name of the control perturbation.
#' @param proteins Names of the proteins, in the order of the training data.
#' @return A `compert_fit` with the `parity` of its reference, for [predict()][predict.compert_fit],
#'   [reconstruct()], [evaluate_r2()], [cell_embedding()], [fine_tune()], [save_fit()] and all other verbs.
#'   `fit$meta$reference` says whose weights it has.
#' @section Errors: A file that the script did not write, or of a later version; names that the file does not
#'   have and that are not given, all in one error; names of another number than the model has.
#' @source `torch.save()` in `cpa/api.py` and `cpa/train.py` of facebookresearch/CPA;
#'   `chemCPA/train_hydra.py` of theislab/chemCPA; `cpa/_model.py` of theislab/cpa; `MultiCPA/train.py` of
#'   theislab/multicpa.
#' @seealso [load_fit()] for fits of this package.
#' @examples
#' # What facebookresearch/CPA trained on cells of kang_example(), with 40 genes.
#' file <- system.file("extdata", "reference_cpa.h5", package = "compert")
#' fit <- read_reference_fit(file)
#' fit
#' screen <- kang_example(as = "list")
#' stimulated <- condition(condition = "IFNb", cell_type = "B")
#' predict(fit, screen$x, stimulated, col_data = screen$col_data)[1:3, 1:2]
#' @export
read_reference_fit <- function(file, ..., genes = NULL, perturbations = NULL, covariates = NULL,
                               control = NULL, proteins = NULL) {
  check_no_dots(...)
  here <- rlang::current_env()
  export <- read_export(file, here)
  names <- export_names(export$about, list(genes = genes, perturbations = perturbations,
                                           covariates = covariates, control = control, proteins = proteins), here)
  settings <- new_settings(export$about$settings, call = here)
  screen <- export_screen(export, names, settings, here)
  registry <- export_registry(screen, names, export)
  meta <- new_meta(screen, registry, settings, NULL)
  meta$reference <- export$about$reference
  state <- with_core_errors(core_new_model(export_design(screen, registry, settings, export$weights),
                                           length(names$genes) + length(names$proteins), settings_json(settings),
                                           export$weights, meta_to_json(meta)), here, todo = export_again())
  check_whole(state, export$weights, file, here)
  new_fit(state)
}

export_again <- function() "Export the model again, by the export_reference.py of this version of compert."

# list(about, weights, obs, cells) of the file, which is an .h5ad file without expression.
read_export <- function(file, call) {
  check_string(file, "file", call = call)
  bad <- function(given) {
    abort_input("`file` must be what export_reference.py wrote.", paste0(dQuote(file, FALSE), " ", given),
                paste0("The script is in system.file(\"python\", package = \"compert\"); fits of this package ",
                       "are read by load_fit()."), call)
  }
  full <- path.expand(file)
  if (dir.exists(full)) bad("is a folder: the script makes a file of it.")
  if (!file.exists(full)) bad("does not exist.")
  parts <- tryCatch(core_read_h5ad(enc2native(full), FALSE, character(), FALSE, TRUE, FALSE),
                    error = function(cnd) bad("is no such file, or damaged. The script makes it of the saved model."))
  about <- parts$uns$reference$value
  if (!is.character(about)) bad("is another .h5ad file.")
  about <- read_json(about)
  check_export_format(about, file, call)
  items <- parts$uns[startsWith(names(parts$uns), "weights/")]
  weights <- lapply(items, function(item) structure(as.double(item$value), shape = as.double(item$shape)))
  names(weights) <- sub("^weights/", "", names(items))
  list(about = about, weights = weights, obs = h5ad_frame(parts$obs), cells = parts$obs$index)
}

check_export_format <- function(about, file, call) {
  if (identical(as.integer(about$format), 1L)) return(invisible())
  abort_input("`file` must have a format that this version of compert knows (1).",
              paste0(dQuote(file, FALSE), " has format ", about$format, "."), "Update compert.", call)
}

# The cells that training saw, without their expression; none where the file knows none.
export_screen <- function(export, names, settings, call) {
  keys <- export$about$keys
  known <- length(export$cells) > 0
  covariates <- names(names$covariates)
  keys <- new_keys(keys$perturbation, keys$dose, setdiff(covariates, keys$batch), names$control, keys$batch,
                   keys$split, loss = settings$loss_ae, call = call)
  cells <- list(x = empty_cells(names$genes, export$cells), col_data = export$obs, container = "matrix", assay = "x",
                layer = NULL)
  labels <- if (known) read_labels(cells, keys) else
    list(parts = list(), doses = list(), code = integer(), is_control = logical(), control = names$control)
  design <- if (known) read_design(cells, keys) else
    list(covariates = list2DF(rlang::set_names(rep(list(character()), length(covariates)), covariates), 0L))
  defects <- bind_defects(labels$defects, design$defects)
  if (nrow(defects)) {
    abort_input("The labels of the training data in `file` must be readable here.",
                paste(defects$must[1L], defects$given[1L]),
                "Correct the columns of the training data, and export the model again with them as `--data`.", call)
  }
  screen <- new_screen(cells, keys, if (is_count_loss(settings$loss_ae)) "counts" else "log", labels, design)
  screen$split <- screen$split %||% rep("train", length(export$cells))
  screen$keys$control_dose <- screen$keys$control_dose %||% 1
  add_proteins(screen, export_proteins(names$proteins, export, settings))
}

# Of cells with all proteins, without their values.
export_proteins <- function(proteins, export, settings) {
  if (is.null(proteins)) return(NULL)
  cells <- export$cells
  list(x = matrix(0, length(proteins), length(cells), dimnames = list(proteins, cells)),
       measured = rep(both_modalities, length(cells)), counts = settings$protein_loss != "gauss",
       place = export$about$keys$proteins, loss = settings$protein_loss)
}

empty_cells <- function(genes, cells) {
  methods::new("dgCMatrix", p = integer(length(cells) + 1L), Dim = c(length(genes), length(cells)),
               Dimnames = list(genes, cells))
}

# The registry in the order of the model's codes. References take doses as they are.
export_registry <- function(screen, names, export) {
  features <- export$weights[["perturbation_features"]]
  inner <- as.integer(export$about$n_genes_inner %||% 0L)
  registry <- new_registry(screen, list(transform = "none"), names$perturbations)
  at <- match(names$perturbations, registry$perturbations)
  registry$perturbations <- names$perturbations
  registry$dose_range <- registry$dose_range[at]
  registry$dose_scale <- registry$dose_scale[at]
  registry$covariates <- names$covariates
  if (inner > 0L) registry$genes_inner <- paste("inner gene", seq_len(inner))
  registry$n_features <- if (is.null(features)) 0L else attr(features, "shape")[2]
  registry$feature_kind <- if (!is.null(features)) "matrix"
  registry
}

# What the core makes the model for.
export_design <- function(screen, registry, settings, weights) {
  design <- if (ncol(screen$x) > 0) training_design(registry, screen, model = settings$model) else
    c(design_sizes(registry), list(condition_weight = rep(1, length(registry$perturbations))))
  design$n_genes_inner <- length(registry$genes_inner)
  features <- weights[["perturbation_features"]]
  if (is.null(features)) return(design)
  c(design, list(features = matrix(features, registry$n_features),
                 has_features = rep(1, length(registry$perturbations))))
}

# The core takes what is named: all that predictions need must be.
check_whole <- function(state, weights, file, call) {
  absent <- grep("^(adversary_|mean_library$)", setdiff(names(core_weights(state)), names(weights)),
                 value = TRUE, invert = TRUE)
  if (length(absent) == 0L && all(vapply(weights, function(w) all(is.finite(w)), NA))) return(invisible())
  abort_input("`file` must have finite weights of the whole model.",
              paste0(dQuote(file, FALSE), if (length(absent)) paste0(" lacks ", name_list(absent), ".") else
                " has weights that are not finite: training had diverged."),
              export_again(), call)
}
