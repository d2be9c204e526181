# The effects of the most similar molecules of the training, for drugs that it never saw.

# Groups with what nearest_shift() reads: `molecules`, perturbations x features, and the groups' names.
with_molecules <- function(fit, groups, call = rlang::caller_env()) {
  groups$molecules <- molecules_of_fit(fit, call)
  groups$label <- pair_labels(fit, groups$parts, groups$doses)
  groups
}

# Perturbations x features. Rows of NA, and of 0, are no molecules.
molecules_of_fit <- function(fit, call = rlang::caller_env()) {
  if (!is.null(fit$learned$molecules)) return(fit$learned$molecules)
  weights <- if (!is_baseline(fit)) core_weights(fit$state)
  features <- weights[["perturbation_features"]]
  names <- fit$meta$registry$perturbations
  if (!is.null(features)) {
    features <- matrix(features, length(names), byrow = TRUE)
    return(named_features(features, weights[["perturbation_has_features"]], names))
  }
  graphs <- isTRUE(fit$meta$registry$n_features > 0)
  abort_input("`fit` must know the features of molecules for the baseline \"nearest\".",
              if (graphs) "It reads their graphs, which have none." else "It was made without `molecules`.",
              paste("Leave it out of `baselines`; or make it by `baseline_fit(method = \"nearest\",",
                    "molecules = )`, and put it beside the fit by `compare_r2()`."), call)
}

named_features <- function(features, has, names) {
  if (length(has)) features[as.vector(has) == 0, ] <- NA
  rownames(features) <- names
  features
}

# What baseline_fit() keeps of what read_molecules() gives.
learn_molecules <- function(molecules, registry, call) {
  if (is.null(molecules)) return(NULL)
  warn_same_molecules(molecules, registry$perturbations, call)
  warn_unscaled_features(molecules, registry$perturbations, call)
  known <- perturbation_features(molecules, registry, call)
  named_features(t(known$features), known$has_features, registry$perturbations)
}

# The single perturbations that have a shift, by covariates (`here`), and the molecules of all names in the groups,
# scaled to length 1, NA where there are none. Similarities of all pairs would be a matrix of drugs x drugs.
similar_singles <- function(known, groups) {
  names <- unique(unlist(groups$parts))
  single <- sort(as.integer(unlist(known$single)))
  place <- match(groups$place, unique(groups$place))
  name <- rep(0L, groups$n)
  alone <- lengths(groups$parts) == 1L
  name[alone] <- match(unlist(groups$parts[alone]), names)
  list(unit = unit_rows(groups$molecules[match(names, rownames(groups$molecules)), , drop = FALSE]), names = names,
       name = name, place = place, here = split_by_number(single, place[single], max(place)))
}

# Of the perturbations `hits` with the names `of`; each molecule is like itself.
similarity_to <- function(near, hits, of) {
  alike <- cosines(near$unit[near$name[hits], , drop = FALSE], near$unit[of, , drop = FALSE])
  alike[outer(near$name[hits], of, `==`)] <- 1
  alike
}

# The sum over the parts of what the most similar other perturbation does alone under the same covariates, at the
# nearest dose. `nearest`: which these are; `similarity`: the lowest of the parts'.
nearest_shift <- function(known, groups, g) {
  near <- known$near
  hits <- near$here[[near$place[g]]]
  hits <- hits[near$name[hits] != near$name[g]]
  if (length(hits) == 0L) return(list(note = "no training cells of another perturbation under the same covariates"))
  parts <- match(groups$parts[[g]], near$names)
  alike <- similarity_to(near, hits, parts)
  best <- apply(alike, 2L, function(a) if (all(is.na(a))) NA_real_ else max(a, na.rm = TRUE))
  if (anyNA(best)) {
    return(list(note = paste0("no molecule of ", name_list(near$names[parts[is.na(best)]]),
                              " to compare with those of other perturbations under the same covariates")))
  }
  # Features of fits are in single precision.
  at <- lapply(seq_along(parts), function(i) {
    at_nearest_dose(groups, hits[which(alike[, i] >= best[i] - 1e-6)], groups$doses[[g]][i])
  })
  list(shift = Reduce(`+`, lapply(at, mean_of_shifts, known = known)), similarity = min(best),
       nearest = paste(vapply(at, function(i) paste(groups$label[i], collapse = ", "), ""), collapse = " and "))
}

# In words what a condition's effect was taken from, NA where it was from none.
nearest_words <- function(answer) {
  if (is.null(answer$nearest)) return(NULL)
  ifelse(is.na(answer$nearest), NA_character_,
         paste0("the effect of ", answer$nearest, ", similarity ", sprintf("%.2f", answer$similarity)))
}

# Columns of predict(), from the pieces `of` each condition: of those that leave covariates open all that are in
# use, and the lowest similarity.
nearest_columns <- function(answer, of) {
  pieces <- split(seq_along(of), of)
  lowest <- function(x) if (all(is.na(x))) NA_real_ else min(x, na.rm = TRUE)
  list(nearest = vapply(pieces, function(i) {
         names <- unique(answer$nearest[i])
         if (all(is.na(names))) NA_character_ else paste(names[!is.na(names)], collapse = "; ")
       }, "", USE.NAMES = FALSE),
       similarity = vapply(pieces, function(i) lowest(answer$similarity[i]), 0, USE.NAMES = FALSE))
}
