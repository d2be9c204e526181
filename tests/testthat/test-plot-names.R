test_that("close names are placed askew of their points rather than over each other", {
  names <- c("CD8 T cells, 101", "CD8 T cells, 107", "CD4 T cells, 101", "CD4 T cells, 107", "far")
  table <- data.frame(x = c(0.02, 0, 0.07, 0.05, 1), y = c(0, 0.07, 0.02, -0.01, 1), name = names)
  placed <- place_names(table)[1:4, ]
  left <- placed$x - placed$hjust * 0.0135 * nchar(placed$name)
  low <- placed$y + ifelse(placed$vjust < 0, 0.02, ifelse(placed$vjust > 1, -0.07, -0.025))
  meets <- outer(1:4, 1:4, function(i, j) {
    i < j & abs(left[i] - left[j]) < 0.0135 * 16 & abs(low[i] - low[j]) < 0.05
  })
  expect_identical(sum(meets), 0L)
})

test_that("names in capitals have more room", {
  table <- data.frame(x = c(0, 0.1), y = 0, name = c("MAP2K3", "KMT2A"))
  expect_gt(attr(place_names(table), "beyond")[1], attr(place_names(transform(table, name = tolower(name))), "beyond")[1])
})

test_that("of many names those are placed that lie over no other", {
  placed <- withr::with_seed(1, data.frame(x = stats::rnorm(80), y = stats::rnorm(80), name = paste0("NAME", 1:80)))
  named <- place_names(placed)
  expect_gt(nrow(named), 20L)
  expect_lt(nrow(named), 80L)
  box <- function(k, side) {
    width <- 0.0135 * (nchar(named$name[k]) + 0.3 * 4)
    low <- (named$y[k] - min(placed$y)) / diff(range(placed$y))
    left <- (named$x[k] - min(placed$x)) / diff(range(placed$x)) - named$hjust[k] * width
    low <- low + if (named$vjust[k] == 0.5) -0.025 else if (named$vjust[k] < 0) 0.02 else -0.07
    c(left, left + width, low, low + 0.05)
  }
  boxes <- t(vapply(seq_len(nrow(named)), box, numeric(4L)))
  over <- outer(boxes[, 1], boxes[, 2], `<`) & outer(boxes[, 2], boxes[, 1], `>`) &
    outer(boxes[, 3], boxes[, 4], `<`) & outer(boxes[, 4], boxes[, 3], `>`)
  expect_identical(sum(over), nrow(named))
})
