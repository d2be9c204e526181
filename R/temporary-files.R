# Files that are written in a folder which several processes may use, on several machines.

# The name tells whose it is.
temporary_in <- function(dir, stem) tempfile(paste0(stem, owner_mark(), "-"), tmpdir = dir)

# "@host@1234@"
owner_mark <- function() paste0("@", host_name(), "@", Sys.getpid(), "@")

host_name <- function() gsub("[^[:alnum:].-]", "", Sys.info()[["nodename"]])

# Those of a search.
temporary_files <- function(dir) {
  list.files(dir, "^[.](cells-|search[.]rds-|trial-).*@[^@]*@[0-9]+@", all.files = TRUE, full.names = TRUE)
}

# Whether the process that wrote them is gone. Of another machine that can't be seen, nor on Windows, where
# to ask a process is to end it.
is_abandoned <- function(files) {
  if (length(files) == 0 || .Platform$OS.type == "windows") return(rep(FALSE, length(files)))
  owner <- regmatches(basename(files), regexec("@([^@]*)@([0-9]+)@", basename(files)))
  vapply(owner, function(o) o[2] == host_name() && !is_running(as.integer(o[3])), NA)
}

# Signal 0 only asks; it reaches no process of another user.
is_running <- function(pid) tools::pskill(pid, 0L) || dir.exists(file.path("/proc", pid))
