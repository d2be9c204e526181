# What cells are, beside their perturbation: levels of covariates (the batch is one), and numbers of
# continuous covariates, which the model reads centred and scaled.

# Covariates (the batch last), continuous covariates and split of the cells.
read_design <- function(cells, keys) {
  table <- cells$col_data
  single <- single_values(table, c(covariate_names(keys), keys$continuous), colnames(cells$x))
  # Of a matrix, which is a defect, one column.
  of <- function(columns, read) {
    list2DF(lapply(table[columns], function(v) read(if (NCOL(v) == 1L) v else v[, 1L])), nrow(table))
  }
  covariates <- of(covariate_names(keys), level_names)
  continuous <- of(keys$continuous, function(v) if (is.numeric(v)) as.vector(v) else rep(NA_real_, nrow(table)))
  missing <- lapply(names(covariates), function(name) {
    hit <- which(is.na(covariates[[name]]))
    if (length(hit) == 0) return(NULL)
    new_defect("missing covariate", "Covariates must have a value for every cell.",
               paste0("Cell ", dQuote(colnames(cells$x)[hit[1]], FALSE), " has no ",
                      dQuote(name, FALSE), and_more(length(hit)), "."),
               "Name the level (\"unknown\" is one) or leave the cell out.", n = length(hit))
  })
  split <- if (!is.null(keys$split)) read_split(table[[keys$split]], keys$split, keys$of_fit$split_todo)
  known <- ncol(covariates) == 0 | stats::complete.cases(covariates)
  list(covariates = covariates, continuous = if (length(continuous)) continuous, split = split$value,
       ok = Reduce(`&`, lapply(continuous, is.finite), single$ok & known),
       defects = bind_defects(single$defects, missing, continuous_defects(table[keys$continuous], colnames(cells$x)),
                              split$defects))
}

continuous_defects <- function(values, names) {
  lapply(names(values), function(name) {
    v <- values[[name]]
    if (!is.numeric(v)) {
      return(new_defect("continuous covariate", paste0("`", name, "` must hold numbers: it is a continuous covariate."),
                        paste0("It is ", describe(v), "."),
                        "Name it in `covariates` if it has levels; as.numeric() makes numbers of times."))
    }
    hit <- which(!is.finite(v))
    if (length(hit) == 0) return(NULL)
    new_defect("continuous covariate", "Continuous covariates must have a finite value for every cell.",
               paste0("Cell ", dQuote(names[hit[1]], FALSE), " has ", name, " = ", v[hit[1]],
                      and_more(length(hit)), "."),
               "Leave these cells out, or put a value in.", n = length(hit))
  })
}

# Of training cells. What has one value teaches nothing; what has one in each group is not told from the groups.
constant_defects <- function(screen) {
  train <- if (is.null(screen$split)) rep(TRUE, length(screen$control)) else screen$split == "train"
  if (!any(train)) return(NULL)
  groups <- c(list(perturbations = screen$code), screen$covariates)
  what <- c("perturbations", paste0("levels of `", names(screen$covariates), "`", recycle0 = TRUE))
  lapply(names(screen$continuous), function(name) {
    value <- screen$continuous[[name]][train]
    if (length(unique(value)) == 1L) {
      return(new_defect("constant covariate", paste0("`", name, "` must vary between training cells."),
                        paste0("It is ", format(value[1L]), " in all of them."), "Leave it out."))
    }
    pairs <- vapply(groups, function(of) sum(!duplicated(row_codes(list(of[train], value)))), 0L)
    one <- which(pairs == vapply(groups, function(of) length(unique(of[train])), 0L))
    if (length(one) == 0L) return(NULL)
    new_defect("confounded", paste0("`", name, "` should vary within ", what[one[1L]], "."),
               "It has one value in each.", "Its effect cannot be told from theirs: leave one of the two out.",
               severity = "warning")
  })
}

# No reference has any.
check_continuous <- function(keys, settings, call = rlang::caller_env()) {
  if (length(keys$continuous) == 0L || settings$parity == "none") return(invisible())
  abort_input(paste0("`continuous` must be left out with parity ", dQuote(settings$parity, FALSE), "."),
              paste0("It is ", name_list(keys$continuous), "."),
              "Bin the numbers (cut() does) and name the column in `covariates`.", call)
}

# By name: centre and scale of the training cells, and their range.
continuous_scaling <- function(screen) {
  train <- screen$split %in% "train"
  lapply(screen$continuous, function(v) {
    v <- as.double(v[train])
    spread <- stats::sd(v)
    c(mean(v), if (isTRUE(spread > 0)) spread else 1, range(v))
  })
}

# Values of n rows as the core reads them, covariates x n; one that is not given, or NA, is NA: "as in the
# cell".
encode_continuous <- function(registry, values, n) {
  known <- registry$continuous
  if (length(known) == 0L) return(NULL)
  scaled <- Map(function(name, at) (as.double(values[[name]] %||% rep(NA_real_, n)) - at[1L]) / at[2L],
                names(known), known)
  list(continuous = matrix(unlist(scaled), length(known), n, byrow = TRUE))
}

# Cells of like values, 0, 1, ...: each value by itself where there are few, else as many cells in each.
continuous_bins <- function(screen) {
  if (length(screen$continuous) == 0L) return(NULL)
  train <- screen$split %in% "train"
  most <- if (length(screen$continuous) == 1L) 4L else 2L
  bins <- lapply(screen$continuous, function(v) {
    values <- sort(unique(v[train]))
    cuts <- if (length(values) <= most) values[-1L] - diff(values) / 2 else
      unique(stats::quantile(v[train], seq_len(most - 1L) / most, names = FALSE))
    findInterval(v, cuts)
  })
  list(bin = row_codes(bins) - 1L)
}

# Per set of cells (numbers) the means of the continuous covariates.
continuous_means <- function(screen, cells) {
  lapply(screen$continuous, function(v) vapply(cells, function(i) mean(v[i]), 0, USE.NAMES = FALSE))
}

# Numbers that a condition names; condition() keeps them as texts.
condition_numbers <- function(x, name, call = rlang::caller_env()) {
  value <- suppressWarnings(as.double(as.character(x)))
  bad <- which(!is.finite(value) & !is.na(x))
  if (length(bad) == 0L) return(value)
  abort_input(paste0("Covariate ", dQuote(name, FALSE), " of a condition must be a finite number: it is continuous."),
              paste0("It is ", dQuote(x[bad[1L]], FALSE), "."), paste0("Write ", name, " = 1."), call)
}

# One warning for values outside what training saw.
warn_continuous_range <- function(fit, targets, call = rlang::caller_env()) {
  known <- fit$meta$registry$continuous
  if (length(known) == 0L) return(invisible())
  out <- lapply(rlang::set_names(names(known)), function(name) {
    range <- known[[name]][3:4]
    slack <- 1e-8 * diff(range)
    asked <- unique(targets$covariates[[name]])
    asked[!is.na(asked) & (asked < range[1L] - slack | asked > range[2L] + slack)]
  })
  if (sum(lengths(out)) == 0L) return(invisible())
  trained <- vapply(known, function(range) paste("trained from", paste(format_dose(range[3:4]), collapse = " to ")), "")
  warn_extrapolation("values", paste(rep(names(out), lengths(out)), "="), as.character(unlist(out)),
                     rep(trained, lengths(out)), call)
}

# One warning, with a line for what has the same `subject` and the same range.
warn_extrapolation <- function(what, subject, values, trained, call) {
  line <- paste(subject, trained, sep = "\r")
  first <- which(!duplicated(line))
  several <- vapply(base::split(values, factor(line, line[first])), short_list, "")
  lines <- paste0(subject[first], " ", several, ": ", trained[first])
  more <- length(lines) - 5L
  bullets <- escape_braces(c(utils::head(lines, 5L), if (more > 0L) paste(count(more), "more")))
  cli::cli_warn(c(paste("Some", what, "lie outside the trained range; predictions there are extrapolations."),
                  stats::setNames(bullets, rep("x", length(bullets)))), call = call, class = "compert_extrapolation")
}


# Values of continuous covariates that a response is asked for at, as a named list; NULL for none.
check_values <- function(fit, continuous, space, call = rlang::caller_env()) {
  if (is.null(continuous)) return(NULL)
  if (space == "latent") {
    abort_input("`continuous` must be left out for `space = \"latent\"`.", "It was given.",
                "Write space = \"genes\": h does not depend on covariates.", call)
  }
  known <- names(fit$meta$registry$continuous)
  if (is_baseline(fit) || length(known) == 0L) {
    abort_input("`continuous` must be left out where the fit has no continuous covariates.",
                if (is_baseline(fit)) "It is a baseline, which reads none." else "It has none.",
                "Leave it out, and give the cells in question only.", call)
  }
  names <- rlang::names2(continuous)
  good <- is.numeric(continuous) || is.list(continuous) && all(vapply(continuous, is.numeric, NA))
  values <- if (good) unlist(continuous)
  good <- good && length(values) > 0L && all(lengths(continuous) > 0L) && all(is.finite(values))
  if (good && all(names %in% known) && !anyDuplicated(names)) return(lapply(as.list(continuous), unique))
  abort_input("`continuous` must hold finite numbers, named by continuous covariates of the fit, each once.",
              paste0("It is ", describe(continuous), if (good) {
                if (all(nzchar(names))) paste0(", with the names ", name_list(names)) else ", without a name for each"
              }, "."),
              paste0("Write continuous = c(", known[1L], " = 1), or list(", known[1L], " = c(1, 2)) for several; the ",
                     "names are ", name_list(known), "."), call)
}

# Every row of `places` with every combination of values behind it.
at_values <- function(places, values) {
  if (is.null(values)) return(places)
  values <- expand.grid(rev(values), KEEP.OUT.ATTRS = FALSE)[names(values)]
  n <- nrow(places)
  places <- places[rep(seq_len(n), each = nrow(values)), , drop = FALSE]
  rownames(places) <- NULL
  places[names(values)] <- lapply(values, rep, n)
  places
}
