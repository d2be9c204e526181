test_that("colours are different from each other, few or many", {
  for (n in c(1, 8, 9, 30)) expect_identical(anyDuplicated(palette_compert(n)), 0L)
  expect_identical(palette_compert(2), okabe_ito()[1:2])
})

test_that("long names are cut in the middle of their parts, which get lines of their own", {
  expect_identical(short_names(c("B, IFNb", "IFNb", NA)), c("B, IFNb", "IFNb", "NA"))
  expect_identical(short_names("a kidney of an embryo, Compound-01 with a long name"),
                   "a kidney of an embryo,\nCompound-01 wi...long name")
  many <- short_names(paste0("a kidney of an embryo, Compound-0", 1:9, " with a long name"))
  expect_identical(many[1], "a kidney of an ..., Compound-01 wit...")
  expect_identical(short_names("Compound-01 with a very long name"), "Compound-01 wi...long name")
  expect_identical(anyDuplicated(short_names(paste("Compound with a very long name", 1:99))), 0L)
})

test_that("names of a horizontal axis are wrapped or slanted where they have no room", {
  skip_without_package("ggplot2")
  expect_null(guide_field(names_axis("x", c("B", "NK")), "angle"))
  expect_null(guide_field(names_axis("x", c("MDA-MB-231 breast", "HEK293T kidney"), 2L), "angle"))
  expect_identical(names_axis("x", c("MDA-MB-231 breast", "HEK293T kidney"), 2L)$labels("MDA-MB-231 long breast"),
                   "MDA-MB-231 long\nbreast")
  expect_identical(guide_field(names_axis("x", paste("a long name", 1:9)), "angle"), 45)
  expect_null(guide_field(names_axis("y", paste("a long name", 1:9)), "angle"))
  # A panel with few of many names writes each in one line.
  long <- "a kidney of an embryo, Compound-01 with a long name"
  expect_no_match(names_axis("y", paste("a long name", 1:9))$labels(long), "\n")
})
