# Names above, below, beside or askew of their points, wherever no other name or point is, rather
# within the panel than beyond it. A handful of points have theirs in any case. Sizes are those on a page 7
# inches wide. `which` rows are named, the first ones first; `span`: what both axes reach over; `crowd`: rows that a
# name would rather not, but may lie over; `margin`: how far beyond the panel there is room.
place_names <- function(table, letter = 0.0135, which = seq_len(nrow(table)), span = NULL,
                        crowd = rep(FALSE, nrow(table)), margin = 0.13) {
  table$name <- short_names(table$name)
  widths <- letter * (nchar(table$name) + 0.3 * nchar(gsub("[^A-Z]", "", table$name)))
  share <- function(v) {
    span <- span %||% range(v)
    (v - span[1L]) / max(diff(span), 1e-9)
  }
  x <- share(table$x)
  y <- share(table$y)
  sides <- data.frame(hjust = c(0.5, 0.5, -0.12, 1.12, 0, 1, 0, 1),
                      vjust = c(-0.8, 1.8, 0.5, 0.5, -0.8, -0.8, 1.8, 1.8))
  # Of points, and of names in the order in which they are placed.
  used <- nrow(table)
  boxes <- rbind(cbind(x - 0.006, x + 0.006, y - 0.012, y + 0.012), matrix(NA_real_, length(which), 4L))
  crowd <- c(crowd, rep(FALSE, length(which)))
  chosen <- rep(NA_integer_, nrow(table))
  for (i in which) {
    width <- widths[i]
    left <- x[i] - sides$hjust * width
    low <- y[i] + c(0.02, -0.07, -0.025, -0.025, 0.02, 0.02, -0.07, -0.07)
    order <- if (table$y[i] < 0) c(2L, 1L, 3L, 4L, 7L, 8L, 5L, 6L) else 1:8
    # Of a genome only these few can be hit.
    near <- setdiff(base::which(boxes[, 1L] < max(left) + width & boxes[, 2L] > min(left) &
                            boxes[, 3L] < max(low) + 0.05 & boxes[, 4L] > min(low)), i)
    there <- boxes[near, , drop = FALSE]
    hits <- vapply(order, function(k) {
      hit <- there[, 1L] < left[k] + width & there[, 2L] > left[k] & there[, 3L] < low[k] + 0.05 & there[, 4L] > low[k]
      sum(hit & !crowd[near]) + min(0.02 * sum(hit & crowd[near]), 0.4) +
        0.5 * (left[k] < -margin || left[k] + width > 1 + margin)
    }, 0)
    if (min(hits) >= 1 && nrow(table) > 12L) next
    k <- order[which.min(hits)]
    chosen[i] <- k
    used <- used + 1L
    boxes[used, ] <- c(left[k], left[k] + width, low[k], low[k] + 0.05)
  }
  boxes <- boxes[seq_len(used), , drop = FALSE]
  # How far names reach beyond the points, to either side.
  structure(cbind(table, sides[chosen, ])[!is.na(chosen), , drop = FALSE],
            beyond = c(-min(boxes[, 1L]), max(boxes[, 2L]) - 1))
}
