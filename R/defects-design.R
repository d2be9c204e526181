# What can be odd about the design of a screen that could be read. `described`: perturbations whose
# molecules the model reads; `as_they_are`: whether it takes doses without scaling them.

design_defects <- function(screen, described = character(), as_they_are = FALSE) {
  bind_defects(size_defects(screen), split_defects(screen), untrained_defects(screen, described),
               control_defects(screen), few_cell_defects(screen), empty_defects(screen),
               name_like_defects(screen), cut_name_defects(screen), confounded_defects(screen),
               constant_defects(screen),
               dose_range_defects(screen),
               if (as_they_are) large_dose_defect(screen))
}

size_defects <- function(screen) {
  n <- ncol(screen$x)
  least <- function(check, what, have, need, todo) {
    if (have >= need) return(NULL)
    new_defect(check, paste0("A screen must have at least ", count_of(need, what), "."),
               paste0("It has ", have, "."), todo)
  }
  bind_defects(
    least("too few cells", "cell", n, 4, "Give all cells of the screen, controls included."),
    least("too few genes", "gene", nrow(screen$x), 2,
          "Matrices have genes in rows and cells in columns: t(x) turns one over."),
    least("no perturbed cells", "perturbed cell", sum(!screen$control), 1,
          "The model learns from perturbed cells; controls alone teach no perturbation.")
  )
}

split_defects <- function(screen) {
  if (is.null(screen$split)) return(NULL)
  n <- sum(screen$split == "train")
  bind_defects(
    if (n < 2) {
      new_defect("no training cells", "The split must leave at least two cells in \"train\".",
                 paste0("It leaves ", n, "."), "split = NULL splits automatically.")
    },
    if (n >= 2 && !any(screen$control & screen$split == "train")) {
      new_defect("no training controls", "Some controls should be in \"train\".",
                 "None is.", "Put some there, or let split_cells() make the column.",
                 severity = "warning")
    }
  )
}

# Names that training never meets have embeddings that nothing has moved: predictions for them are
# random, unless they are computed from a molecule.
untrained_defects <- function(screen, described) {
  if (is.null(screen$split)) return(NULL)
  train <- screen$split == "train"
  parts <- unique(screen$code[train])
  of_code <- screen$parts[match(parts, screen$code)]
  seen <- unlist(of_code, use.names = FALSE)
  all <- unlist(screen$parts[!duplicated(screen$code)], use.names = FALSE)
  one <- function(unseen, what) {
    if (length(unseen) == 0) return(NULL)
    new_defect(paste("untrained", what), paste0("Every ", what, " should be in training cells."),
               paste0(name_list(unseen), if (length(unseen) == 1) " is" else " are", " not."),
               paste("Predictions for", if (length(unseen) == 1) "it would be random; keep some of its" else
                 "them would be random; keep some of their", "cells in \"train\"."),
               severity = "warning", n = length(unseen))
  }
  bind_defects(
    one(setdiff(all, c(seen, screen$keys$control, described)), "perturbation"),
    lapply(names(screen$covariates), function(name) {
      level <- screen$covariates[[name]]
      one(setdiff(level, level[train]), paste("level of", name))
    })
  )
}

# Combinations of covariates that have perturbed cells and no controls.
control_defects <- function(screen) {
  names <- screen$keys$covariates
  if (length(names) == 0) return(NULL)
  level <- do.call(paste, c(unname(as.list(screen$covariates[names])), sep = ", "))
  alone <- setdiff(level, level[screen$control])
  if (length(alone) == 0) return(NULL)
  new_defect("covariate without controls",
             paste0("Each combination of ", paste(names, collapse = " x "),
                    " should have control cells."),
             paste0(name_list(alone), if (length(alone) == 1) " has" else " have", " none."),
             paste("Training validates there with the controls of the others; evaluate_r2() has no score, and",
                   "predict() needs `source = \"all\"`."),
             severity = "warning", n = length(alone))
}

few_cell_defects <- function(screen, least = 5) {
  group <- condition_group(screen)
  code <- match(group, unique(group))
  size <- tabulate(code)
  few <- which(size < least)
  if (length(few) == 0) return(NULL)
  first <- match(few, code)
  shown <- shown_doses(screen$doses[first], screen$keys, screen$doses)
  label <- condition_label(screen$parts[first], shown, screen$keys$sep)
  levels <- screen$covariates[first, screen$keys$covariates, drop = FALSE]
  for (level in levels) label <- paste0(label, ", ", level)
  new_defect("few cells", paste0("Conditions should have at least ", least, " cells."),
             paste0(name_list(label), if (length(few) == 1) " has" else " have", " fewer."),
             "They teach little and are left out of scores; merge or drop them.",
             severity = "warning", n = length(few))
}

empty_defects <- function(screen) {
  empty <- core_empty_margins(screen$x)
  bind_defects(
    if (length(empty$cells) > 0) {
      new_defect("empty cells", "Cells should have some expression.",
                 paste0(name_list(colnames(screen$x)[empty$cells]),
                        if (length(empty$cells) == 1) " has" else " have", " only 0."),
                 "Filter them out.", severity = "warning", n = length(empty$cells))
    },
    if (length(empty$genes) > 0) {
      new_defect("empty genes", "Genes are more use when some cell expresses them.",
                 paste0(count_of(length(empty$genes), "gene"), " of ", nrow(screen$x),
                        if (length(empty$genes) == 1) " has" else " have", " only 0: ",
                        name_list(rownames(screen$x)[empty$genes], 3), "."),
                 "Leaving them out saves time.", severity = "note", n = length(empty$genes))
    }
  )
}

# Names that differ in case, blanks, dots, dashes and underscores only; a second control.
name_like_defects <- function(screen) {
  atoms <- sort_names(unlist(screen$parts[!duplicated(screen$code)], use.names = FALSE))
  sets <- c(list(perturbation = atoms), lapply(screen$covariates, sort_names))
  twins <- lapply(names(sets), function(what) {
    # The dots and signs of numbers are no spelling.
    texts <- sets[[what]][is.na(suppressWarnings(as.double(sets[[what]])))]
    plain <- lower_case(gsub("[[:space:]_.-]", "", texts))
    alike <- texts[plain %in% plain[duplicated(plain)]]
    if (length(alike) == 0) return(NULL)
    new_defect("names nearly alike", paste0("Names of ", what, " should be clearly different."),
               paste0(name_list(alike, 8), " differ in case, blanks, dots, dashes or underscores only."),
               "Spell them alike if they mean the same.", severity = "warning", n = length(alike))
  })
  others <- setdiff(atoms[lower_case(atoms) %in% usual_controls()], screen$keys$control)
  names <- unique(unlist(sets, use.names = FALSE))
  blanks <- names[grepl("^\\s|\\s$", names)]
  bind_defects(
    twins,
    if (length(others) > 0) {
      new_defect("second control", "Every name of the controls should be given.",
                 paste0("Besides ", control_words(screen$keys), " there is ", name_list(others), "."),
                 paste0("If these are controls, write control = ", deparse1(c(control_names(screen$keys), others)), "."),
                 severity = "warning")
    },
    if (length(blanks) > 0) {
      new_defect("blanks around names", "Names should not begin or end with a blank.",
                 paste0(name_list(blanks), if (length(blanks) == 1) " does." else " do."),
                 "Write trimws() around the column.", severity = "warning", n = length(blanks))
    }
  )
}

# Names that hold the separator, such as "(+)-JQ1", are read as combinations: brackets that open in one part and
# close in another give them away.
cut_name_defects <- function(screen) {
  parts <- screen$parts[!duplicated(screen$code)]
  parts <- parts[lengths(parts) > 1L & is.null(screen$keys$columns)]
  atoms <- unique(unlist(parts, use.names = FALSE))
  number <- function(sign) nchar(gsub(paste0("[^", sign, "]"), "", atoms))
  cut <- atoms[number("(") != number(")") | number("[") != number("]")]
  if (length(cut) == 0L) return(NULL)
  sep <- dQuote(screen$keys$sep, FALSE)
  new_defect("names cut in two", "Names of perturbations should not hold what joins the names of combinations.",
             paste0(name_list(cut), if (length(cut) == 1L) " was" else " were", " cut out of longer names at ", sep,
                    "."),
             "Write sep = NULL where there are no combinations, or join names by another sign.",
             severity = "warning", n = length(cut))
}

large_dose_defect <- function(screen) {
  if (is.null(screen$keys$dose)) return(NULL)
  highest <- max(0, unlist(screen$doses[!duplicated(screen$code) & !screen$control]))
  if (highest <= 100) return(NULL)
  new_defect("large doses", "Doses that go into the model as they are should be near 1.",
             paste0("They go up to ", format(highest, digits = 6), "."),
             "Divide them by the largest.", severity = "warning")
}

dose_range_defects <- function(screen) {
  if (is.null(screen$keys$dose)) return(NULL)
  pick <- !duplicated(screen$code)
  idle <- vapply(screen$doses[pick & !screen$control], function(d) all(d == 0), NA)
  zero <- condition_label(unique(screen$parts[pick & !screen$control][idle]), sep = screen$keys$sep)
  control <- sort(unique(unlist(screen$doses[pick & screen$control])))
  bind_defects(
    if (length(zero) > 0) {
      new_defect("dose 0", "Perturbed cells should have a dose above 0.",
                 paste0(name_list(zero), " at dose 0: a perturbation adds nothing there."),
                 "Name these cells as controls.", severity = "warning", n = length(zero))
    },
    if (length(control) > 1) {
      new_defect("doses of controls", "Controls are easiest to read at one dose.",
                 paste0("Theirs are ", paste(format_dose(utils::head(control, 6)), collapse = ", "),
                        "."), "Give them one.", severity = "note", n = length(control))
    }
  )
}
