# Settings completed and checked by the core, their JSON, and how they print.

# Completed by the core from the values that were given; these are remembered for resume and print.
new_settings <- function(given, verbose = NULL, call = rlang::caller_env()) {
  check_count(given[["seed"]], "seed", min = 0, null_ok = TRUE, call = call)
  for (name in names(given)) check_setting(given[[name]], name, call)
  file <- given[["checkpoint"]]
  if (is.character(file)) given[["checkpoint"]] <- path.expand(file)
  complete <- jsonlite::fromJSON(with_core_errors(core_settings(settings_json(given)), call,
                                                  todo = print_settings_hint()))
  if (is.null(given[["seed"]])) complete["seed"] <- list(NULL)
  structure(c(complete, list(verbose = verbose)), given = given, class = "compert_settings")
}

# Settings of one of the models, given by name. `arguments`: those of a verb that takes settings in `...`.
model_settings <- function(model, given, verbose, call = rlang::caller_env(), arguments = NULL) {
  given <- Filter(Negate(is.null), given)
  known <- setdiff(rlang::fn_fmls_names(cpa_settings), c("...", "verbose"))
  names <- rlang::names2(given)
  wrong <- names[!names %in% known]
  if (length(wrong) > 0) {
    abort_input(
      "Settings must be given by name.",
      if (nzchar(wrong[1])) paste0(dQuote(wrong[1], FALSE), " is no setting.") else "One has no name.",
      paste0(if (nzchar(wrong[1])) setting_named(wrong[1], known, arguments), "See ?cpa_settings for every setting."),
      call)
  }
  twice <- names[duplicated(names)]
  if (length(twice)) {
    abort_input("Settings must be given by name, each once.", paste0(dQuote(twice[1L], FALSE), " is there twice."),
                "Leave one of them out.", call)
  }
  check_flag(verbose, "verbose", null_ok = TRUE, call = call)
  new_settings(c(given, list(model = model)), verbose, call)
}

print_settings_hint <- function() "See ?cpa_settings for every setting and its default."

# One value of one setting, whatever the others are.
check_value <- function(value, name, call) {
  check_setting(value, name, call)
  if (name == "seed") check_count(value, name, min = 0, call = call)
  with_core_errors(core_check_values(settings_json(rlang::set_names(list(value), name))), call,
                   todo = print_settings_hint())
}

check_setting <- function(value, name, call) {
  plain <- is.numeric(value) || is.character(value) || is.logical(value)
  if (plain && !is.object(value) && length(value) == 1 && !is.na(value)) return(invisible())
  abort_input(paste0("`", name, "` must be one number, one text, or TRUE or FALSE."),
              paste0("It is ", describe(value), "."),
              print_settings_hint(), call = call)
}

# Settings as the JSON object that the core reads. Numbers are written in full: jsonlite stops at 15
# digits.
settings_json <- function(settings) {
  values <- unclass(settings)
  values <- Filter(Negate(is.null), values[setdiff(names(values), "verbose")])
  if (length(values) == 0) return("{}")
  text <- vapply(values, function(v) {
    if (is.numeric(v) && is.finite(v)) return(sprintf("%.17g", v))
    as.character(jsonlite::toJSON(v, auto_unbox = TRUE))
  }, "")
  paste0("{", paste0("\"", names(values), "\":", text, collapse = ","), "}")
}

# `models`: those whose settings are taken.
check_settings <- function(settings, models, call = rlang::caller_env()) {
  some <- inherits(settings, "compert_settings")
  if (some && settings$model %in% models) return(invisible())
  makers <- paste0("`", models, "_settings()`")
  last <- length(makers)
  if (last > 1) makers <- paste(paste(makers[-last], collapse = ", "), "or", makers[last])
  abort_input(paste0("`settings` must come from ", makers, "."),
              if (some) paste0("They are those of model ", dQuote(settings$model, FALSE), ".") else
                paste0("It is ", describe(settings), "."),
              settings_advice(settings, models[1]), call = call)
}

settings_advice <- function(settings, model) {
  if (inherits(settings, "compert_tuning")) return("Write settings = found$best_settings.")
  write <- paste0("Write settings = ", model, "_settings(epochs = 100, ...).")
  if (!inherits(settings, "compert_fit")) return(write)
  c("Of a search, give found$best_settings: found$best is the fit.", write)
}

# The likelihood of a run, by its argument or the settings, which must not contradict each other; NULL leaves it
# to the cells.
agreed_loss <- function(settings, loss, call = rlang::caller_env()) {
  if (settings$model == "scgen") return("gauss")
  set <- attr(settings, "given")[["loss_ae"]]
  if (!is.null(set) && !is.null(loss) && set != loss) {
    abort_input("`loss` and `loss_ae` of the settings must agree.",
                paste0("They are ", dQuote(loss, FALSE), " and ", dQuote(set, FALSE), "."),
                "Give one of the two only.", call = call)
  }
  loss %||% set %||% if (identical(settings$parity, "theislab")) settings$loss_ae
}

#' @export
print.compert_settings <- function(x, ...) {
  model <- x$model %||% "cpa"
  table <- core_settings_table(x$parity %||% "none", model)
  table <- table[table$name %in% setdiff(names(formals(cpa_settings)), "..."), , drop = FALSE]
  given <- names(attr(x, "given"))
  foreign <- setdiff(foreign_settings(model), given)
  hidden <- table$name %in% foreign
  table <- table[!hidden, , drop = FALSE]
  value <- vapply(table$name, function(name) setting_text(x[[name]], name, table), "")
  cli::cat_line("<settings of compert>  (* = given here, the rest are defaults)")
  cli::cat_line(paste0(ifelse(table$name %in% given, "* ", "  "), format(table$name), "  ", format(value),
                       "  ", table$meaning))
  cli::cat_line("  ", format("verbose", width = max(nchar(table$name))), "  ",
                format(x$verbose %||% "NULL", width = max(nchar(value))),
                "  progress bar and messages")
  if (any(hidden)) cli::cat_line("Not shown, of other models: ", paste(foreign, collapse = ", "))
  invisible(x)
}

# Settings that act in one model only.
own_settings <- list(multicpa = c("fusion", "protein_loss", "protein_background", "recon_weight_pro"),
                     chemcpa = c("molecule_width", "molecule_depth", "use_drugs_idx"))

foreign_settings <- function(model) unlist(own_settings[setdiff(names(own_settings), model)], use.names = FALSE)

# The value, beside its default where it is another one.
setting_text <- function(value, name, table) {
  text <- function(v) if (identical(v, "")) "none" else format(v, digits = 15)
  if (is.null(value)) return("drawn at the fit")
  if (name == "seed") return(text(value))
  usual <- jsonlite::fromJSON(table$default[table$name == name])
  if (text(value) == text(usual)) text(value) else paste0(text(value), " (default ", text(usual), ")")
}
