# The second modality of a screen: surface proteins (or whatever else was measured beside the genes).
#
# A screen of both has `proteins`, a matrix of proteins x cells with 0 where a cell lacks them, and
# `measured`, per cell 1 (RNA), 2 (proteins) or 3 (both). The core takes one matrix, genes first.

rna_only <- 1L
proteins_only <- 2L
both_modalities <- 3L

# Per cell, whether proteins were measured.
has_proteins <- function(screen) bitwAnd(screen$measured, proteins_only) > 0L

# The screen with its second modality.
add_proteins <- function(screen, second) {
  if (is.null(second)) return(screen)
  if (is.null(second$x)) {  # cells of RNA alone, for a fit of both
    names <- screen$keys$of_fit$proteins
    screen$proteins <- matrix(0, length(names), ncol(screen$x), dimnames = list(names, colnames(screen$x)))
    screen$measured <- rep(rna_only, ncol(screen$x))
    screen$without_proteins <- TRUE
    return(screen)
  }
  screen$proteins <- second$x
  screen$measured <- second$measured
  screen$protein_counts <- second$counts
  screen$keys$proteins <- if (identical(second$place, "rows")) rownames(second$x) else second$place
  in_assay <- !identical(second$place, "rows") && is.character(second$assay)
  screen$keys["protein_assay"] <- list(if (in_assay) second$assay)
  screen$keys$protein_loss <- second$loss
  screen
}

# Proteins of new cells with the rows of the fit. `from`: the modality that was asked for, see check_from().
match_proteins <- function(screen, fit, from = "all", call = rlang::caller_env()) {
  names <- fit$meta$registry$proteins
  if (is.null(names)) return(screen)
  at <- match_feature_names(names, rownames(screen$proteins))
  if (anyNA(at)) {
    abort_input("`newdata` must have the proteins that the model was trained on.",
                paste0("It lacks ", name_list(names[is.na(at)]), "."),
                "Proteins are matched by name.", call = call)
  }
  if (!identical(names, rownames(screen$proteins))) {
    screen$proteins <- screen$proteins[at, , drop = FALSE]
    rownames(screen$proteins) <- names
  }
  check_fusion(screen, fit$meta$settings$fusion, call)
  if (from != "rna" && isTRUE(screen$without_proteins)) {
    cli::cli_warn(c(as_called("`newdata` has no proteins: its cells are taken by their RNA alone.", call),
                    i = "Proteins are looked for under the names of the fit's training data."),
                  call = call, class = "compert_rna_only")
  }
  warn_other_proteins(screen, fit$meta, call)
  screen
}

# The Gaussian takes values of any scale: raw counts where those of training were normalised, say.
warn_other_proteins <- function(screen, meta, call) {
  before <- meta$protein_counts
  if (meta$settings$protein_loss != "gauss" || is.null(before)) return(invisible())
  if (identical(screen$protein_counts, before) || all(screen$proteins == 0)) return(invisible())
  are <- function(counts) if (counts) "whole numbers" else "no whole numbers"
  must <- "Proteins of `newdata` should be on the scale of those of training, which were {are(before)}."
  cli::cli_warn(c(as_called(must, call),
                  "x" = "They are {are(!before)}.",
                  i = paste("What the fit tells of other values means nothing. An array of `obsm` has one",
                            "kind of values, which may be other than the assay of the training.")),
                call = call, class = "compert_other_scale")
}

check_fusion <- function(screen, fusion, call) {
  lacking <- sum(screen$measured != both_modalities)
  if (!identical(fusion, "concat") || lacking == 0) return(invisible())
  abort_input("Cells must have both modalities for a fit with fusion = \"concat\".",
              paste0(count_of(lacking, "cell"), " of ", length(screen$measured), " lack",
                     if (lacking == 1) "s", " proteins."),
              "Fit with fusion = \"poe\", which takes cells that lack one of them.", call = call)
}

# `from` as "all", "rna" or "proteins", where the fit takes cells by one modality.
check_from <- function(fit, from, call = rlang::caller_env()) {
  from <- check_choice(from, c("all", "rna", "proteins"), "from", call)
  none <- is.null(fit$meta$registry$proteins)
  if (from == "all" || !none && identical(fit$meta$settings$fusion, "poe")) return(from)
  of <- if (none) "fit of RNA alone" else if (is_baseline(fit)) "baseline" else "fit with fusion = \"concat\""
  abort_input(paste0("`from` must be \"all\" for a ", of, "."), paste0("It is \"", from, "\"."),
              "multicpa() with fusion = \"poe\" makes a fit that takes cells by one modality.", call)
}

# Cells of which only the modality `from` is to be used, see check_from().
use_modality <- function(screen, from, call = rlang::caller_env(), noun = "cell") {
  if (from == "all") return(screen)
  keep <- if (from == "rna") rna_only else proteins_only
  lacking <- bitwAnd(screen$measured, keep) == 0L
  if (any(lacking)) {
    abort_input(paste0("`from = \"", from, "\"` must go with ", noun, "s that have that modality."),
                paste0(count_of(sum(lacking), noun), if (sum(lacking) == 1) " lacks" else " lack", " it."),
                "Leave these cells out.", call = call)
  }
  screen$measured <- rep(keep, length(screen$measured))
  screen
}

# The cells that have proteins, with these in place of the genes.
proteins_as_genes <- function(screen) {
  screen <- subset_screen(screen, which(has_proteins(screen)))
  screen$x <- if (screen$protein_counts) log1p(screen$proteins) else screen$proteins
  screen$scale <- "other"
  screen
}

# Genes and proteins as the core takes them.
core_rows <- function(screen) {
  if (is.null(screen$proteins)) return(screen$x)
  if (methods::is(screen$x, "dgCMatrix")) return(methods::rbind2(screen$x, as_sparse(screen$proteins)))
  rbind(screen$x, screen$proteins)
}

# The two parts of what the core returns, rows by cells or conditions.
gene_rows <- function(registry, values) {
  if (is.null(registry$proteins)) return(values)
  values[seq_along(registry$genes), , drop = FALSE]
}
protein_rows <- function(registry, values) {
  values[length(registry$genes) + seq_along(registry$proteins), , drop = FALSE]
}

# ", 49 proteins (ADT, nb_mixture)" of a screen of both.
protein_text <- function(screen) {
  if (is.null(screen$proteins)) return("")
  lacking <- sum(screen$measured != both_modalities)
  place <- screen$keys$proteins
  paste0(" and ", count_of(nrow(screen$proteins), "protein"), " (",
         if (length(place) == 1L) paste0(place, ", "), screen$keys$protein_loss,
         if (lacking > 0) paste0("; ", count_of(lacking, "cell"), " without"), ")")
}

# `keys` with where the proteins are, as verbs of both modalities take it; `FALSE` for the RNA alone.
with_protein_keys <- function(keys, proteins, protein_loss, protein_assay, call = rlang::caller_env()) {
  if (identical(proteins, FALSE)) {
    given <- c("protein_loss", "protein_assay")[c(!is.null(protein_loss), !is.null(protein_assay))]
    if (length(given) == 0L) return(keys)
    abort_input(paste0("`", given[1L], "` must be left out for the RNA alone."), "`proteins` is `FALSE`.",
                "Say where the proteins are by `proteins`; `NULL` looks for the usual names.", call)
  }
  if (isTRUE(proteins)) {
    abort_input("`proteins` must be names, `NULL` or `FALSE`.", "It is `TRUE`.",
                "Write `proteins = NULL`, which looks for the usual names, or name the place.", call)
  }
  if (is.numeric(proteins) || length(dim(proteins)) == 2L) {
    abort_input("`proteins` must name where the proteins of `x` are.", paste0("It is ", describe(proteins), "."),
                "Bind them to the genes: x = rbind(genes, proteins), proteins = rownames(proteins).", call)
  }
  check_strings(proteins, "proteins", call = call)
  keys$proteins <- proteins %||% ""
  if (!is.null(protein_loss)) check_choice(protein_loss, c("nb_mixture", "nb", "gauss"), "protein_loss", call)
  keys[c("protein_loss", "protein_assay")] <- list(protein_loss, protein_assay)
  keys
}
