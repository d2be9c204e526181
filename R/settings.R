#' Hyperparameters of a fit
#'
#' All settings of [cpa()] with their checks. An argument that is left `NULL` takes the core's
#' default; `print()` shows every value with its meaning, values that differ from the default
#' beside it, and leaves out what acts in another model only. Names are those of
#' facebookresearch/CPA (`cpa/model.py`, `set_hparams_`) where it has the setting;
#' `vignette("features")` has those of theislab/cpa beside them.
#'
#' @param ... Must be empty: settings are given by name, and an unknown name is an error that tells
#'   the nearest known one, or what the setting of theislab/cpa with this name is called here.
#' @param parity `"none"` (fixed behaviour, the default), or the defaults and the quirks of a
#'   reference: `"fb"` for facebookresearch/CPA, `"theislab"` for theislab/cpa; those of
#'   [chemcpa_settings()] and [multicpa_settings()] are told there. Other settings are laid over the
#'   defaults that this one selects. `"fb"` has the dose curves of that reference's Python interface and the length
#'   of its command line's runs. Scores during training follow one rule whatever the parity: conditions of at least 5
#'   test cells, predicted from controls of the same covariates; the references' own are in [evaluate_r2()] (`preset`).
#' @param loss_ae Likelihood: `"gauss"` (log-normalised values), `"nb"` (raw counts, with library
#'   size and one dispersion per gene) or `"zinb"` (the same with structural zeros). Usually left to
#'   the `loss` argument of [cpa()].
#' @param doser_type Dose-response curve of each perturbation, of the dose as [cpa()] scales it:
#'   `"linear"`, `"sigm"`, `"logsigm"`, `"mlp"`, or `"amortized"`, one network for all that reads the
#'   molecule's features too.
#' @param continuous_doser Curve of each continuous covariate, of its value z in standard deviations from the
#'   mean: `"linear"`, `z`; `"sigm"`, `sigmoid(beta z + b) - sigmoid(b)`, which levels off beyond what training
#'   saw; or `"mlp"`, a network of `dosers_width` and `dosers_depth` with values from 0 to 1. Logarithms of
#'   values are yours to take: z may be negative.
#' @param decoder_activation Activation of the decoded means, `"linear"` or `"ReLU"` (Gaussian
#'   likelihood; `"sigm"` with `parity = "multicpa"` only).
#' @param dim Width of the latent space.
#' @param autoencoder_width,autoencoder_depth Width and number of the hidden layers of encoder and
#'   decoder.
#' @param decoder_width,decoder_depth The decoder's own; 0 takes those of the encoder.
#' @param decoder_skip Whether the decoder's last layer reads the latent state beside its last hidden
#'   layer (a skip connection), so that effects can be additive. It acts with the Gaussian likelihood
#'   only. `TRUE` for [cpa()], `FALSE` for the other models and with the references' `parity`.
#' @param encoder_norm,decoder_norm,adversary_norm Normalisation of the hidden layers: `"batch"`,
#'   `"layer"` (without parameters) or `"none"`.
#' @param encoder_dropout,decoder_dropout,adversary_dropout Dropout rates, from 0 to below 1.
#' @param variational Whether the encoder gives a normal distribution, held to N(0, 1) by a
#'   Kullback-Leibler term (predictions start at its mean).
#' @param dosers_width,dosers_depth Width and number of the hidden layers of the dosers (of type `"mlp"` only).
#' @param embedding_encoder_width,embedding_encoder_depth Width and number of the hidden layers from
#'   a molecule's features to its embedding; depth 0 is a linear map.
#' @param embedding_encoder_norm Normalisation in there and in the amortized doser.
#' @param molecule_width,molecule_depth Width of the message-passing network over molecular graphs,
#'   and its rounds of messages (`molecule_encoder` of [chemcpa()]).
#' @param use_drugs_idx For `parity = "chemcpa"`: perturbations as lists, or as one-hot doses
#'   (`FALSE`), which differ in what batch normalisation sees.
#' @param adversary_width,adversary_depth Width and number of the hidden layers of the adversaries.
#' @param adversary_loss What the perturbation adversary guesses: `"bce"`, each perturbation by
#'   itself; `"cce"`, the whole condition (perturbations without doses) by cross entropy weighted by
#'   the conditions' rarity; `"focal"`, the same by focal loss.
#' @param reg_adversary Weight of the adversaries in the autoencoder's objective; with 0, the
#'   default, none are trained.
#' @param reg_adversary_cov The same for the covariates' adversaries; -1 takes `reg_adversary`.
#' @param penalty_adversary Weight of the gradient penalty in the adversaries' objective.
#' @param reg_multi_task Weight of a second task: from the embeddings of perturbation and last
#'   covariate, which genes are among the 50 most differentially expressed ones of a training
#'   condition's cells, all doses together (chemCPA's multi-task head); 0 turns it off.
#' @param reg_alignment Weight of the alignment of basal states between perturbed cells and
#'   controls; 0 turns it off.
#' @param reg_counterfactual Weight of *counterfactual mean matching*: a cell that is decoded under
#'   another training condition of its covariates must change as the means of the two conditions
#'   differ. 0 turns it off. Held-out conditions never enter.
#' @param counterfactual_targets Conditions per set of covariates that a step draws for it.
#' @param counterfactual_shrinkage `TRUE`: it discounts what few cells say. Each gene's mean in a
#'   condition is shrunk towards that of all cells with the same covariates, by its sampling error and
#'   how much the conditions differ in that gene (empirical Bayes), and a difference between conditions
#'   of n cells each weighs n / (n + 200).
#' @param mixup_alpha Mixup of cells in pairs, with shares from Beta(alpha, alpha); 0 turns it off.
#'   It excludes `reg_alignment` and `reg_counterfactual`, since a mixed cell has no condition.
#' @param autoencoder_lr,dosers_lr,adversary_lr Learning rates of the three optimisers. Where they are far too high
#'   training diverges: a warning tells it where the fit predicts the genes of test cells with more than ten times
#'   the squared error that 0 for every gene would have.
#' @param embeddings_lr Learning rate of the embeddings of perturbations and covariates, which
#'   belong to the autoencoder's optimiser. With a `parity` it is `autoencoder_lr` unless given.
#' @param autoencoder_wd,dosers_wd,adversary_wd Weight decays of the three optimisers.
#' @param adversary_steps Length of the alternating cycle: one step of the autoencoder, then
#'   `adversary_steps - 1` steps of the adversaries. With 1 the adversaries are never trained; 0
#'   makes both steps in every batch. With `parity = "chemcpa"` or `"chemcpa_v2"` it is the other way round, as
#'   there: one step of the adversaries, then `adversary_steps - 1` of the autoencoder; at least 2.
#' @param clip_grad_norm Largest norm of each optimiser's gradient; 0 leaves gradients as they are.
#' @param batch_size Cells in a mini-batch.
#' @param balance How even conditions (perturbations, doses and covariates but the batch) are in an epoch, from 0
#'   to 1: a condition with n training cells has a share of the epoch's cells proportional to
#'   n^(1 - balance). 0: every training cell comes once. 1: all conditions are expected to have as many
#'   cells; those of small ones come several times, those of large ones in part, drawn anew in each epoch. The
#'   number of an epoch's cells stays as it is. Where conditions have a handful of cells, leave it at 0:
#'   of cell types with 5 stimulated training cells (Kang et al. 2018) the r2 of DEGs fell from 0.88 to 0.84 with
#'   1; and counterfactual matching draws conditions evenly in any case.
#' @param lr_schedule Learning rates: `"step"`, times `lr_gamma` every `step_size_lr` evaluations;
#'   `"linear"`, constant for half of the run, then falling to a fiftieth; or `"constant"`. With `parity =
#'   "chemcpa"` or `"chemcpa_v2"` epochs are counted in place of evaluations.
#' @param step_size_lr,lr_gamma See `lr_schedule`.
#' @param pretrain_epochs,pretrain_steps First epochs (or batches, which have priority) in which the
#'   adversaries are trained without weight in the autoencoder's objective.
#' @param adversary_warmup_epochs,adversary_warmup_steps Epochs (or batches) in which that weight
#'   then rises to `reg_adversary`. With pre-training, counted as it is.
#' @param kl_warmup_epochs,kl_warmup_steps Epochs (or batches) in which the weight of the
#'   Kullback-Leibler term rises to `kl_weight`.
#' @param kl_weight Weight of the Kullback-Leibler term (variational encoder).
#' @param kl_annealing_frac Share of all epochs in which that weight rises from 0, in place of
#'   `kl_warmup_epochs`; 0 turns it off.
#' @param recon_weight_pro Weight of the proteins' likelihood beside the genes', both averaged over
#'   cells and features ([multicpa()]).
#' @param fusion,protein_loss How RNA and proteins are joined, and the proteins' likelihood: see
#'   [multicpa()].
#' @param protein_background What stands for a protein's background in predictions of the mixture,
#'   `"median"` or `"mean"` of its log-normal distribution.
#' @param mixup_warmup_epochs Epochs in which `mixup_alpha` rises to its value.
#' @param epochs Passes over the training cells; 0 chooses the number from the number of cells, and fewer
#'   where there are no test cells to stop at and few training cells of a condition.
#' @param max_minutes Time limit of training in minutes, 0 sets none. It ends training between two steps, as
#'   Ctrl-C does: the fit has the weights of the best score so far, and where nothing was scored yet, or with
#'   `restore_best = FALSE`, those that it ended with; [resume_fit()] begins an epoch that was not ended again.
#'   Shortly before the limit every epoch is scored, whatever `checkpoint_freq`.
#' @param checkpoint_freq Epochs between two evaluations of the test cells.
#' @param patience Evaluations in a row without a better score through which training goes on: it stops
#'   at the next one, and with `parity = "theislab"` at the last of these.
#' @param stopping_metric Score of the test cells that stops training and chooses the weights: `"r2"`,
#'   the mean of `r2_mean` and `r2_mean_deg`, and with proteins ([multicpa()]) of `r2_mean_protein`;
#'   `"r2_all"`, with those of the variances; or
#'   `"cpa_metric"`, theislab/cpa's `r2_mean + r2_var / 2 + exp(difference in kNN purity)`, in which r2 is that
#'   of reconstructed test cells (at most 2,000 of them), not that of the history's columns. Where no perturbed
#'   condition has 5 test cells there is none of them, and training goes on to its last epoch.
#' @param restore_best `TRUE`: the fit ends with the weights of the best score; `FALSE`: with the last,
#'   as those references do whose `parity` sets it: `"fb"`, `"chemcpa"`, `"chemcpa_v2"`, `"multicpa"` and
#'   `"multicpa_fixed"`.
#' @param best_tolerance How far below the best score so far a later one still counts as best, in
#'   standard deviations of the score from one evaluation to the next: scores of test cells go up and
#'   down where training has long to go on, and the highest of them may be of early weights. 0: only
#'   better ones count.
#' @param checkpoint File that keeps the fit at every evaluation, for [load_fit()]; `NULL` for
#'   none. An existing file must be such a one, and is replaced. Where it can't be written any more,
#'   training goes on, with a warning at the end.
#' @param device `"auto"` (CUDA when LibTorch has it), `"cpu"`, `"cuda"`, `"cuda:<index>"`, or
#'   `"privateuseone"`: a backend from outside that has registered itself with LibTorch.
#' @param precision `"float32"`, `"float64"`, or `"bf16-mixed"`: single precision whose training rounds
#'   what it multiplies to bfloat16 (8 bits of mantissa) and sums in single precision. On processors
#'   with AMX, or AVX-512 with bfloat16, wide models train faster; it needs a build with oneDNN.
#'   Predictions and evaluations are float32 all the same. A CUDA device multiplies float32 as TF32
#'   (10 bits of mantissa), and bfloat16 (as PyTorch's autocast) where asked to.
#' @param threads Number of threads, at most twice that of the machine's cores; 0 takes the environment variable
#'   `OMP_NUM_THREADS`, or else every core. Predictions of a fit with more threads than that use every core.
#'   Sums depend on it in their last digits, which training enlarges: a `seed` repeats a fit for one
#'   number of threads.
#' @param distributed Whether this process is one of a group that trains one model together: see
#'   [launch_local()].
#' @param seed One whole number that rules split, initialisation and shuffling. `NULL` draws it with
#'   `sample.int()`, so that `set.seed()` governs; a number leaves R's stream untouched.
#' @param verbose `TRUE` shows a progress bar, `FALSE` says nothing at all; `NULL` shows the bar in
#'   an interactive session, or as `options(compert.verbose = )` says, and never while knitting. Where it is
#'   not shown one line tells after the first epoch how long the others may take, if that is a minute or more, and
#'   a line with epoch, losses, r2 and the time left follows whenever a twentieth of that time has passed (a minute
#'   at least). Where the output is no terminal, as in a log file, such lines stand for the bar (every 5 seconds at
#'   most).
#'
#' @return A list of class `compert_settings` with every setting, completed and checked. `seed`
#'   stays `NULL` until the fit when it was not given.
#' @eval ranges_section()
#' @references Lotfollahi et al. (2023) Predicting cellular responses to complex perturbations in
#'   high-throughput screens. Molecular Systems Biology 19, e11517.
#' @importFrom rlang %||%
#' @section Errors: An unknown name; a value of another kind or out of its range; settings that exclude each other.
#' @seealso [chemcpa_settings()], [multicpa_settings()] and [scgen_settings()] for other models; [published_settings()];
#'   [tune_fit()] to search them; `vignette("developer")` for why the defaults are what they are.
#' @section By topic:
#' \describe{
#'   \item{Length of training}{`epochs`, `max_minutes`, `checkpoint_freq`, `patience`, `stopping_metric`,
#'   `restore_best`,
#'     `best_tolerance`, `checkpoint`}
#'   \item{Size of the network}{`dim`, `autoencoder_width`, `autoencoder_depth`, `decoder_width`, `decoder_depth`,
#'     `decoder_skip`, norms, dropout rates, `variational`}
#'   \item{Doses and numbers}{`doser_type`, `dosers_width`, `dosers_depth`, `continuous_doser`}
#'   \item{What frees basal states of the perturbation}{`reg_alignment`, `reg_counterfactual`, `counterfactual_targets`,
#'     `counterfactual_shrinkage`; or adversaries: `reg_adversary`, `reg_adversary_cov`, all that begin with
#'   `adversary_`,
#'     `penalty_adversary`, `pretrain_epochs`, `pretrain_steps`}
#'   \item{Steps}{learning rates, weight decays, `batch_size`, `balance`, `lr_schedule`, `step_size_lr`, `lr_gamma`,
#'     `clip_grad_norm`, `mixup_alpha`, `mixup_warmup_epochs`}
#'   \item{The machine}{`device`, `precision`, `threads`, `distributed`, `seed`, `verbose`}
#'   \item{Other models}{molecules: those that begin with `embedding_encoder_` and `molecule_`, `reg_multi_task`,
#'     `use_drugs_idx`; proteins: `fusion`, `protein_loss`, `protein_background`, `recon_weight_pro`; variational
#'   encoders:
#'     those that begin with `kl_`}
#' }
#' @examples
#' cpa_settings(epochs = 50, dim = 32)
#' cpa_settings(parity = "fb")$reg_adversary
#' try(cpa_settings(adversary_reg = 60))
#' @export
cpa_settings <- function(..., parity = NULL, loss_ae = NULL, doser_type = NULL,
                         continuous_doser = NULL, decoder_activation = NULL, dim = NULL, autoencoder_width = NULL,
                         autoencoder_depth = NULL, decoder_width = NULL, decoder_depth = NULL,
                         decoder_skip = NULL,
                         encoder_norm = NULL, decoder_norm = NULL, encoder_dropout = NULL,
                         decoder_dropout = NULL, variational = NULL, dosers_width = NULL,
                         dosers_depth = NULL, embedding_encoder_width = NULL,
                         embedding_encoder_depth = NULL, embedding_encoder_norm = NULL,
                         molecule_width = NULL, molecule_depth = NULL, use_drugs_idx = NULL,
                         fusion = NULL, protein_loss = NULL, protein_background = NULL,
                         adversary_width = NULL, adversary_depth = NULL,
                         adversary_norm = NULL, adversary_dropout = NULL, adversary_loss = NULL,
                         reg_adversary = NULL, reg_adversary_cov = NULL,
                         penalty_adversary = NULL, reg_multi_task = NULL, reg_alignment = NULL,
                         reg_counterfactual = NULL, counterfactual_targets = NULL,
                         counterfactual_shrinkage = NULL,
                         mixup_alpha = NULL, kl_weight = NULL, kl_annealing_frac = NULL,
                         recon_weight_pro = NULL, autoencoder_lr = NULL, autoencoder_wd = NULL,
                         embeddings_lr = NULL, dosers_lr = NULL, dosers_wd = NULL,
                         adversary_lr = NULL, adversary_wd = NULL, adversary_steps = NULL,
                         clip_grad_norm = NULL, batch_size = NULL, balance = NULL, lr_schedule = NULL,
                         step_size_lr = NULL, lr_gamma = NULL, pretrain_epochs = NULL,
                         pretrain_steps = NULL, adversary_warmup_epochs = NULL,
                         adversary_warmup_steps = NULL, kl_warmup_epochs = NULL,
                         kl_warmup_steps = NULL, mixup_warmup_epochs = NULL, epochs = NULL,
                         max_minutes = NULL, checkpoint_freq = NULL, patience = NULL,
                         stopping_metric = NULL, restore_best = NULL, best_tolerance = NULL,
                         checkpoint = NULL, device = NULL, precision = NULL, threads = NULL,
                         distributed = NULL, seed = NULL, verbose = NULL) {
  check_no_dots(...)
  names <- setdiff(rlang::fn_fmls_names(), c("...", "verbose"))
  given <- Filter(Negate(is.null), mget(names))
  check_flag(verbose, "verbose", null_ok = TRUE)
  new_settings(given, verbose)
}
