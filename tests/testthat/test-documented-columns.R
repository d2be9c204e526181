# Every column of every table is named in the help of the verb that returns it. A new export is put into one of the
# two lists below.

# Tables of a verb: `tables()` makes them; `own` are columns of the user's in them, `page` is the help's.
returns <- function(tables, own = c("cell_type", "drug", "condition", "dose"), page = NULL) {
  list(tables = tables, own = own, page = page)
}

of_small <- function(verb, ...) verb(small_fit(), small_cells()$x, ..., col_data = small_cells()$col_data)
of_multi <- function(verb, ...) verb(multi_fit(), cite_rows(), ..., col_data = cite_cells()$col_data)
of_doses <- function(verb, ...) verb(dosed_fit(), dosed_cells()$x, ..., col_data = dosed_cells()$col_data)
small_condition <- function() condition(condition = "IFNb", cell_type = "B")
described <- function(answer) list(attr(answer, "col_data"))

with_tables <- list(
  augment = returns(function() list(of_multi(augment)), names(cite_cells()$col_data), "tidiers"),
  check_screen = returns(function() {
    cells <- small_cells()
    check_screen(cells$x, "condition", covariates = "cell_type", control = "control", split = "split",
                 effects = TRUE, col_data = cells$col_data)[c("defects", "design")]
  }),
  compare_r2 = returns(function() list(compare_r2(a = score_small(), b = score_small(), by = "cell_type"))),
  condition = returns(function() list(small_condition()), "cell_type"),
  condition_grid = returns(function() list(condition_grid("IFNb", cell_type = "B")), "cell_type"),
  cycle_uncertainty = returns(function() {
    list(of_multi(cycle_uncertainty, condition("A", cell_type = "NK"), n_cells = 5))
  }),
  device_info = returns(function() list(device_info())),
  disentanglement = returns(function() list(of_small(disentanglement, classifier = "knn", split = NULL))),
  dose_response = returns(function() {
    list(dose_response(dosed_fit()), of_doses(dose_response, space = "genes", perturbation = "A", n_points = 2),
         of_doses(dose_response, perturbation = "A", n_points = 2, genes = "g1"))
  }, "cell_type"),
  dose_response2d = returns(function() {
    ask <- function(...) of_doses(dose_response2d, perturbation = c("A", "B"), n_points = 2, ...)
    list(ask(space = "latent"), ask(space = "genes"), ask(genes = "g1"))
  }, "cell_type"),
  embedding_clusters = returns(function() {
    list(embedding_clusters(cbind(c(1, 1.1, 5, 5.1), 0), c("a", "a", "b", "b")))
  }),
  evaluate_cells = returns(function() list(of_multi(evaluate_cells, min_cells = 1))),
  evaluate_effects = returns(function() list(of_multi(evaluate_effects, min_cells = 1))),
  evaluate_r2 = returns(function() {
    scores <- of_multi(evaluate_r2, min_cells = 1)
    list(scores, summary(scores))
  }),
  expected_r2 = returns(function() list(of_multi(expected_r2, n_draws = 2))),
  glance = returns(function() list(glance(small_fit())), page = "tidiers"),
  interaction_table = returns(function() {
    list(of_multi(interaction_table), of_multi(interaction_table, by = "gene"))
  }),
  knn_purity = returns(function() list(knn_purity(cbind(1:6, 1), rep(c("a", "b"), 3), k = 2, by_label = TRUE))),
  molecular_uncertainty = returns(function() {
    list(molecular_uncertainty(rbind(a = c(1, 3), b = c(2, 3), c = c(6, 1)), c(a = "x", b = "x", c = "y")))
  }),
  observed_response = returns(function() {
    list(of_doses(observed_response), of_doses(observed_response, genes = "g1"),
         of_doses(observed_response, pair = c("A", "B")))
  }, "cell_type"),
  prediction_uncertainty = returns(function() {
    list(prediction_uncertainty(small_fit(), small_condition(), min_cells = 1))
  }),
  pretrain_molecules = returns(function() {
    skip_without(core_has_rdkit(), "RDKit")
    list(pretrain_molecules(c("CCO", "c1ccccc1O"), epochs = 1, seed = 1, verbose = FALSE)$history)
  }),
  rank_degs = returns(function() {
    list(rank_degs(small_cells()$x, "condition", control = "control", covariates = "cell_type",
                   col_data = small_cells()$col_data))
  }),
  tidy = returns(function() list(tidy(small_fit())), page = "tidiers"),
  transfer_table = returns(function() {
    list(transfer_table(of_small(fine_tune, "condition", control = "control", covariates = "cell_type",
                                 split = "split", epochs = 1, seed = 1)))
  }),
  tune_fit = returns(function() {
    found <- small_halving(trials = 3)
    list(found$trials, found$rungs, tidy(found))
  }, names(tuned_space())),
  # Not exported by these names.
  compert_fit = returns(function() list(multi_fit()$history, small_fit()$history, summary(small_fit())$conditions)),
  predict.compert_fit = returns(function() {
    cells <- dosed_cells()
    nearest <- baseline_fit(cells$x, "drug", method = "nearest", dose = "dose", covariates = "cell_type",
                            control = "control", split = "split", molecules = cbind(f = c(A = 1, B = 2, C = 3)),
                            col_data = cells$col_data)
    c(described(predict(nearest, cells$x, condition("C", dose = 5, cell_type = "T"), summarise = "condition",
                        col_data = cells$col_data)),
      described(of_small(predict, small_condition(), type = "sample", n_samples = 2)),
      described(of_small(predict, small_condition(), summarise = "condition", uncertainty = TRUE, min_cells = 1)))
  }, names(small_cells()$col_data))
)

without_tables <- c(
  "add_levels", "add_molecules", "baseline_fit", "batch_mixing", "canonical_smiles", "cell_embedding", "chemcpa",
  "chemcpa_settings", "cite_example", "compert_sitrep", "covariate_embedding", "cpa", "cpa_settings", "default_space",
  "distribution_distance", "drugseq_example", "fine_tune", "integer_uniform", "kang_example", "launch_local",
  "load_fit", "log_uniform", "multicpa", "multicpa_settings", "perturbation_embedding", "plot_dose_response",
  "plot_dose_response2d", "plot_embedding", "plot_genes", "plot_interactions", "plot_means", "plot_r2",
  "plot_r2_matrix", "plot_similarity", "plot_uncertainty", "protein_expression", "published_settings", "r2_matrix",
  "read_h5ad", "read_h5mu", "read_reference_fit", "reconstruct", "render_report", "resume_fit", "save_fit", "scgen",
  "scgen_settings", "search_space", "similarity", "smiles_features", "split_cells", "uniform", "write_back",
  "write_h5ad", "write_h5mu"
)

# list(aliases, value, words) of every help page: the text of its value, and the words that are set as code there or
# in lists on the page (not those of arguments), and the items of these.
help_pages <- local({
  made <- NULL
  function() {
    if (is.null(made)) {
      made <<- lapply(list.files(file.path(source_tree(), "man"), "[.]Rd$", full.names = TRUE), function(file) {
        rd <- tools::parse_Rd(file)
        tags <- vapply(rd, attr, "", "Rd_tag")
        of <- function(...) rd[tags %in% c(...)]
        lists <- parts_of(of("\\value", "\\details", "\\section"), "\\describe")
        words <- c(parts_of(c(of("\\value"), lists), "\\code"), lapply(parts_of(lists, "\\item"), `[[`, 1))
        list(aliases = vapply(of("\\alias"), text_of, ""), value = text_of(of("\\value")),
             words = unlist(regmatches(words <- vapply(words, text_of, ""), gregexpr("[.A-Za-z][.A-Za-z0-9_]*", words))))
      })
    }
    made
  }
})

text_of <- function(rd) paste(as.character(unlist(rd)), collapse = "")

# The pieces of `tag`, wherever they are.
parts_of <- function(rd, tag) {
  if (!is.list(rd)) return(list())
  inner <- unlist(lapply(rd, parts_of, tag), recursive = FALSE)
  if (identical(attr(rd, "Rd_tag"), tag) && length(rd)) c(list(rd), inner) else inner
}

page_of <- function(verb) {
  alias <- with_tables[[verb]]$page %||% verb
  Filter(function(page) alias %in% page$aliases, help_pages())[[1]]
}

test_that("every export is in one of the lists, and what returns a tibble is in the first", {
  skip_without_source_tree()
  skip_without(dir.exists(file.path(source_tree(), "man")), "source tree")
  extra <- c("compert_fit", "predict.compert_fit")
  expect_setequal(c(setdiff(names(with_tables), extra), without_tables), getNamespaceExports("compert"))
  expect_length(intersect(names(with_tables), without_tables), 0)
  first <- function(page) page$aliases[1]
  tabular <- Filter(function(page) grepl("tibble", page$value), help_pages())
  expect_identical(setdiff(vapply(tabular, first, ""), vapply(lapply(names(with_tables), page_of), first, "")),
                   character())
})

for (verb in names(with_tables)) {
  test_that(paste("the columns of", verb, "are in its help"), {
    skip_without_source_tree()
    skip_without(dir.exists(file.path(source_tree(), "man")), "source tree")
    known <- page_of(verb)$words
    for (table in suppressMessages(suppressWarnings(with_tables[[verb]]$tables()))) {
      expect_true(is.data.frame(table) && ncol(table) > 0)
      expect_identical(setdiff(names(table), c(known, with_tables[[verb]]$own)), character())
    }
  })
}
