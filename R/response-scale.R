# On what scale means are, for tables, axes and predicted matrices: "log" (log-normalised), "counts", or
# "other", as a fit keeps that of its training data.

# Whether means of counts are taken of log-normalised values.
scores_logs <- function(fit, scale) is_count_loss(fit$meta$settings$loss_ae) && scale == "log"

gene_scale <- function(fit, scale) {
  if (!is_count_loss(fit$meta$settings$loss_ae)) return(fit$meta$scale)
  if (scale == "log") "log" else "counts"
}

# The table says its scale, and the total that cells were brought to.
with_scale <- function(table, fit, screen, scale) {
  total <- if (scores_logs(fit, scale)) cell_totals(screen$x)
  structure(table, scale = gene_scale(fit, scale),
            total = if (length(total)) stats::median(total[total > 0]))
}

# `title` with the scale behind it.
with_scale_words <- function(title, scale, between = " ") {
  words <- c(log = "(log-normalised)", counts = "(counts)")
  scale <- intersect(scale, names(words))
  if (length(scale)) paste0(title, between, words[[scale]]) else title
}

# Lines and measured points can be compared.
check_same_scale <- function(response, observed, call) {
  of <- function(name) list(attr(response, name), attr(observed, name))
  scale <- of("scale")
  if (any(lengths(scale) == 0L)) return(invisible())
  if (scale[[1L]] != scale[[2L]]) {
    abort_input("`observed` must be on the scale of `response`.",
                paste0("They are on ", dQuote(scale[[2L]], FALSE), " and ", dQuote(scale[[1L]], FALSE), "."),
                "Give both functions the same `scale`.", call)
  }
  total <- unlist(of("total"))
  if (length(total) < 2L || max(total) <= 1.01 * min(total)) return(invisible())
  cli::cli_warn(c("The measured points and the response are of cells brought to different totals.",
                  "!" = "These are {format_dose(round(total[[2L]]))} and {format_dose(round(total[[1L]]))}.",
                  i = "Give both functions the same cells as `newdata`."),
                call = call, class = "compert_other_total")
}
