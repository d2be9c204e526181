# Numbers, names and values in words, for errors, prints and tables.

# "a", "b" and 3 more
name_list <- function(x, max = 6) {
  x <- unique(as.character(x))
  if (length(x) == 0) return("none")
  short_list(dQuote(x, FALSE), max)
}

# 1, 2 and 3 more
short_list <- function(x, max = 6) {
  if (length(x) <= max) return(paste(x, collapse = ", "))
  paste0(paste(utils::head(x, max), collapse = ", "), " and ", count(length(x) - max), " more")
}

# The entry of `choices` that looks like `x`, or NULL when none is near.
nearest_name <- function(x, choices) {
  if (length(choices) == 0 || is.na(x) || !nzchar(x)) return(NULL)
  small <- lower_case(choices)
  far <- utils::adist(lower_case(x), small)[1, ]
  inside <- startsWith(small, lower_case(x)) | startsWith(lower_case(x), small)
  far[inside & nchar(choices) > 1 & nchar(x) > 1] <- 1
  far[vapply(choices, same_words, NA, x)] <- 0
  best <- which.min(far)
  size <- max(nchar(x), nchar(choices[best]))
  near <- far[best] < nchar(x) && far[best] <= max(1, 0.34 * size)
  if (near) choices[best] else NULL
}

# "adversary_reg" and "reg_adversary".
same_words <- function(a, b) {
  words <- function(x) sort(strsplit(lower_case(x), "[^[:alnum:]]+")[[1]])
  identical(words(a), words(b))
}

did_you_mean <- function(x, choices) {
  near <- nearest_name(x, choices)
  if (is.null(near)) "" else paste0("Did you mean ", dQuote(near, FALSE), "? ")
}

# What a value is, in few words: "the text \"a\"", "3 numbers", "an object of class list".
describe <- function(x) {
  if (is.null(x)) return("`NULL`")
  if (is.atomic(x) && !is.object(x) && length(x) == 1) {
    if (is.na(x)) return("a missing value (`NA`)")
    if (is.character(x)) return(paste("the text", dQuote(x, FALSE)))
    return(paste0("`", format(x, digits = 15), "`"))
  }
  kind <- if (is.object(x)) NULL else switch(typeof(x), character = "texts", double = "numbers",
                                             integer = "numbers", logical = "logical values")
  if (!is.null(kind)) return(paste(length(x), kind))
  paste0("an object of class `", class(x)[1], "`")
}

count <- function(n) format(n, big.mark = ",", decimal.mark = ".", scientific = FALSE, trim = TRUE)

# "3 cells", "1 cell"
count_of <- function(n, what) {
  paste(count(n), if (n == 1) what else paste0(what, "s"))
}

# " (and 3 more cells)" after the first of n was named
and_more <- function(n, what = "cell") {
  if (n <= 1) "" else paste0(" (and ", count_of(n - 1, paste("more", what)), ")")
}

number_text <- function(x) vapply(x, format, "", digits = 4, trim = TRUE)

# -0.00 is 0.00.
score_text <- function(x) sub("^-(0[.]0+)$", "\\1", sprintf("%.2f", x))

bytes_text <- function(n) if (n < 1e9) sprintf("%.1f MB", n / 1e6) else sprintf("%.1f GB", n / 1e9)

duration_text <- function(seconds) {
  seconds <- round(seconds)
  if (seconds < 60) return(paste0(seconds, "s"))
  if (seconds < 3600) return(paste0(seconds %/% 60, "m ", seconds %% 60, "s"))
  paste0(seconds %/% 3600, "h ", (seconds %% 3600) %/% 60, "m")
}

# Lines of at most the console's width. What goes on stands below the text after a label of `label` letters, or
# without labels two letters to the right.
wrap_lines <- function(lines, label = 0L, width = getOption("width")) {
  wrap <- function(line) {
    if (nchar(line) <= width) return(line)
    lead <- nchar(sub("[^ ].*", "", line))
    if (label == 0L) return(strwrap(line, width + 1L, indent = lead, exdent = lead + 2L))
    text <- strwrap(substring(line, label + 1L), max(40L, width - label + 1L))
    paste0(c(substr(line, 1L, label), rep(strrep(" ", label), length(text) - 1L)), text)
  }
  unlist(lapply(lines, wrap))
}
