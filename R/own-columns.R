# The user's columns beside the package's in one table. The package's always keep their names; a column
# of the user's that has one of these gets `own_` in front. So nothing is lost, and code that reads a
# column of the package by its name never meets another.

# `names` of the user's columns, those among `fixed` with `own_` in front. Different names stay different.
own_names <- function(names, fixed) {
  for (k in which(names %in% fixed)) {
    while (names[k] %in% c(fixed, names[-k])) names[k] <- paste0("own_", names[k])
  }
  names
}

# A data frame of the user's columns with the package's, a named list, behind them.
beside_own <- function(own, fixed) {
  names(own) <- own_names(names(own), names(fixed))
  own[names(fixed)] <- fixed
  own
}
