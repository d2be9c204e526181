# What a scale's guide was made with; ggplot2 keeps it in other places since 3.5.
guide_field <- function(scale, name) {
  if (is.list(scale$guide)) scale$guide[[name]] else scale$guide$params[[name]]
}
