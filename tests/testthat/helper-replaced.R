# Another function in the place of one of the package's, until the calling test ends.
local_replaced <- function(name, value, frame = parent.frame()) {
  ns <- asNamespace("compert")
  original <- ns[[name]]
  put <- function(value) {
    unlockBinding(name, ns)
    assign(name, value, ns)
    lockBinding(name, ns)
  }
  withr::defer(put(original), frame)
  put(value)
}
