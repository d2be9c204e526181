# A small screen with doses: control at 0, A at three doses, B at 10 only, A+B at one pair, C held out.
# Numbers are drawn under a fixed seed.
dosed_cells <- function() {
  one <- data.frame(drug = rep(c("control", "A", "A", "A", "B", "A+B", "C"), each = 12),
                    dose = rep(c("0", "0.1", "1", "10", "10", "1+10", "5"), each = 12))
  one$cell_type <- rep(c("T", "NK"), length.out = nrow(one))
  one$split <- ifelse(one$drug == "C" | one$dose == "10" & one$drug == "A", "ood",
                      rep(c("train", "train", "test"), length.out = nrow(one)))
  x <- withr::with_seed(5, matrix(stats::rexp(8 * nrow(one)), 8))
  dimnames(x) <- list(paste0("g", 1:8), paste0("c", seq_len(nrow(one))))
  rownames(one) <- colnames(x)
  list(x = x, col_data = one)
}

# B at 10 and C, held out, at 0.05.
held_out_fit <- function() {
  cells <- dosed_cells()
  cells$col_data$dose[cells$col_data$drug == "C"] <- "0.05"
  keep <- cells$col_data$drug %in% c("control", "B", "C")
  suppressWarnings(cpa(
    cells$x[, keep], "drug", dose = "dose", control = "control", split = "split",
    molecules = cbind(f = c(B = 2, C = 3)), col_data = cells$col_data[keep, ], settings = quick_settings(1)
  ))
}

dosed_fit <- local({
  made <- list()
  function(..., cells = dosed_cells(), settings = quick_settings(1)) {
    key <- rlang::hash(list(..., cells, settings))
    if (is.null(made[[key]])) {
      made[[key]] <<- suppressWarnings(cpa(
        cells$x, "drug", dose = "dose", covariates = "cell_type", control = "control",
        split = "split", molecules = cbind(f = c(A = 1, B = 2, C = 3, D = 4)),
        col_data = cells$col_data, ..., settings = settings
      ))
    }
    made[[key]]
  }
})
