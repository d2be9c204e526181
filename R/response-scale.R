# On what scale means are, for tables, axes and predicted matrices: "log" (log-normalised), "counts", or
# "other", as a fit keeps that of its training data.

# Whether means of counts are taken of log-normalised values.
scores_logs <- function(fit, scale) is_count_loss(fit$meta$settings$loss_ae) && scale == "log"

gene_scale <- function(fit, scale) {
  if (!is_count_loss(fit$meta$settings$loss_ae)) return(fit$meta$scale)
  if (scale == "log") "log" else "counts"
}

protein_scale <- function(fit, scale) {
  if (fit$meta$settings$protein_loss == "gauss") return("other")
  if (scale == "log") "log1p" else "counts"
}

# What takes means (and variances) of proteins to their scale.
protein_scaling <- function(fit, scale) {
  if (protein_scale(fit, scale) == "log1p") function(x) log1p(pmax(x, 0)) else identity
}

# The table says its scale, of proteins under that name, and the total that cells were brought to. `of`: what it
# is of.
with_scale <- function(table, fit, screen, scale, of) {
  total <- if (scores_logs(fit, scale)) cell_totals(screen$x)
  own <- gene_scale(fit, scale)
  if ("proteins" %in% of) own <- c(genes = if ("genes" %in% of) own, proteins = protein_scale(fit, scale))
  attr(table, "scale") <- own
  attr(table, "total") <- if (length(total)) stats::median(total[total > 0])
  table
}

# `title` with the scale behind it; `between` them, and between two scales.
with_scale_words <- function(title, scale, between = " ") {
  words <- c(log = "log-normalised", counts = "counts", log1p = "log(1 + mean)")
  known <- scale[scale %in% names(words)]
  if (length(known) == 0L) return(title)
  text <- words[unique(known)]
  if (length(unique(scale)) > 1L) text <- paste(names(known), words[known])
  paste0(title, between, "(", paste(text, collapse = paste0(";", between)), ")")
}

# Lines and measured points can be compared.
check_same_scale <- function(response, observed, call) {
  of <- function(name) list(attr(response, name), attr(observed, name))
  scale <- lapply(of("scale"), function(s) if (is.null(names(s))) c(genes = s) else s)
  both <- intersect(names(scale[[1L]]), names(scale[[2L]]))
  if (length(both) == 0L && all(lengths(scale) > 0L)) {
    abort_input("`observed` must be of what `response` is of.",
                paste0("They are of ", names(scale[[2L]]), " and of ", names(scale[[1L]]), "."),
                "Give both functions the same `features`.", call)
  }
  other <- both[scale[[1L]][both] != scale[[2L]][both]]
  if (length(other)) {
    own <- vapply(scale, `[[`, "", other[1L])
    abort_input("`observed` must be on the scale of `response`.",
                paste0("They are on ", dQuote(own[2L], FALSE), " and ", dQuote(own[1L], FALSE), "."),
                "Give both functions the same `scale`.", call)
  }
  total <- unlist(of("total"))
  if (length(total) < 2L || max(total) <= 1.01 * min(total)) return(invisible())
  cli::cli_warn(c("The measured points and the response are of cells brought to different totals.",
                  "!" = "These are {format_dose(round(total[[2L]]))} and {format_dose(round(total[[1L]]))}.",
                  i = "Give both functions the same cells as `newdata`."),
                call = call, class = "compert_other_total")
}
