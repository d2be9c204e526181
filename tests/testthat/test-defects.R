defect <- function(check, severity = "error") {
  new_defect(check, paste0(check, " must {hold}."), "It is not.", "Do something.", severity, 2)
}

test_that("defects are bound from single ones, lists and nothing", {
  all <- bind_defects(NULL, defect("a"), list(defect("b"), NULL, defect("c")), list())
  expect_identical(all$check, c("a", "b", "c"))
  expect_identical(bind_defects(), no_defects())
  expect_identical(bind_defects(NULL, list(NULL))[0, ], no_defects())
})

test_that("one error is said in three parts, several as a list with an end", {
  verb <- function(defects) abort_defects(defects)
  expect_null(verb(defect("a", "warning")))
  one <- error_parts(verb(bind_defects(defect("a"), defect("w", "warning"))))
  expect_identical(one[c("must", "given", "todo")],
                   list(must = "a must {hold}.", given = "It is not.", todo = "Do something."))
  many <- error_parts(verb(bind_defects(lapply(letters[1:9], defect))))
  expect_match(many$must, "it has 9")
  expect_length(many$given, 6)
  expect_match(many$todo, "6 of 9 defects; check_screen\\(\\)")
})

test_that("warnings are one warning", {
  expect_silent(warn_defects(defect("a")))
  expect_warning(warn_defects(defect("a", "warning")), "with one reservation",
                 class = "compert_screen_warning")
  expect_warning(warn_defects(bind_defects(lapply(letters[1:9], defect, "warning"))),
                 "9 reservations.*And 3 more")
})
