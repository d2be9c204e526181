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
