# What a fit took over from the one that it started from.

# The core's table by part of the network.
transfer_parts <- function(table) {
  part <- ifelse(grepl("henc_|hdec_", table$name), "layers for other genes", sub("[._].*", "", table$name))
  part <- ifelse(grepl("^(drug_embedding_encoder|molecule_network)", table$name), "molecule encoder",
          ifelse(grepl("^drug_embeddings", table$name), "perturbation embeddings",
          ifelse(grepl("^covariates", table$name), "covariate embeddings",
          ifelse(grepl("^continuous", table$name), "continuous covariates", part))))
  data <- c("perturbation", "mean")  # features and totals are data of the new cells
  use <- !part %in% data
  sums <- rowsum(cbind(values = table$values, kept = table$kept, frozen = table$frozen)[use, , drop = FALSE],
                 part[use])
  state <- ifelse(sums[, "kept"] == 0, "new",
                  ifelse(sums[, "kept"] < sums[, "values"], "partly kept", "kept"))
  data.frame(part = rownames(sums), values = sums[, "values"], kept = sums[, "kept"],
             state = paste0(state, ifelse(sums[, "frozen"] > 0, ", frozen", "")), row.names = NULL)
}

# What is new in a frozen part is not trained either.
warn_frozen_new <- function(transfer, call = rlang::caller_env()) {
  random <- grepl("frozen", transfer$state) & transfer$kept < transfer$values
  if (!any(random)) return(invisible())
  new <- vapply(transfer$values[random] - transfer$kept[random], count, "")
  cli::cli_warn(c(
    "What `freeze` keeps should all come from the earlier fit.",
    x = escape_braces(paste0("New are ", paste0(new, " values of ", transfer$part[random], collapse = ", "), ".")),
    i = "They are of perturbations, levels or genes that it lacks, and stay as they were drawn: random.",
    i = "Leave the part out of `freeze`, or the new ones out of `x`."
  ), call = call, class = "compert_frozen_new")
}

gene_report <- function(meta) {
  t <- meta$transfer
  # Of many only the first are kept in the fit.
  some <- utils::head(unlist(t$unmatched), 6L)
  more <- t$of - t$matched - length(some)
  paste0(count(t$matched), " of ", count_of(t$of, "gene"), " known to the earlier fit",
         if (length(some)) paste0(" (not: ", name_list(some), if (more > 0) paste0(" and ", count(more), " more"), ")"),
         if (t$genes == "append") "; layers for the genes of `x` are appended", ".")
}

#' @rdname fine_tune
#' @export
transfer_table <- function(fit) {
  validate_fit(fit)
  t <- fit$meta$transfer
  if (is.null(t)) {
    abort_input("`fit` must come from `fine_tune()`.", "It was fitted from the beginning.",
                "Nothing was taken over from another fit.")
  }
  tibble::tibble(part = as.character(t$part), values = as.double(t$values),
                 kept = as.double(t$kept), state = as.character(t$state))
}

# Lines of the printed fit.
format_transfer <- function(meta) {
  t <- meta$transfer
  if (is.null(t)) return(NULL)
  paste0("Starts from:   an earlier fit; ", paste0(t$part, " ", t$state, collapse = ", "))
}
