#' Fit a compositional perturbation autoencoder
#'
#' Learns from a perturbation screen what each perturbation adds to a cell, apart from what the cell
#' is: an encoder takes each cell to a basal state; embeddings of perturbations (scaled by a
#' dose-response curve) and covariates are added; a decoder turns the sum into means and variances of
#' all genes. The fit then answers [predict()][predict.compert_fit] for conditions that were never
#' measured.
#'
#' Two terms of the objective keep the perturbation out of the basal state: the basal states of
#' perturbed cells and controls are brought together (`reg_alignment`), and a cell that is decoded
#' under another condition must change as the means of the two differ (`reg_counterfactual`). The
#' references train adversaries instead, which try to read perturbation and covariates from the
#' basal state; they are off by default (`reg_adversary`), and on with a reference's `parity`. See
#' [cpa_settings()].
#'
#' @param x The cells: a SingleCellExperiment or SummarizedExperiment; a Seurat object (version 4
#'   assays and version 5 assays, also with split layers); a matrix, sparse matrix of the Matrix
#'   package or DelayedMatrix with genes in rows and cells in columns, together with `col_data`; or
#'   the path of an `.h5ad` file, of an `.h5mu` file (its main modality, see [read_h5mu()]), or of the
#'   `.h5` file of 10x Genomics' Cell Ranger together with `col_data` (its genes have their symbols as
#'   names, or ids where two genes have one symbol). Genes are known, asked for and drawn by the names of rows:
#'   of a SingleCellExperiment with ids there and symbols in `rowData(x)$Symbol`, as `DropletUtils::read10xCounts()`
#'   makes it, `rownames(x) <- scuttle::uniquifyFeatureNames(rownames(x), rowData(x)$Symbol)` makes them symbols.
#' @param perturbation Name of the column with the perturbation of each cell: `"A"`, or `"A+B"` for
#'   a combination of any length. The control's name as padding (`"A+ctrl"`) is dropped. Or names of several
#'   columns, `c("guide_1", "guide_2")`, see "Several columns" in [cpa()].
#' @param ... Must be empty: later arguments are given by name.
#' @param dose Name of the column with doses: numbers, or texts `"1+0.5"` with one number per part.
#'   `NULL`: every part has dose 1. See "Doses" in [cpa()]. Of several columns of perturbations one name for
#'   each: `c("dose_1", "dose_2")`.
#' @param dose_unit Unit of the doses; kept in the fit, so that axes say it and [condition()] may ask in
#'   another one of the same kind: `"fM"`, `"pM"`, `"nM"`, `"uM"`, `"mM"`, `"M"`; `"pg/ml"`, `"ng/ml"`,
#'   `"ug/ml"`, `"mg/ml"`, `"mg/l"`; `"ug/kg"`, `"mg/kg"`, `"g/kg"`; `"mGy"`, `"Gy"`. A litre may be `L`. Any other
#'   text, such as `"U/ml"`, is a label. `NULL`: unknown.
#' @param dose_transform How doses come before the network: `"relative"`, as shares of the highest dose that the
#'   perturbation has in `x` (of one without cells, the highest of all); `"max"`, as shares u of the highest dose in
#'   `x`; `"log"`, `log(1 + 1000 u) / log(1001)`; or `"none"`, as they are. `NULL`: `"relative"`, and `"log"` in
#'   [chemcpa()]; with `parity = "chemcpa"` `"max"`, and with that of another reference `"none"`; beside a
#'   `parity` only [chemcpa()] has a choice.
#' @param covariates Names of columns such as cell type or donor, any number; also `~ cell_type`.
#' @param continuous Names of columns with numbers that every cell has, such as age or time; also `~ age`. See
#'   "Continuous covariates" in [cpa()].
#' @param control Name of the control perturbation, or of a logical column that marks the controls. Of several names, as
#'   of non-targeting guides, the first is the name of all (`c("NTg4", "NTg7")`).
#' @param batch Name of a column that is a nuisance: a covariate that [cell_embedding()] can leave
#'   out, and that predictions keep as it is in each cell.
#' @param split Name of a column with `"train"`, `"test"` and `"ood"`, as [split_cells()] makes it.
#'   In any case of letters `"training"` is train; `"testing"`, `"valid"`, `"validation"` and `"val"`
#'   are test; `"holdout"`, `"hold_out"` and `"held-out"` are ood. `NULL`: a quarter of the cells of
#'   each condition, drawn at random under the seed, is for testing.
#' @param assay,layer What to read. SummarizedExperiment: `assay`; Seurat: `assay` and `layer`;
#'   `.h5ad`: `layer` (`"X"` or the name of a layer). `NULL` takes what `loss` needs under the usual
#'   names: `"logcounts"`, `"data"`, `"X"` for `"gauss"`, `"counts"` for `"nb"` and `"zinb"`.
#' @param loss Likelihood: `"gauss"` for log-normalised values, `"nb"` for raw counts, `"zinb"` for
#'   raw counts with more zeros than these. `NULL`: `"gauss"`, or `"nb"` where there are only counts
#'   (it says so).
#' @param molecules Numeric matrix with one named row per perturbation (fingerprints, descriptors,
#'   any embedding of the molecules), or SMILES: the perturbation embedding is then a trained
#'   linear map of these features instead of a free table. See [chemcpa()], which is made for them.
#' @param col_data Data frame with one row per cell, with a matrix or a 10x file only: in the order of
#'   the cells, or with their names as row names.
#' @param sep What joins the names of a combination in the perturbation column, and their doses.
#'   `NULL` when nothing does.
#' @param degs Your own differentially expressed genes for the scores during training: a named list as in
#'   [evaluate_r2()], with the same errors and warnings. `NULL`: the 50 genes with the largest Welch |t| of
#'   each condition.
#' @param settings Hyperparameters, from [cpa_settings()].
#'
#' @return An object of class `compert_fit`. See [predict()][predict.compert_fit],
#'   [evaluate_r2()], [cell_embedding()], [save_fit()]. Interrupting (Ctrl-C) returns the fit so
#'   far (see `max_minutes` of [cpa_settings()]), with a warning; so does, after the first epoch, a file
#'   of cells that can't be read any more.
#' @section Several columns: Perturbations may be in several columns, one name in each, with their doses in as
#'   many columns (`dose = c("dose", "dose")` where one column holds for both). `NA`, `""` and the control's name
#'   mean none, whatever the dose beside them; a cell with none at all is a control, at dose 0 unless the
#'   control's name has one. Where no column has a name for controls, `control` is what they are called from here
#'   on. The order of the columns never matters, and a name in two of them adds its doses. Names are not parsed
#'   and may hold any sign: `sep` is what joins them in labels, in the texts of [condition()] and in names of
#'   `degs`; a name that holds it is asked for by `condition(list("a+b"))`. Together the columns are
#'   `perturbation` and `dose` in conditions, in filters of [split_cells()] and in tables of results; cells keep
#'   their own columns.
#' @section Doses: Doses are asked for and answered in the unit of the dose column. What the network sees
#'   is their scale of `dose_transform`. By default 1 is the strongest that was measured of every drug, and a linear
#'   dose response is the share of it. Where doses span decades, `"log"` has steps of one size between them. The
#'   references of `cpa()` and [multicpa()] take doses as they are. [scgen()] has no network for doses.
#'
#'   Where controls have dose 0, a part of a combination at dose 0 is not there: cells `"A+B"` at
#'   `"1+0"` are cells `"A"` at 1, in scores, splits and tables as well (but for the parities of
#'   theislab/chemCPA, whose networks act at dose 0).
#' @section Continuous covariates: The value x of a cell adds `f(z) v` to its basal state, with z = (x - m) / s, m and
#'   s mean and standard deviation of the training cells, v a trained vector, and f linear, or one of the other
#'   curves of `continuous_doser` in [cpa_settings()]. Effects of perturbations may grow or fall with it, since
#'   the decoder is not linear. So that basal states do not hold it, training cells of like values (each value by
#'   itself where there are up to four; else quarters of the cells, or halves with several continuous
#'   covariates) count as a condition of their own in `reg_alignment` and `reg_counterfactual`: with both off
#'   nothing keeps it out. A covariate that has one value within each level of another, as the age has of a
#'   donor, cannot be told from it: give one of the two.
#'
#'   Predictions take each source cell's own value unless the condition names one, as in
#'   `condition(drug = "A", age = 50)`. Scores predict every condition at the mean of its measured cells.
#'   Adversaries do not read it; the references have no continuous covariates, and with their `parity` it is an
#'   error.
#' @section Data larger than memory: Matrices that would take more than `getOption("compert.in_memory")`
#'   bytes (1e9 by default; 12 per stored value) stay in their file and are read as they are needed:
#'   csr and dense matrices of `.h5ad` files, 10x files, and the HDF5Array, TENxMatrix and H5ADMatrix
#'   seeds of delayed matrices, also inside a SingleCellExperiment, of which cells and different genes may have
#'   been chosen. A large DelayedMatrix with other delayed operations is computed once, into a temporary
#'   file. Every epoch shuffles blocks of 256 to 1,024 neighbouring cells, and then the cells within windows
#'   of 64 MB (4,096 to 65,536 cells), while the next window is read. Only the order of the batches differs from
#'   a fit of cells in memory, and not even that where one window holds all training cells.
#'   [predict()][predict.compert_fit] and all other verbs of a fit, [rank_degs()] and [tune_fit()] read the same
#'   way. Matrices stored gene by gene (csc) and cells with proteins are read whole.
#' @section Errors: All defects of the input are reported in one error; [check_screen()] lists them
#'   as a table beforehand.
#' @concept CPA.setup_anndata
#' @references Lotfollahi et al. (2023) Predicting cellular responses to complex perturbations in
#'   high-throughput screens. Molecular Systems Biology 19, e11517. Reference implementation:
#'   facebookresearch/CPA, `cpa/api.py`, `cpa/model.py`, `cpa/data.py`.
#' @seealso Before: [check_screen()], [split_cells()]. Other models: [chemcpa()], [multicpa()], [scgen()],
#'   [baseline_fit()]. After: [predict()][predict.compert_fit], [evaluate_r2()], [resume_fit()], [fine_tune()],
#'   [tune_fit()], [compert_fit].
#' @examples
#' cells <- kang_example(as = "list")
#' fit <- cpa(cells$x, "condition", control = "control", covariates = "cell_type",
#'            split = "split", col_data = cells$col_data,
#'            settings = cpa_settings(epochs = 1, seed = 1, verbose = FALSE))
#' fit
#'
#' # A continuous covariate: how many genes a cell shows. A prediction names it, or leaves it as it is.
#' about <- cells$col_data
#' about$n_genes <- Matrix::colSums(cells$x > 0)
#' fit <- cpa(cells$x, "condition", control = "control", covariates = "cell_type", continuous = "n_genes",
#'            split = "split", col_data = about,
#'            settings = cpa_settings(epochs = 1, seed = 1, verbose = FALSE))
#' dim(predict(fit, cells$x, condition(condition = "IFNb", cell_type = "B", n_genes = 200), col_data = about))
#'
#' # Perturbations in two columns, of which this screen fills one.
#' about$cytokine <- ifelse(about$condition == "IFNb", "IFNb", NA)
#' about$drug <- NA_character_
#' check_screen(cells$x, c("cytokine", "drug"), control = "none", covariates = "cell_type", col_data = about)
#'
#' # Two vehicles that are one control, and doses over two decades, which the network sees as logarithms.
#' drugs <- drugseq_example(as = "list")
#' wells <- drugs$col_data
#' wells$condition <- ifelse(wells$condition == "control", paste(wells$vehicle), paste(wells$condition))
#' fit <- cpa(drugs$x, "condition", dose = "dose", dose_unit = "uM", dose_transform = "log",
#'            control = c("Media", "DMSO"), col_data = wells,
#'            settings = cpa_settings(epochs = 1, seed = 1, verbose = FALSE))
#' fit
#' dose_response(fit, perturbation = "Trametinib", n_points = 2)
#' @export
cpa <- function(x, perturbation, ..., dose = NULL, covariates = NULL, continuous = NULL, control,
                batch = NULL, split = NULL, assay = NULL, layer = NULL, loss = NULL, molecules = NULL,
                col_data = NULL, sep = "+", degs = NULL, dose_unit = NULL, dose_transform = NULL,
                settings = cpa_settings()) {
  check_no_dots(...)
  need_cells(missing(x))
  train_model("cpa", given_arguments())
}
