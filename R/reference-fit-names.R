# Names for the weights of a reference, from its exported file or as they are given.

# list(genes, perturbations, covariates, control, and proteins where the model has any), perturbations and levels in
# the order of their codes.
export_names <- function(about, given, call) {
  given <- with_known_proteins(about, given, call)
  levels <- as.integer(about$covariate_levels)
  columns <- as.character(about$keys$covariates)
  out <- either_names(about, given, levels, columns, call)
  check_named_levels(out$covariates, columns, call)
  out$covariates <- lapply(out$covariates[columns], function(x) level_names(if (is.numeric(x)) sort(x) else x))
  check_strings(out$control, "control", null_ok = FALSE, call = call)
  sizes <- c(list(genes = about$n_genes, perturbations = about$n_perturbations),
             if ("proteins" %in% names(given)) list(proteins = about$n_proteins),
             rlang::set_names(as.list(levels), sprintf("covariates$%s", columns)))
  values <- c(out[intersect(names(sizes), names(out))],
              rlang::set_names(out$covariates, sprintf("covariates$%s", columns)))
  for (name in names(sizes)) check_n_names(values[[name]], sizes[[name]], name, call)
  check_choice(out$control, out$perturbations, "control", call)
  in_order <- function(x) x[order(encoded_names(x, about$reference), method = "radix")]
  if (!is.null(given$perturbations)) out$perturbations <- in_order(out$perturbations)
  texts <- columns[!vapply(given$covariates[columns], is.numeric, NA)]
  if (!is.null(given$covariates)) {
    for (name in texts) stop_unclear_order(out$covariates[[name]], name, in_order, call)
    out$covariates[texts] <- lapply(out$covariates[texts], in_order)
  }
  out
}

# `proteins` belongs to models of both.
with_known_proteins <- function(about, given, call) {
  if (isTRUE(about$n_proteins > 0)) return(given)
  if (is.null(given$proteins)) return(given[setdiff(names(given), "proteins")])
  abort_input("`proteins` must be left out: the model has none.", paste0("It is ", describe(given$proteins), "."),
              "Leave it out.", call)
}

# Each of the names as it is given, or as the file has it: one of the two.
either_names <- function(about, given, levels, columns, call) {
  about$covariates <- if (length(levels) == 0L) list() else about$covariates
  known <- about[names(given)]
  twice <- names(given)[!vapply(given, is.null, NA) & !vapply(known, is.null, NA)]
  if (length(twice)) {
    abort_input(paste0("`", twice[1], "` must be left out: the file has the names."),
                paste0("It is ", describe(given[[twice[1]]]), "."), "Leave it out.", call)
  }
  missing <- names(given)[vapply(given, is.null, NA) & vapply(known, is.null, NA)]
  if (length(missing)) {
    abort_input(paste0(paste0("`", missing, "`", collapse = ", "), " must be given: the file has no such names."),
                paste0("It has ", count_of(about$n_genes, "gene"), ", ",
                       if (isTRUE(about$n_proteins > 0)) paste0(count_of(about$n_proteins, "protein"), ", "),
                       about$n_perturbations,
                       " perturbations with the control",
                       if (length(levels)) paste0(", and ", paste0(vapply(levels, count_of, "", "level"), " of ",
                                                                   dQuote(columns, FALSE), collapse = ", ")), "."),
                "Give them, or export the model again with `--data` and the training data.", call)
  }
  known <- rapply(known, as_names, "character", how = "replace")
  rlang::set_names(lapply(names(given), function(name) given[[name]] %||% known[[name]]), names(given))
}

# Numbers that are texts here may have been numbers to the reference, in another order.
stop_unclear_order <- function(levels, name, in_order, call) {
  number <- suppressWarnings(as.numeric(levels))
  if (anyNA(number) || identical(levels[order(number)], in_order(levels))) return(invisible())
  abort_input(paste0("`covariates$", name, "` must be numbers if they were numbers to the reference."),
              paste0("They are texts, whose order is another: ", name_list(in_order(levels)), "."),
              "Give numbers; or, where they were texts, export the model again with `--data`.", call)
}

# The names as the reference sorts them: facebookresearch/CPA first writes "-" for "_".
encoded_names <- function(x, reference) {
  enc2utf8(if (reference == "facebookresearch/CPA") gsub("_", "-", x, fixed = TRUE) else x)
}

check_named_levels <- function(covariates, columns, call) {
  if (is.list(covariates) && setequal(rlang::names2(covariates), columns)) return(invisible())
  abort_input("`covariates` must be a list with the levels of every covariate of the model.",
              paste0("It has ", name_list(names(covariates)), "; the model has ", name_list(columns), "."),
              paste0("Write covariates = list(", paste0(columns, " = c(\"...\")", collapse = ", "), ")."), call)
}

check_n_names <- function(names, n, arg, call) {
  check_strings(names, arg, null_ok = FALSE, call = call)
  if (length(names) == n) return(invisible())
  abort_input(paste0("`", arg, "` must have as many names as the model (", n, ")."),
              paste0("It has ", length(names), "."), "Give all of them, as the training data had them.", call)
}
