# What a prediction has to beat: no effect, effects that simply add, the mean effect of the others, a straight
# line between doses, and the effect of the most similar molecule.

baseline_names <- c("control", "additive", "mean", "interpolation", "nearest")

# All that may stand beside a model; the ceiling is not to be beaten, see ceiling.R.
ceiling_name <- "ceiling"
comparison_names <- c(baseline_names, ceiling_name)

# `baselines` as names: TRUE stands for the first two.
check_baselines <- function(baselines, call = rlang::caller_env()) {
  if (isTRUE(baselines)) return(baseline_names[1:2])
  if (isFALSE(baselines) || length(baselines) == 0L) return(character())
  check_among(baselines, comparison_names, "baselines", call)
  unique(baselines)
}

# Mean and variance, genes x rows, and a note per row of each baseline in `names`. `reference`: the
# observed controls of the rows, which every baseline starts from. `train` marks the cells that it may
# learn from. `scale`: of the statistics, which `reference` has already. `ceiling`: ceiling_method() of the rows.
baseline_methods <- function(names, screen, groups, rows, train, reference, ddof, scale = identity,
                             ceiling = NULL) {
  methods <- answer_baselines(setdiff(names, ceiling_name), training_statistics(screen$x, groups, train), groups,
                              rows$group, reference, ddof, scale)
  methods[[ceiling_name]] <- ceiling
  methods[names]
}

# list(n, mean, variance) of the training cells of every group.
training_statistics <- function(x, groups, train) {
  core_group_stats(x, as.integer(ifelse(train, groups$of_cell - 1L, -1L)), groups$n)
}

# The same from training_statistics(), for the groups `which`, one per row. Of "nearest" also what the answers were
# taken from; its groups are those of with_molecules().
answer_baselines <- function(names, stats, groups, which, reference, ddof, scale = identity) {
  rules <- list(additive = additive_shift, mean = mean_shift, interpolation = interpolated_shift,
                nearest = nearest_shift)
  known <- if (any(names %in% names(rules))) training_shifts(stats, groups, ddof, scale)
  if ("mean" %in% names) known$sums <- sums_of_shifts(known, groups)
  if ("nearest" %in% names) known$near <- similar_singles(known, groups)
  without <- ifelse(colSums(is.na(reference$mean)) > 0, no_controls_note, NA_character_)
  lapply(rlang::set_names(names), function(name) {
    if (name == "control") return(c(reference, list(note = without)))
    method <- shift_baseline(known, groups, which, reference, rules[[name]])
    method$note <- ifelse(is.na(method$note), without, method$note)
    method
  })
}

no_controls_note <- "no control cells of the same covariates"

# The controls plus what `rule` says of each group: list(shift, variance), the latter where it is not the
# controls', or list(note). Controls themselves have no shift. `nearest`, `similarity`: of nearest_shift().
shift_baseline <- function(known, groups, which, reference, rule) {
  mean <- reference$mean
  variance <- reference$variance
  note <- nearest <- rep(NA_character_, length(which))
  similarity <- rep(NA_real_, length(which))
  for (k in which(!groups$control[which])) {
    answer <- rule(known, groups, which[k])
    note[k] <- if (is.null(answer$shift) && !known$controls) "no training cells of controls" else
      answer$note %||% NA_character_
    mean[, k] <- if (is.null(answer$shift)) NA_real_ else mean[, k] + answer$shift
    if (is.null(answer$shift)) variance[, k] <- NA_real_
    if (!is.null(answer$variance)) variance[, k] <- answer$variance
    nearest[k] <- answer$nearest %||% NA_character_
    similarity[k] <- answer$similarity %||% NA_real_
  }
  list(mean = mean, variance = variance, note = note, nearest = nearest, similarity = similarity)
}

# Cells that baselines learn from. Without a split those under a condition that the fit was trained on, but
# for the scored ones: which of them training left for the test cannot be told. `of_row`: the scored row.
training_cells <- function(fit, screen, groups, of_row) {
  if (!is.null(screen$split)) return(screen$split %in% "train")
  seen <- seen_in_training(fit, groups$parts, groups$doses, groups$covariates)
  (seen %in% "condition")[groups$of_cell] & is.na(of_row)
}

# mean(condition) - mean(control) of training cells, for every group that has both. `column` is the
# group's column in `shift`, NA without one. Groups that have one are listed by condition (`alike`), as
# single perturbations (`single`), and by covariates and perturbations at any dose (`kin`); `what`, `parts`
# and `place` are each group's numbers in these lists. `variance()` gives that of groups.
training_shifts <- function(stats, groups, ddof, scale = identity) {
  reference <- match(paste(groups$place, "\b", sep = "\f"), groups$key)
  usable <- which(stats$n > 0 & !groups$control & !is.na(reference) &
                    stats$n[replace(reference, is.na(reference), 1L)] > 0)
  mean <- scale(stats$mean)
  atom <- unlist(groups$parts, use.names = FALSE)
  parts <- split_by_number(match(atom, unique(atom)), rep(seq_len(groups$n), lengths(groups$parts)),
                           groups$n)
  single <- usable[lengths(parts)[usable] == 1L]
  what <- match(groups$what, unique(groups$what))
  place <- row_codes(list(groups$place, paste_parts(atom, lengths(parts), "\u001e")))
  list(shift = mean[, usable, drop = FALSE] - mean[, reference[usable], drop = FALSE],
       controls = any(stats$n[groups$control] > 0),
       column = match(seq_len(groups$n), usable), parts = parts, what = what, place = place,
       alike = split_by_number(usable, what[usable], max(what)),
       single = split_by_number(single, unlist(parts[single]), length(unique(atom))),
       kin = split_by_number(usable, place[usable], max(place)),
       variance = function(g) {
         scale(rescale_variance(stats$variance[, g, drop = FALSE], stats$n[g], ddof))
       })
}

split_by_number <- function(x, number, n) unname(split(x, factor(number, seq_len(n))))

mean_of_shifts <- function(known, at) rowMeans(known$shift[, known$column[at], drop = FALSE])

# The average over *other* covariate combinations in which the same condition was measured; else the sum
# of its parts' shifts. Parts are compared whole, never as substrings.
additive_shift <- function(known, groups, g) {
  same <- known$alike[[known$what[g]]]
  same <- same[groups$place[same] != groups$place[g]]
  if (length(same)) return(list(shift = mean_of_shifts(known, same)))
  parts <- Map(function(part, dose) part_groups(known, groups, g, part, dose),
               known$parts[[g]], groups$doses[[g]])
  gone <- groups$parts[[g]][lengths(parts) == 0L]
  if (length(gone)) {
    return(list(note = paste0("no training cells with ", name_list(gone),
                              " alone that could be added")))
  }
  list(shift = Reduce(`+`, lapply(parts, mean_of_shifts, known = known)))
}

# Groups with this part alone: under the same covariates when there are any, else under all others;
# of these the ones at the nearest dose. Never the group itself.
part_groups <- function(known, groups, g, part, dose) {
  hit <- setdiff(known$single[[part]], g)
  here <- hit[groups$place[hit] == groups$place[g]]
  if (length(here)) hit <- here
  at_nearest_dose(groups, hit, dose)
}

at_nearest_dose <- function(groups, hit, dose) {
  if (length(hit) == 0L) return(integer())
  far <- dose_distance(vapply(groups$doses[hit], `[`, 0, 1L), dose)
  hit[far <= min(far) + 1e-9]
}

# Doses are compared by their ratio; dose 0 is infinitely far from every other dose.
dose_distance <- function(a, b) ifelse(a == b, 0, ifelse(a > 0 & b > 0, abs(log(a / b)), 1e6))

# For mean_shift(): the number and the sum of the shifts at the same doses under the same covariates, and
# of all under the same covariates. `of` is each group's column in `total`, NA without a shift.
sums_of_shifts <- function(known, groups) {
  measured <- which(!is.na(known$column))
  dose <- vapply(groups$doses, function(d) paste(sort(unique(d)), collapse = "\r"), "")
  lapply(list(paste(groups$place, dose, sep = "\f"), groups$place), function(key) {
    of <- match(key, unique(key[measured]))
    list(of = of, n = tabulate(of[measured]), total = t(rowsum(t(known$shift), of[measured])))
  })
}

# The average over all other perturbations, those of the same combination at other doses left out.
mean_shift <- function(known, groups, g) {
  own <- known$kin[[known$place[g]]]
  for (sums in known$sums) {
    k <- sums$of[g]
    mine <- own[sums$of[own] %in% k]
    if (is.na(k) || sums$n[k] == length(mine)) next
    left <- sums$total[, k] - rowSums(known$shift[, known$column[mine], drop = FALSE])
    return(list(shift = left / (sums$n[k] - length(mine))))
  }
  list(note = "no training cells of other perturbations under the same covariates")
}

# The straight line between the next lower and the next higher dose of the same perturbation under the
# same covariates, over the logarithm of the dose; from dose 0 over the dose.
interpolated_shift <- function(known, groups, g) {
  if (length(groups$parts[[g]]) > 1L) return(list(note = "no line between doses of a combination"))
  at <- known$kin[[known$place[g]]]
  far <- vapply(groups$doses[at], `[`, 0, 1L) - groups$doses[[g]]
  ends <- c(at[far < 0][which.max(far[far < 0])], at[far > 0][which.min(far[far > 0])])
  if (length(ends) < 2L) {
    return(list(note = paste0("no training cells with ", name_list(groups$parts[[g]]),
                              " at a lower and a higher dose under the same covariates")))
  }
  dose <- c(unlist(groups$doses[ends]), groups$doses[[g]])
  if (dose[1L] > 0) dose <- log(dose)
  weight <- (dose[3L] - dose[1L]) / (dose[2L] - dose[1L])
  weight <- c(1 - weight, weight)
  list(shift = drop(known$shift[, known$column[ends]] %*% weight),
       variance = drop(known$variance(ends) %*% weight))
}
