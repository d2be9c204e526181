test_that("near names are found and far ones are not", {
  expect_identical(nearest_name("contrl", c("drug", "control")), "control")
  expect_identical(nearest_name("CD4", c("CD4 T", "B")), "CD4 T")
  expect_identical(nearest_name("adversary_reg", c("adversary_lr", "reg_adversary")),
                   "reg_adversary")
  expect_null(nearest_name("zzz", c("drug", "control")))
  expect_null(nearest_name("w", c("u", "v")))
  expect_null(nearest_name("a", character()))
  expect_identical(name_list(letters, 3), "\"a\", \"b\", \"c\" and 23 more")
})

test_that("counts are written as people write them", {
  expect_identical(count_of(1, "cell"), "1 cell")
  expect_identical(count_of(12345, "cell"), "12,345 cells")
  expect_identical(and_more(1), "")
  expect_identical(and_more(2), " (and 1 more cell)")
})

test_that("scores have two decimals, a point, and no minus before 0", {
  withr::local_options(OutDec = ",")
  expect_identical(score_text(c(-0.001, -0.126, 0.5, NA)), c("0.00", "-0.13", "0.50", "NA"))
})

test_that("times are written in two units", {
  expect_identical(vapply(c(5, 65, 3700), duration_text, ""), c("5s", "1m 5s", "1h 1m"))
})

test_that("lines are wrapped below their text", {
  text <- "Label:   some words that are too long for a line of forty-five letters"
  lines <- wrap_lines(c("<short>", text), 9L, width = 50)
  expect_identical(lines, c("<short>", "Label:   some words that are too long for a line", "         of forty-five letters"))
  plain <- wrap_lines("  some words that are too long", width = 20)
  expect_identical(plain, c("  some words that", "    are too long"))
  expect_identical(wrap_lines("as wide", width = 7), "as wide")
})

test_that("sizes of a screen are in MB or GB", {
  expect_identical(bytes_text(3.4e7), "34.0 MB")
  expect_identical(bytes_text(1.25e10), "12.5 GB")
})
