library(testthat)
library(compert)

test_check("compert")
