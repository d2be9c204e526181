# Settings completed and checked by the core, their JSON, and how they print.

# Completed by the core from the values that were given; these are remembered for resume and print.
new_settings <- function(given, verbose = NULL, call = rlang::caller_env()) {
  check_count(given[["seed"]], "seed", min = 0, null_ok = TRUE, call = call)
  for (name in names(given)) check_setting(given[[name]], name, call)
  file <- given[["checkpoint"]]
  if (is.character(file)) given[["checkpoint"]] <- path.expand(file)
  complete <- jsonlite::fromJSON(with_core_errors(
    core_settings(settings_json(given)), call,
    todo = "Print cpa_settings() to see every setting with its default."
  ))
  if (is.null(given[["seed"]])) complete["seed"] <- list(NULL)
  structure(c(complete, list(verbose = verbose)), given = given, class = "compert_settings")
}

check_setting <- function(value, name, call) {
  plain <- is.numeric(value) || is.character(value) || is.logical(value)
  if (plain && !is.object(value) && length(value) == 1 && !is.na(value)) return(invisible())
  abort_input(paste0("`", name, "` must be one number, one text, or TRUE or FALSE."),
              paste0("It is ", describe(value), "."),
              "Print cpa_settings() to see every setting with its default.", call = call)
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

check_settings <- function(settings, arg = "settings", call = rlang::caller_env()) {
  if (inherits(settings, "compert_settings")) return(invisible())
  abort_input(paste0("`", arg, "` must come from `cpa_settings()`."),
              paste0("It is ", describe(settings), "."),
              "Write settings = cpa_settings(epochs = 100, ...).", call = call)
}

# The settings of a run: `loss` laid over them; the two must not contradict each other.
settings_with_loss <- function(settings, loss, call = rlang::caller_env()) {
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
  table <- core_settings_table(x$parity %||% "none", x$model %||% "cpa")
  value <- vapply(table$name, function(name) {
    v <- x[[name]]
    if (is.null(v)) "drawn at the fit" else if (identical(v, "")) "none" else format(v, digits = 15)
  }, "")
  given <- table$name %in% names(attr(x, "given"))
  cli::cat_line("<settings of compert>  (* = given here, the rest are defaults)")
  cli::cat_line(paste0(ifelse(given, "* ", "  "), format(table$name), "  ", format(value), "  ",
                       table$meaning))
  cli::cat_line("  ", format("verbose", width = max(nchar(table$name))), "  ",
                format(x$verbose %||% "NULL", width = max(nchar(value))),
                "  progress bar and messages")
  invisible(x)
}
