# What a prediction has to beat: no effect, and effects that simply add.

# Control baseline: means and variances of the observed controls of the same covariates.
control_baseline <- function(reference) reference

# Additive baseline: the same controls plus a shift learned from training cells (additive_shift()).
# `train` marks training cells. Returns mean and variance, genes x K, and a note per row.
# `scale`: of the means that shifts are differences of, which `reference` has already.
additive_baseline <- function(screen, groups, rows, train, reference, scale = identity) {
  known <- training_shifts(screen, groups, train, scale)
  shifts <- lapply(rows$group, function(g) additive_shift(known, groups, g))
  missing <- vapply(shifts, function(s) is.null(s$shift), TRUE)
  mean <- reference$mean
  for (k in which(!missing)) mean[, k] <- mean[, k] + shifts[[k]]$shift
  mean[, missing] <- NA_real_
  variance <- reference$variance
  variance[, missing] <- NA_real_
  list(mean = mean, variance = variance,
       note = vapply(shifts, function(s) s$note %||% NA_character_, ""))
}

# Cells that baselines learn from. Without a split those under a condition that the fit was trained on, but
# for the scored ones: which of them training left for the test cannot be told. `of_row`: the scored row.
training_cells <- function(fit, screen, groups, of_row) {
  if (!is.null(screen$split)) return(screen$split %in% "train")
  seen <- seen_in_training(fit, groups$parts, groups$doses, groups$covariates)
  (seen == "condition")[groups$of_cell] & is.na(of_row)
}

# mean(condition) - mean(control) of training cells, for every group that has both. `column` is the
# group's column in `shift`, NA without one.
training_shifts <- function(screen, groups, train, scale = identity) {
  group <- ifelse(train, groups$of_cell - 1L, -1L)
  stats <- core_group_stats(screen$x, as.integer(group), groups$n)
  reference <- match(paste(groups$place, "\b", sep = "\f"), groups$key)
  usable <- which(stats$n > 0 & !groups$control & !is.na(reference) &
                    stats$n[replace(reference, is.na(reference), 1L)] > 0)
  mean <- scale(stats$mean)
  shift <- mean[, usable, drop = FALSE] - mean[, reference[usable], drop = FALSE]
  list(shift = shift, column = match(seq_len(groups$n), usable))
}

# The shift of group g: the average over *other* covariate combinations in which the same condition
# was measured; else the sum of its parts' shifts. Parts are compared whole, never as substrings.
additive_shift <- function(known, groups, g) {
  if (groups$control[g]) return(list(shift = numeric(nrow(known$shift))))
  has <- !is.na(known$column)
  same <- which(has & groups$what == groups$what[g] & groups$place != groups$place[g])
  if (length(same)) return(list(shift = rowMeans(known$shift[, known$column[same], drop = FALSE])))
  parts <- Map(function(part, dose) part_columns(known, groups, g, part, dose),
               groups$parts[[g]], groups$doses[[g]])
  gone <- groups$parts[[g]][lengths(parts) == 0L]
  if (length(gone)) {
    return(list(note = paste0("no training cells with ", name_list(gone),
                              " alone that could be added")))
  }
  shifts <- lapply(parts, function(k) rowMeans(known$shift[, known$column[k], drop = FALSE]))
  list(shift = Reduce(`+`, shifts))
}

# Groups with this part alone: under the same covariates when there are any, else under all others;
# of these the ones at the nearest dose. Never the group itself.
part_columns <- function(known, groups, g, part, dose) {
  single <- lengths(groups$parts) == 1L & !groups$control & !is.na(known$column)
  hit <- which(single & vapply(groups$parts, function(p) p[1L] == part, TRUE))
  hit <- setdiff(hit, g)
  here <- hit[groups$place[hit] == groups$place[g]]
  if (length(here)) hit <- here
  if (length(hit) == 0L) return(integer())
  far <- dose_distance(vapply(groups$doses[hit], `[`, 0, 1L), dose)
  hit[far <= min(far) + 1e-9]
}

# Doses are compared by their ratio; dose 0 is infinitely far from every other dose.
dose_distance <- function(a, b) ifelse(a == b, 0, ifelse(a > 0 & b > 0, abs(log(a / b)), 1e6))
