# The K conditions that are asked for, as codes, and the cells that each starts from.

# The conditions as lists and codes. A covariate that is not named is NA here and -1 in the codes:
# every source cell keeps its own level. `open_doses`: see open-doses.R.
make_targets <- function(fit, condition, call = rlang::caller_env(), open_doses = only_dose(fit)) {
  asked <- resolve_conditions(condition, fit$meta$registry, fit$meta$keys, call, open_doses,
                              fit$meta$conditions$doses)
  covariates <- list2DF(asked$covariates, length(asked$parts))
  list(parts = asked$parts, doses = asked$doses, covariates = covariates, label = asked$label,
       design = asked$target, row = asked$row, open = asked$open)
}

# K integer vectors (1-based cells of `screen`), one per condition.
# `source`: "matched", "all", or the user's own choice of cells.
source_cells <- function(fit, screen, targets, source, call = rlang::caller_env()) {
  n <- length(targets$parts)
  if (!is.character(source) || !identical(source, "matched") && !identical(source, "all")) {
    return(rep(list(chosen_cells(screen, source, call)), n))
  }
  controls <- which(screen$control)
  if (length(controls) == 0L) {
    abort_input(
      "`newdata` must hold control cells, the cells that predictions start from.",
      paste0("None of its ", count(ncol(screen$x)), " cells is a control."),
      "Give the cells to start from by `source = `, a vector of cell names or numbers.", call
    )
  }
  if (identical(source, "all")) return(rep(list(controls), n))
  cells <- matched_cells(screen, controls, targets$covariates, condition_covariates(fit))
  stop_unmatched(cells, targets, screen, call)
  cells
}

check_state_condition <- function(condition, source, which, call = rlang::caller_env()) {
  if (is.null(condition) && !identical(source, "matched")) {
    abort_input("`source` must come with a `condition`.", "There is none.",
                "Leave `source` out, and give the cells in question as `x`.", call)
  }
  if (is.null(condition) || which != "basal") return(invisible())
  abort_input("`condition` must be left out for `which = \"basal\"`: basal states do not depend on it.",
              "It was given.", "Write which = \"treated\", or leave `condition` out.", call)
}

# The latent states of the source cells under each condition, with the names and the description that predictions have.
embed_targets <- function(fit, screen, targets, cells, which, parts, call = rlang::caller_env()) {
  own <- source_screen(fit, decoded_start(fit, screen, targets, parts$without), cells, call)
  z <- with_core_errors(
    core_embed_targets(fit$state, own$x, own$design, targets$design, own$sources, parts$perturbation, parts$without),
    call = call
  )
  about <- describe_cells(fit, screen, targets, cells)
  structure(name_embedding(t(z), rownames(about), which), col_data = about)
}

# Among `pool`, the cells whose covariates are those asked for; NA asks for any level. Conditions that ask for the
# same share one vector: thousands of them start from the same controls.
matched_cells <- function(screen, pool, asked, names) {
  names <- intersect(names, names(asked))
  place <- if (length(names)) row_codes(asked[names]) else rep(1L, nrow(asked))
  cells <- lapply(which(!duplicated(place)), function(k) {
    keep <- rep(TRUE, length(pool))
    for (name in names) {
      level <- asked[[name]][k]
      if (!is.na(level)) keep <- keep & screen$covariates[[name]][pool] == level
    }
    pool[keep]
  })
  cells[place]
}

stop_unmatched <- function(cells, targets, screen, call) {
  empty <- which(lengths(cells) == 0L)
  if (length(empty) == 0L) return(invisible())
  asked <- unique(vapply(empty, function(k) {
    levels <- targets$covariates[k, names(screen$covariates), drop = FALSE]
    levels <- levels[!is.na(levels)]
    paste0("\"", paste(unlist(levels), collapse = "\", \""), "\"")
  }, ""))
  abort_input(
    "`newdata` must hold control cells with the covariates of every condition.",
    paste0("There is none for ", paste(utils::head(asked, 5L), collapse = "; "), "."),
    "Leave the covariate out, use `source = \"all\"`, or name the cells to start from.", call
  )
}

# The user's own vector of cells: logical, numbers or names.
chosen_cells <- function(screen, source, call) {
  n <- ncol(screen$x)
  cells <- if (is.logical(source) && length(source) == n && !anyNA(source)) {
    which(source)
  } else if (is.character(source)) {
    match(source, colnames(screen$x))
  } else if (is.numeric(source) && !is.object(source)) {
    ifelse(source >= 1 & source <= n & source == round(source), source, NA)
  }
  if (length(cells) == 0L || anyNA(cells)) {
    bad <- if (is.character(source)) source[is.na(cells)]
    abort_input(
      "`source` must be \"matched\", \"all\", or a vector of cells (names, numbers, TRUE/FALSE).",
      if (length(bad)) paste0("Not cells of `newdata`: ", name_list(bad), ".")
      else paste0("It is ", describe(source), " and `newdata` has ", count(n), " cells."),
      "Cell names are the column names of `newdata`.", call
    )
  }
  as.integer(cells)
}
