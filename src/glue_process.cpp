// The process that a fit runs in; launch_local() starts several.
#include <Rcpp.h>

#ifndef _WIN32
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#endif

// Ends this process at once when the one that started it has ended; `parent` is that one's number.
// [[Rcpp::export(rng = false)]]
void core_end_with(int parent) {
#ifndef _WIN32
  std::thread([parent] {
    while (::getppid() == parent) std::this_thread::sleep_for(std::chrono::milliseconds(500));
    ::kill(::getpid(), SIGKILL);
  }).detach();
#endif
}
