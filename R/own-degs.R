# Differentially expressed genes that the user gives, for the scores during and after training.

check_own_degs <- function(degs, call = rlang::caller_env()) {
  named <- is.list(degs) && !is.data.frame(degs) && !is.null(names(degs)) && !anyDuplicated(names(degs)) &&
    all(vapply(degs, is.character, TRUE))
  if (is.null(degs) || named) return(degs)
  if (is.data.frame(degs)) {
    abort_input("`degs` must be a named list of gene names, each name once.", paste0("It is ", describe(degs), "."),
                paste0("Of a table as rank_degs() gives it write split(degs$gene, degs$condition), with covariates ",
                       "split(degs$gene, paste(degs$cell_type, degs$condition, sep = \", \"))."), call)
  }
  other <- if (is.list(degs)) names(degs)[!vapply(degs, is.character, NA)]
  abort_input("`degs` must be a named list of gene names, each name once.",
              if (length(other)) paste0(dQuote(other[1L], FALSE), " is ", describe(degs[[other[1L]]]), ".") else
                paste0("It is ", describe(degs), "."),
              "Write `degs = list(\"IFNb\" = c(\"ISG15\", \"IFIT1\"))`.", call)
}

# The names that conditions go by, the most exact first, each a vector with one name per condition:
# "covariates, perturbation@dose", "perturbation@dose", and for every dose "covariates, perturbation" and
# the perturbation. `all`: the doses of the whole screen.
deg_names <- function(parts, doses, covariates, keys, all = doses) {
  bare <- condition_label(parts, NULL, keys$sep)
  label <- condition_label(parts, shown_doses(doses, keys, all), keys$sep)
  within <- function(label) do.call(paste, c(unname(as.list(covariates)), list(label), sep = ", "))
  list(within(label), label, within(bare), bare)
}

# The names of `degs` as `known` spells them: the order of parts never matters, and the control as
# padding is dropped, and so is what does not act at dose 0.
spell_as_known <- function(degs, known, keys, call) {
  place <- substring(known[[1]], 1, nchar(known[[1]]) - nchar(known[[2]]))
  spelled <- unlist(lapply(known, function(name) {
    at <- ifelse(startsWith(name, place), nchar(place), 0L)
    paste0(substring(name, 1L, at), tidy_label(substring(name, at + 1L), keys))
  }))
  names <- names(degs)
  for (k in which(!names %in% unlist(known))) {
    prefix <- Filter(function(p) startsWith(names[k], p), unique(c(place, "")))
    acting <- drop_idle(substring(names[k], nchar(prefix) + 1L), keys)
    own <- paste0(prefix, tidy_label(acting, keys))
    names[k] <- c(unlist(known)[match(own, spelled, 0L)], names[k])[1]
  }
  twice <- names[duplicated(names)]
  if (length(twice) == 0) return(rlang::set_names(degs, names))
  abort_input("`degs` must have one entry per condition.",
              paste0(name_list(names(degs)[names == twice[1]]), " are the same condition."),
              "The order of parts never matters: put their genes together.", call)
}

# A label in one spelling: parts are split at `sep` and sorted as they stand, their doses too; where one
# is there twice, it has dose 2 and the others dose 1.
tidy_label <- function(label, keys) {
  parts <- split_text(label, keys$sep)
  tidy <- tidy_pairs(one_control(parts, keys), lapply(parts, function(p) rep(1, length(p))), keys$control)
  part <- unlist(tidy$parts, use.names = FALSE)
  times <- unlist(tidy$doses, use.names = FALSE)
  repeated <- rep(vapply(tidy$doses, function(d) any(d > 1), NA), lengths(tidy$parts))
  paste_parts(ifelse(repeated, paste0(part, "@", times), part), lengths(tidy$parts),
              keys$sep %||% "+")
}

# Labels without the parts "@0" beside others, where nothing acts at dose 0: as acting_parts().
drop_idle <- function(label, keys) {
  if (!isTRUE(keys$idle_zero)) return(label)
  vapply(split_text(label, keys$sep), function(p) {
    idle <- endsWith(p, "@0")
    paste(if (all(idle)) p else p[!idle], collapse = keys$sep)
  }, "")
}

# Positions of the user's genes in `genes`, sorted, of every condition that is scored. `scored` and
# `known`: deg_names() of these and of all conditions of the screen.
find_own_degs <- function(degs, scored, known, genes, keys, call = rlang::caller_env()) {
  degs <- spell_as_known(degs, known, keys, call)
  stop_unknown_degs(degs, known, genes, call)
  warn_unused_degs(degs, unlist(scored), unlist(known), genes, call)
  lapply(seq_along(scored[[1]]), function(k) {
    own <- NULL
    for (name in scored) own <- own %||% degs[[name[k]]]
    sort(unique(which(genes %in% own)))
  })
}

# Names of what is scored are told from unknown ones by all conditions of the screen.
own_degs <- function(fit, screen, groups, scored, degs, call) {
  known <- deg_names(groups$parts, groups$doses, groups$covariates, fit$meta$keys,
                     c(fit$meta$conditions$doses, groups$doses))
  find_own_degs(check_own_degs(degs, call), lapply(known, `[`, scored), known,
                rownames(screen$x), fit$meta$keys, call)
}

# Where all is lost of a condition, scores would be missing without a word.
stop_unknown_degs <- function(degs, known, genes, call) {
  named <- degs[names(degs) %in% unlist(known)]
  if (length(named) == 0) {
    abort_input(
      "`degs` must be named by conditions of the screen.",
      paste0("No condition is called ", name_list(names(degs)), "."),
      paste0(if (length(degs)) did_you_mean(names(degs)[1], unlist(known)), "Perturbations are ",
             name_list(known[[4]]), "."), call
    )
  }
  none <- lengths(named) > 0 & !vapply(named, function(own) any(own %in% genes), NA)
  if (!any(none)) return(invisible())
  first <- named[none][[1]]
  abort_input(
    "`degs` must hold genes of the screen.",
    paste0("None of those of ", name_list(names(named)[none]), " is one: ", name_list(first), "."),
    column_advice(first, genes, call) %||%
      paste0(did_you_mean(first[1], genes), "The genes are ", name_list(genes, 3), "."), call
  )
}

# One warning for what is given and has no effect.
warn_unused_degs <- function(degs, scored, known, genes, call) {
  strange <- setdiff(names(degs), known)
  absent <- setdiff(unlist(degs[names(degs) %in% known]), genes)
  bullets <- c(
    if (length(strange)) paste0("No condition is called ", name_list(strange), "."),
    if (length(absent)) paste0("Not among the genes: ", name_list(absent), "."),
    if (!any(names(degs) %in% scored)) "None of the conditions that are scored is named."
  )
  if (length(bullets) == 0) return(invisible())
  cli::cli_warn(c("Some of `degs` is not used.", stats::setNames(escape_braces(bullets),
                                                                 rep("!", length(bullets)))),
                call = call, class = "compert_unused_degs")
}
