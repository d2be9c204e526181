# From the perturbation and dose columns to pairs of a name and a dose. Only distinct labels are
# parsed, whatever the number of cells. Pairs are kept together and sorted by name; a label is built
# from them and never parsed back. (theislab/cpa sorts the names and leaves the doses in the order
# of the string, so "B+A" with "2+1" gives A the dose 2.)

# C-locale order, the same on every machine.
sort_names <- function(x) sort(unique(as_utf8(as.character(x))), method = "radix")

# Sorted names by their value where all of them are numbers: "2" before "10".
by_number <- function(sorted) {
  number <- suppressWarnings(as.double(sorted))
  if (anyNA(number)) sorted else sorted[order(number)]
}

# The place of each level in that order.
level_rank <- function(x) match(x, by_number(sort_names(x)))

# Texts from read.csv(), readLines() or source() have no mark of their encoding: such bytes are no names
# in another locale, and order() refuses them.
as_utf8 <- function(x) {
  bare <- Encoding(x) == "unknown" & validUTF8(x)
  if (any(bare)) Encoding(x)[bare] <- "UTF-8"
  enc2utf8(x)
}

# The same in every locale: tolower() makes a dotless i of "I" in a Turkish one.
lower_case <- function(x) chartr("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", x)

# What levels are called, however they are stored: 100000L, 1e5 and "100000" are one.
level_names <- function(x) {
  if (!is.numeric(x) || is.object(x)) return(as_utf8(as.character(x)))
  distinct <- unique(x)
  text <- vapply(distinct, format, "", digits = 15, scientific = FALSE, decimal.mark = ".")
  text[is.na(distinct)] <- NA
  text[match(x, distinct)]
}

# "A+B" -> c("A", "B"). An empty part stays, as "". `sep = NULL` never splits. The + of a number
# such as 1e+05 is no separator.
split_text <- function(text, sep, number = FALSE) {
  if (is.null(sep)) return(as.list(text))
  ended <- paste0(text, sep, ".")
  pieces <- if (number && sep == "+") {
    strsplit(ended, "(?<![0-9.][eE])[+]", perl = TRUE)
  } else {
    strsplit(ended, sep, fixed = TRUE)
  }
  parts <- lapply(pieces, function(p) p[-length(p)])
  parts[is.na(text)] <- list(NA_character_)
  parts
}

# The dose column as one numeric vector per distinct value; a part that is no number is NaN, a
# missing value NA.
split_doses <- function(dose, sep) {
  if (is.numeric(dose)) return(as.list(as.double(dose)))
  lapply(split_text(dose, sep, number = TRUE), function(part) {
    number <- suppressWarnings(as.double(part))
    number[is.na(number) & !is.na(part)] <- NaN
    number
  })
}

# Distinct (label, dose) pairs of the cells and, per cell, the pair it has. `dose` may be NULL:
# then every part has dose 1 (facebookresearch/CPA, cpa/data.py, fills in the same).
parse_pairs <- function(label, dose, sep, cells) {
  label <- level_names(label)
  labels <- unique(label)
  label_code <- match(label, labels)
  parts <- split_text(labels, sep)
  if (is.null(dose)) {
    raw <- lapply(parts, function(p) rep(1, length(p)))
    return(list(code = label_code, label = labels, dose_text = NULL, parts = parts, doses = raw,
                ok = label_ok(parts),
                defects = label_defects(parts, labels, label_code, cells)))
  }
  if (is.factor(dose) || is.logical(dose)) dose <- as.character(dose)
  values <- unique(dose)
  pair <- (match(dose, values) - 1) * length(labels) + label_code
  pairs <- unique(pair)
  value <- (pairs - 1) %/% length(labels) + 1
  of_label <- (pairs - 1) %% length(labels) + 1
  doses <- split_doses(values, sep)[value]
  out <- list(code = match(pair, pairs), label = labels[of_label],
              dose_text = as.character(values)[value], parts = parts[of_label], doses = doses)
  out$ok <- label_ok(out$parts) & dose_ok(out$parts, out$doses)
  out$defects <- bind_defects(label_defects(parts, labels, label_code, cells),
                              dose_defects(out, cells))
  out
}

label_ok <- function(parts) vapply(parts, function(p) !anyNA(p) && all(nzchar(p)), NA)

dose_ok <- function(parts, doses) {
  lengths(parts) == lengths(doses) &
    vapply(doses, function(d) all(is.finite(d)) && all(d >= 0), NA)
}

label_defects <- function(parts, labels, code, cells) {
  missing <- is.na(labels)
  empty <- !missing & vapply(parts, function(p) any(!nzchar(p)), NA)
  bind_defects(
    pair_defect("missing perturbation", missing, code, cells,
                "`perturbation` must have a value for every cell.",
                function(k) "has none (NA)",
                "Name its condition (the control's name for controls) or leave the cell out."),
    pair_defect("empty perturbation", empty, code, cells,
                "`perturbation` must have a name in each part of a combination.",
                function(k) paste("has perturbation", dQuote(labels[k], FALSE)),
                "Write \"A+B\"; if + belongs to a name, choose another `sep`.")
  )
}

dose_defects <- function(pairs, cells) {
  arity <- lengths(pairs$parts) != lengths(pairs$doses) & !is.na(pairs$label)
  missing <- vapply(pairs$doses, function(d) any(is.na(d) & !is.nan(d)), NA)
  text <- vapply(pairs$doses, function(d) any(is.nan(d)), NA)
  infinite <- vapply(pairs$doses, function(d) any(is.infinite(d)), NA)
  negative <- vapply(pairs$doses, function(d) any(d < 0, na.rm = TRUE), NA) & !infinite
  says <- function(k) {
    paste0("has perturbation ", dQuote(pairs$label[k], FALSE), " and dose ",
           if (is.na(pairs$dose_text[k])) "NA" else dQuote(pairs$dose_text[k], FALSE))
  }
  example <- function(k) paste(rep("1.0", length(pairs$parts[[k]])), collapse = "+")
  first <- which(arity & !missing)
  bind_defects(
    pair_defect("missing dose", missing, pairs$code, cells,
                "`dose` must have a value for every cell.", says,
                "Give the cell its dose (controls too: 0 or 1), or leave `dose` out."),
    pair_defect("number of doses", arity & !missing & !text, pairs$code, cells,
                "`dose` must have one value per perturbation in `perturbation`.", says,
                paste0("Write ", if (length(first)) dQuote(example(first[1]), FALSE) else "\"1.0\"",
                       ", or leave `dose` out to give every perturbation dose 1. Where the sign that joins ",
                       "names belongs to one, choose another `sep` (NULL: none).")),
    pair_defect("dose is no number", text, pairs$code, cells,
                "`dose` must be a number, or numbers joined as the perturbations are.", says,
                "Write numbers without units, like 0.5 or \"1.0+0.5\"; `dose_unit` says the unit."),
    pair_defect("dose is infinite", infinite, pairs$code, cells,
                "`dose` must be finite.", says, "Correct the dose of this cell."),
    pair_defect("negative dose", negative, pairs$code, cells,
                "`dose` must be 0 or greater.", says,
                "Give amounts, not logarithms: dose = 10^log10_dose.")
  )
}

# One defect for all pairs marked in `bad`, telling of the first cell that has one.
pair_defect <- function(check, bad, code, cells, must, says, todo) {
  if (!any(bad)) return(NULL)
  hit <- which(bad[code])
  said <- gsub(joint_sep, "+", says(code[hit[1]]), fixed = TRUE)
  new_defect(check, must, paste0("Cell ", dQuote(cells[hit[1]], FALSE), " ", said, and_more(length(hit)), "."),
             todo, n = length(hit))
}

# Parts and doses as the model takes them: the control as padding of a combination is dropped,
# a name that is there twice has the sum of its doses, and pairs are sorted by name.
tidy_pair <- function(parts, doses, control = NULL) {
  if (!is.null(control) && control %in% parts) {
    if (all(parts == control)) return(list(parts = control, doses = max(doses)))
    keep <- parts != control
    parts <- parts[keep]
    doses <- doses[keep]
  }
  if (length(parts) == 1) return(list(parts = parts, doses = doses))
  names <- sort_names(parts)
  list(parts = names, doses = vapply(names, function(p) sum(doses[parts == p]), 0,
                                     USE.NAMES = FALSE))
}

# `idle_zero`: whether nothing acts at dose 0, see acting_parts().
tidy_pairs <- function(parts, doses, control = NULL, idle_zero = FALSE) {
  both <- Map(function(p, d) tidy_pair(p, d, control), parts, doses)
  pairs <- list(parts = unname(lapply(both, `[[`, "parts")), doses = unname(lapply(both, `[[`, "doses")))
  if (isTRUE(idle_zero)) acting_parts(pairs) else pairs
}

# "A+B" at "1+0" is A at 1 where nothing acts at dose 0. What has no part that acts stays as it is.
acting_parts <- function(pairs) {
  for (k in which(vapply(pairs$doses, function(d) any(d %in% 0) && !all(d %in% 0), NA))) {
    acts <- !pairs$doses[[k]] %in% 0
    pairs$parts[[k]] <- pairs$parts[[k]][acts]
    pairs$doses[[k]] <- pairs$doses[[k]][acts]
  }
  pairs
}

# The label that people read: names joined by `sep`, each followed by its dose. `doses` is NULL where the
# screen has none; a dose that is not known (NA) is left out.
condition_label <- function(parts, doses = NULL, sep = "+") {
  sep <- sep %||% "+"
  if (is.null(doses)) return(paste_parts(unlist(parts, use.names = FALSE), lengths(parts), sep))
  dose <- unlist(doses, use.names = FALSE)
  name <- unlist(parts, use.names = FALSE)
  paste_parts(ifelse(is.na(dose), name, paste0(name, "@", format_dose(dose))), lengths(parts), sep)
}

# Consecutive texts, `size` of them at a time, each group as one text.
paste_parts <- function(text, size, sep) {
  single <- size == 1
  if (all(single)) return(as.character(text))
  out <- character(length(size))
  row <- rep(seq_along(size), size)
  out[single] <- as.character(text[single[row]])
  many <- base::split(text[!single[row]], row[!single[row]])
  out[as.integer(names(many))] <- vapply(many, paste, "", collapse = sep)
  out
}

# The same under any options(scipen = , OutDec = ): conditions are known, and sorted, by these texts.
format_dose <- function(dose) {
  distinct <- unique(dose)
  text <- vapply(distinct, format, "", digits = 15, scientific = 0, decimal.mark = ".")
  text[match(dose, distinct)]
}

# The doses of each condition as one text, "1+0.5".
dose_text <- function(doses, sep) {
  paste_parts(format_dose(unlist(doses, use.names = FALSE)), lengths(doses), sep %||% "+")
}

# The text that identifies a condition, whatever characters its names have.
condition_key <- function(parts, doses) {
  text <- paste0(unlist(parts, use.names = FALSE), rep("\u001f", sum(lengths(parts))),
                 format_dose(unlist(doses, use.names = FALSE)))
  paste_parts(text, lengths(parts), "\u001e")
}

# The same with the covariates that a condition is asked for or was measured under.
place_key <- function(of) paste(condition_key(of$parts, of$doses), row_keys(of$covariates), sep = "\f")

# Whether doses differ that no column tells: "A+A" is A at dose 2.
has_hidden_doses <- function(doses, keys) {
  is.null(keys$dose) && any(unlist(doses, use.names = FALSE) != 1)
}

# The doses that labels tell; NULL where they tell none. `all`: those of the whole screen, so that a
# condition has one label, whichever others are beside it.
shown_doses <- function(doses, keys, all = doses) {
  if (!is.null(keys$dose) || has_hidden_doses(all, keys)) doses
}
