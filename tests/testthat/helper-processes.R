# What tests of several processes share.

skip_without_gloo <- function() {
  skip_without(.Platform$OS.type == "unix", "processes of Unix")
  skip_without(core_build_info()$c10d, "Gloo")
}

# Runs in every process, without anything of this one but its arguments.
in_processes <- function(fun) {
  environment(fun) <- globalenv()
  fun
}
