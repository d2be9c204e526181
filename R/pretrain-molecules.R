#' Pre-train a network that reads molecular graphs
#'
#' Trains the message-passing network of [chemcpa()] on molecules alone, without any expression: it
#' has to tell the element of atoms that are hidden from it, and RDKit's descriptors of the molecule
#' from one vector. Give as many molecules as there are; those of the screen may be among them.
#'
#' @param smiles Character vector (or factor) of SMILES.
#' @param ... Must be empty: later arguments are given by name.
#' @param width,depth Width of the network (and of a molecule's vector) and its rounds of messages.
#' @param epochs Passes over the molecules.
#' @param batch_size Molecules in a mini-batch.
#' @param lr Learning rate.
#' @param masked Share of the atoms that are hidden in each mini-batch, above 0 and below 1.
#' @param seed,threads,verbose As in [cpa_settings()].
#' @return An object of class `compert_molecule_encoder` for the `molecule_encoder` argument of
#'   [chemcpa()]: a list with `width`, `depth`, `weights` and `history` (a tibble with `epoch`,
#'   `loss_atoms`, cross entropy in nats, and `loss_descriptors`, mean squared error of z-scores).
#' @section Errors: Invalid SMILES, by name and position; fewer than two molecules; a package that was
#'   built without RDKit.
#' @references Hu et al. (2020) Strategies for pre-training graph neural networks. ICLR;
#'   Gilmer et al. (2017) Neural message passing for quantum chemistry. ICML.
#' @seealso [chemcpa()], [smiles_features()]
#' @examples
#' if (compert_sitrep()$built_with[["RDKit"]]) {
#'   molecules <- drugseq_example(as = "list")$molecules
#'   encoder <- pretrain_molecules(molecules, epochs = 2, width = 16, seed = 1, verbose = FALSE)
#'   encoder
#' }
#' @export
pretrain_molecules <- function(smiles, ..., width = 64L, depth = 3L, epochs = 100L,
                               batch_size = 64L, lr = 1e-3, masked = 0.15, seed = NULL,
                               threads = 0L, verbose = NULL) {
  check_no_dots(...)
  check_count(width, "width")
  check_count(depth, "depth")
  check_count(epochs, "epochs")
  check_count(batch_size, "batch_size", min = 2)
  check_count(threads, "threads", min = 0)
  check_share(masked, "masked")
  check_flag(verbose, "verbose", null_ok = TRUE)
  if (!is.numeric(lr) || length(lr) != 1 || !is.finite(lr) || lr <= 0) {
    abort_input("`lr` must be one number above 0.", paste0("It is ", describe(lr), "."),
                "Write lr = 1e-3.")
  }
  if (is.factor(smiles)) smiles <- as.character(smiles)
  read_smiles(smiles, FALSE, "error",
              todo = "or drop what is none: smiles[!is.na(canonical_smiles(smiles, invalid = \"na\"))]")
  descriptors <- smiles_features(smiles)
  how <- list(width = width, depth = depth, epochs = epochs, batch_size = batch_size, lr = lr,
              masked = masked, seed = resolve_seed(seed), threads = threads)
  out <- with_core_errors(core_pretrain_molecules(unname(smiles), t(unname(descriptors)), how,
                                                  progress_reporter(verbose)))
  if (length(out$loss_atoms) < epochs) {
    cli::cli_warn(c(paste0("Pre-training was interrupted after ", count_of(length(out$loss_atoms), "epoch"), "."),
                    i = "The encoder is what was learned so far."), class = "compert_stopped_interrupt")
  }
  structure(
    list(width = as.integer(width), depth = as.integer(depth), weights = out$weights,
         history = tibble::tibble(epoch = seq_along(out$loss_atoms), loss_atoms = out$loss_atoms,
                                  loss_descriptors = out$loss_descriptors),
         n_molecules = length(smiles)),
    class = "compert_molecule_encoder"
  )
}

check_share <- function(x, arg, call = rlang::caller_env()) {
  if (is.numeric(x) && length(x) == 1 && is.finite(x) && x > 0 && x < 1) return(invisible())
  abort_input(paste0("`", arg, "` must be one number above 0 and below 1."),
              paste0("It is ", describe(x), "."), paste0("Write ", arg, " = 0.15."), call)
}

#' @export
print.compert_molecule_encoder <- function(x, ...) {
  last <- x$history[nrow(x$history), ]
  cli::cat_line("<compert_molecule_encoder> width ", x$width, ", ", x$depth, " rounds of messages")
  cli::cat_line("Trained on ", count_of(x$n_molecules, "molecule"), ", ",
                count_of(nrow(x$history), "epoch"), ": hidden atoms ",
                format(last$loss_atoms, digits = 3), " nats, descriptors ",
                format(last$loss_descriptors, digits = 3), " (mean square of z-scores)")
  invisible(x)
}
