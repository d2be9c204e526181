# How a fit was made, as code for its report.

# The call that made the fit, as far as the fit knows it, with the settings that differ from the defaults.
# What it cannot know, such as files and molecules, stands in <>.
report_call <- function(fit) {
  verb <- fit_verb(fit$meta)
  own <- attr(settings_of_fit(fit), "given")
  # After resume_fit() they are those of all runs.
  own$epochs <- max(fit$meta$settings$epochs, nrow(fit$history))
  if (verb == "read_reference_fit") return(paste0("fit <- ", verb, "(\"<file of export_reference.py>\")"))
  made <- if (verb == "fine_tune") {
    own <- utils::modifyList(own, fit$meta$settings[rate_names])
    code_of(own[setdiff(names(own), c(fixed_settings(), "parity"))])
  } else {
    own <- own[setdiff(names(own), c("loss_ae", "fusion"))]
    paste0("settings = ", call_text(paste0(verb, "_settings"), code_of(own), "    "))
  }
  cells <- c(if (verb == "fine_tune") "<the fit that it starts from>", "x",
             deparse_line(given_columns(fit$meta$keys, "perturbation")))
  paste("fit <-", call_text(verb, c(paste(cells, collapse = ", "), call_arguments(fit, verb), made)))
}

# A fit that went on with the weights of a reference started from them, too.
fit_verb <- function(meta) {
  if (!is.null(meta$transfer)) return("fine_tune")
  if (!is.null(meta$reference)) "read_reference_fit" else meta$model
}

# The named arguments but the settings, as texts of code.
call_arguments <- function(fit, verb) {
  meta <- fit$meta
  keys <- meta$keys
  registry <- meta$registry
  frozen <- meta$settings$frozen %||% ""
  given <- list(
    dose = given_columns(keys, "dose"), dose_unit = registry$dose_unit,
    covariates = if (length(keys$covariates)) keys$covariates, continuous = keys$continuous,
    control = control_names(keys), batch = keys$batch, split = keys$split,
    assay = keys$assay, layer = keys$layer,
    loss = meta$settings$loss_ae, proteins = if (is.null(registry$proteins)) FALSE else keys$proteins,
    # Of an array it is the array's own name.
    protein_assay = if (!all(keys$protein_assay %in% keys$proteins)) keys$protein_assay,
    fusion = meta$settings$fusion,
    dose_transform = if (!identical(registry$dose_transform, pick_dose_transform(NULL, meta$settings))) {
      registry$dose_transform
    },
    genes = meta$transfer$genes,
    freeze = if (nzchar(frozen)) strsplit(frozen, ",", fixed = TRUE)[[1]]
  )
  given <- given[names(given) %in% rlang::fn_fmls_names(get(verb))]
  c(code_of(c(Filter(Negate(is.null), given), if (!identical(keys$sep, "+")) keys["sep"])),
    if (isTRUE(registry$n_features > 0)) {
      paste0("molecules = <", count_of(registry$n_features, "feature"), " of each perturbation>")
    },
    if (length(keys$degs)) paste0("degs = <genes of ", count_of(length(keys$degs), "condition"), ">"))
}

deparse_line <- function(value) paste(deparse(value, width.cutoff = 500L), collapse = "")

code_of <- function(values) paste(names(values), vapply(values, deparse_line, ""), sep = " = ")

# name(
#   argument,
#   argument
# )
call_text <- function(name, arguments, indent = "  ") {
  paste0(name, "(\n", indent, paste(arguments, collapse = paste0(",\n", indent)), "\n",
         substring(indent, 3L), ")")
}

# What the call does not say of itself.
report_call_words <- function(fit) {
  usual <- "The call that made the fit, as far as the fit knows it; what is not named is the package's default."
  switch(fit_verb(fit$meta),
    fine_tune = paste(usual, "The network and its `parity` are those of the fit that it starts from."),
    read_reference_fit = paste0(
      "The fit was read from what ", fit$meta$reference, " saved",
      if (nrow(fit$history)) paste0(", and trained for ", count_of(nrow(fit$history), "epoch"), " by `resume_fit()`"),
      "."),
    usual
  )
}

# The settings of a fit as cpa_settings() gives them; those that differ from the defaults of their `parity`,
# that one, and the seed, count as given.
settings_of_fit <- function(fit) {
  values <- fit$meta$settings
  parity <- values$parity %||% "none"
  table <- core_settings_table(parity, values$model)
  table <- table[table$name %in% intersect(rlang::fn_fmls_names(cpa_settings), names(values)), ]
  usual <- lapply(stats::setNames(table$default, table$name), jsonlite::fromJSON)
  differ <- table$name[!vapply(table$name, function(name) {
    isTRUE(all.equal(values[[name]], usual[[name]]))
  }, NA)]
  given <- union(c(if (parity != "none") "parity", differ), "seed")
  structure(values, class = "compert_settings", given = values[given])
}
