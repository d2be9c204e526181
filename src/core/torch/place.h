// Where the environment says that a group of processes meets, and the ways between its machines.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

namespace compert {

/// The value of the first of these environment variables that is set; empty: none is.
std::string environment(std::initializer_list<const char*> names);

/// A process in its group, and where the first process of it is met.
struct Place {
  int64_t rank = 0, size = 1, port = 29500;
  std::string host;
  bool starter_serves = false;  ///< torchrun itself serves there
  std::string attempt;          ///< torchrun's, which may start all processes again

  /// Whether this process serves what the others find each other by.
  bool serves() const { return rank == 0 && !starter_serves; }
};

/// What torchrun sets; or else what srun sets, whose first task then runs where it was started.
Place place();

/// Whether launch_local() has started the group, and that process of it has come to its end.
bool has_ended(int64_t rank);

/// While there is one launch_local() does not end this process, which writes.
class Writing {
 public:
  Writing();
  ~Writing();
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;

 private:
  std::string file_;  ///< empty: launch_local() did not start it
};

/// After which a process that does not answer counts as lost.
std::chrono::milliseconds patience();
/// After which a process that does not come to a fit counts as lost: the slowest needs time to read its cells.
std::chrono::milliseconds patience_to_join();

/// The address that process `rank` gives to the others. `own` are the addresses by which each process
/// is seen from the first one's; `route` tells this machine's address on the way to another. Debian
/// has the machine's own name for 127.0.1.1: who finds the first process there goes by the way to one
/// that is elsewhere.
std::string address_for_others(const std::vector<std::string>& own, int64_t rank,
                               const std::function<std::string(const std::string&)>& route);

#ifdef COMPERT_HAVE_C10D
/// This machine's address on the way to another; empty: there is none.
std::string route_to(const std::string& host, int64_t port);

/// Why no server can be spoken to there; empty: one can, for it closes what was closed here.
std::string why_not_served(const Place& p, std::chrono::milliseconds limit);
#endif

}  // namespace compert
