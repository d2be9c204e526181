# What rows of scores and means are called in plots and tables: the user's own columns, short.

own_columns <- function(scores) names(scores)[seq_len(match("method", names(scores)) - 1L)]

# The user's columns, and which of them differ between rows. Doses that are 1 throughout say nothing and
# are left out.
parts_of_names <- function(scores) {
  own <- as.list(scores[own_columns(scores)])
  dose <- length(own)
  if (all(grepl("^1([^0-9.]1)*$", own[[dose]]))) own <- own[-dose]
  list(own = lapply(own, as.character),
       differs = vapply(own, function(column) length(unique(column)) > 1L, TRUE))
}

# "B, IFNb": the parts that differ between rows (all of them when none does).
condition_names <- function(scores) {
  parts <- parts_of_names(scores)
  shown <- if (any(parts$differs)) parts$own[parts$differs] else parts$own
  do.call(paste, c(unname(shown), sep = ", "))
}

# "condition: IFNb": the parts that condition_names() leaves out, because all rows have them.
constant_names <- function(scores) {
  parts <- parts_of_names(scores)
  same <- parts$own[!parts$differs]
  if (!any(parts$differs) || length(same) == 0L) return(NULL)
  paste0(names(same), ": ", vapply(same, function(v) short_names(v[1L], 40L), ""), collapse = ", ")
}

# The columns of each row as one text, numbers with the name of their column: "NK, age 30".
joined_words <- function(table, columns) {
  if (length(columns) == 0L) return(rep("", nrow(table)))
  words <- lapply(columns, function(name) {
    value <- table[[name]]
    if (is.numeric(value)) paste(name, format_dose(value)) else as.character(value)
  })
  do.call(paste, c(words, sep = ", "))
}
