# Called by tools/demo, from the root of the source tree: blood cells under interferon-beta, the
# stimulated B cells held out. Writes a fit, its scores and two pictures into demo/.
suppressPackageStartupMessages({
  library(compert)
  library(SingleCellExperiment)
  library(ggplot2)
})

options(pillar.min_title_chars = 20)

say <- function(...) cat("demo: ", ..., "\n", sep = "")

# Whether `file` is there and younger than what it is made from; says so.
is_done <- function(file, from) {
  done <- file.exists(file) && file.mtime(file) >= max(file.mtime(from))
  if (done) say(file, " is there already (skipped; tools/demo --again starts anew)")
  done
}

fit_cells <- function(cells, file) {
  say("fitting: ", ncol(cells), " cells x ", nrow(cells), " genes, ",
      sum(cells$split == "ood"), " stimulated B cells held out")
  fit <- cpa(cells, "condition", control = "control", covariates = "cell_type", split = "split",
             settings = cpa_settings(seed = 1, verbose = TRUE))
  save_fit(fit, file, overwrite = TRUE)
  say("fitted in ", round(max(fit$history$seconds)), " s, saved to ", file,
      " (", round(file.size(file) / 2^20, 1), " MB; load_fit() reads it back)")
  fit
}

score_fit <- function(fit, cells, file) {
  scores <- evaluate_r2(fit, cells)
  write.csv(scores, file, row.names = FALSE)
  say("scores written to ", file)
}

# Change of every gene's mean in B cells: what was measured, and what the fit says of it.
effects <- function(fit, cells) {
  b <- cells[, cells$cell_type == "B"]
  mean_of <- function(which) Matrix::rowMeans(logcounts(b)[, b$condition == which])
  asked <- condition(condition = "IFNb", cell_type = "B")
  predicted <- predict(fit, cells, asked, summarise = "condition")
  control <- mean_of("control")
  data.frame(gene = rownames(b), observed = mean_of("IFNb") - control,
             predicted = assay(predicted, "mean")[rownames(b), 1] - control)
}

plot_effects <- function(table) {
  top <- table[order(-abs(table$observed))[1:12], ]
  ggplot(table, aes(predicted, observed)) +
    geom_abline(colour = "grey60", linewidth = 0.3) +
    geom_point(size = 0.7, alpha = 0.5, colour = "#0072B2") +
    geom_text(aes(label = gene), top, size = 2.8, hjust = 1.15, check_overlap = TRUE) +
    coord_equal() +
    labs(x = "Predicted change", y = "Observed change",
         title = "Stimulated B cells, which the fit has not seen",
         subtitle = paste0("Change of the mean under interferon-beta (log scale),\n", nrow(table),
                           " genes; line: prediction = observation")) +
    theme_minimal(base_size = 10) +
    theme(plot.background = element_rect(fill = "white", colour = NA),
          panel.grid.minor = element_blank(), plot.title = element_text(face = "bold"))
}

save_picture <- function(file, plot, width, height) {
  ggsave(file, plot, width = width, height = height, dpi = 110)
  say("picture written to ", file)
}

dir.create("demo", showWarnings = FALSE)
cells <- kang_example()
package <- system.file("Meta", "package.rds", package = "compert", mustWork = TRUE)
fit_file <- "demo/fit.h5"
fit <- if (is_done(fit_file, package)) load_fit(fit_file) else fit_cells(cells, fit_file)
if (!is_done("demo/r2.csv", fit_file)) score_fit(fit, cells, "demo/r2.csv")
if (!is_done("demo/r2.png", fit_file)) {
  save_picture("demo/r2.png", plot_r2(evaluate_r2(fit, cells)), 6.5, 4.2)
}
if (!is_done("demo/effects.png", fit_file)) {
  save_picture("demo/effects.png", plot_effects(effects(fit, cells)), 5, 5.2)
}
cat("\n")
print(fit)
cat("\nThe held-out condition: B cells under interferon-beta\n\n")
print(evaluate_r2(fit, cells, split = "ood"), width = 100)
