// Environment variables, addresses and sockets; nothing of c10d.
#include "place.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "compert/error.h"

#ifdef COMPERT_HAVE_C10D
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#endif

namespace compert {
namespace {

constexpr const char* kHow =
    "Start the script with launch_local(), torchrun or srun, or leave `distributed` out";

int64_t whole_number(const char* name, const std::string& text, int64_t least, int64_t below) {
  char* end = nullptr;
  const int64_t n = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || n < least || n >= below)
    throw Error("distributed", std::string("must find a whole number in ") + name,
                text.empty() ? "It is not set" : "It is \"" + text + "\"", kHow);
  return n;
}

/// What a process of launch_local() leaves for the others there; empty: it is none.
std::string left_by(const char* what, const std::string& rank) {
  const std::string folder = environment({"COMPERT_LAUNCH_FOLDER"});
  return folder.empty() ? "" : folder + "/" + what + "-" + rank;
}

bool is_loopback(const std::string& address) {
  return address.rfind("127.", 0) == 0 || address == "::1";
}

}  // namespace

std::string environment(std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  return "";
}

Place place() {
  const bool slurm = environment({"RANK"}).empty() && !environment({"SLURM_PROCID"}).empty();
  const char *rank = slurm ? "SLURM_PROCID" : "RANK", *size = slurm ? "SLURM_NTASKS" : "WORLD_SIZE";
  Place p;
  p.size = whole_number(size, environment({size}), 1, 1 << 20);
  p.rank = whole_number(rank, environment({rank}), 0, p.size);
  if (p.size == 1) return p;
  p.host = slurm ? environment({"MASTER_ADDR", "SLURM_LAUNCH_NODE_IPADDR"})
                 : environment({"MASTER_ADDR"});
  if (p.host.empty())
    throw Error("distributed", "must find the address of the first process in MASTER_ADDR",
                "It is not set", kHow);
  if (const std::string port = environment({"MASTER_PORT"}); !port.empty())
    p.port = whole_number("MASTER_PORT", port, 1, 65536);
  p.starter_serves = !slurm && environment({"TORCHELASTIC_USE_AGENT_STORE"}) == "True";
  p.attempt = environment({"TORCHELASTIC_RESTART_COUNT"});
  return p;
}

bool has_ended(int64_t rank) {
  const std::string file = left_by("end", std::to_string(rank));
  return !file.empty() && std::ifstream(file).good();
}

Writing::Writing() : file_(left_by("writing", environment({"RANK"}))) {
  if (!file_.empty()) std::ofstream(file_).put('\n');
}

Writing::~Writing() {
  if (!file_.empty()) std::remove(file_.c_str());
}

static std::chrono::milliseconds time_of(const char* name, int64_t seconds) {
  if (const std::string given = environment({name}); !given.empty())
    seconds = whole_number(name, given, 1, 1 << 20);
  return std::chrono::seconds(seconds);
}

std::chrono::milliseconds patience() { return time_of("COMPERT_GROUP_TIMEOUT", 50); }
std::chrono::milliseconds patience_to_join() { return time_of("COMPERT_JOIN_TIMEOUT", 600); }

std::string address_for_others(const std::vector<std::string>& own, int64_t rank,
                               const std::function<std::string(const std::string&)>& route) {
  const std::string& mine = own[static_cast<std::size_t>(rank)];
  if (!is_loopback(mine)) return mine;
  for (const std::string& other : own) {
    if (other.empty() || is_loopback(other)) continue;
    if (const std::string out = route(other); !out.empty()) return out;
  }
  return mine;
}

#ifdef COMPERT_HAVE_C10D
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

/// Null, with the reason, where the name is of no machine.
Addresses addresses_of(const std::string& host, int64_t port, int type, std::string& why) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = type;
  const int status = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (status != 0) why = gai_strerror(status);
  return Addresses(status == 0 ? found : nullptr, &freeaddrinfo);
}

struct Socket {
  int handle;
  explicit Socket(const addrinfo& a) : handle(socket(a.ai_family, a.ai_socktype, a.ai_protocol)) {}
  ~Socket() {
    if (handle >= 0) close(handle);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  bool ready_for(short event, std::chrono::milliseconds limit) const {
    pollfd wanted{handle, event, 0};
    return poll(&wanted, 1, static_cast<int>(limit.count())) == 1;
  }
  /// Of connecting; 0: none.
  int error() const {
    int out = 0;
    socklen_t length = sizeof out;
    return getsockopt(handle, SOL_SOCKET, SO_ERROR, &out, &length) == 0 ? out : errno;
  }
};

std::string why_not_served(const addrinfo& a, std::chrono::milliseconds limit) {
  const Socket s(a);
  if (s.handle < 0 || fcntl(s.handle, F_SETFL, O_NONBLOCK) != 0) return std::strerror(errno);
  if (connect(s.handle, a.ai_addr, a.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return std::strerror(errno);
    if (!s.ready_for(POLLOUT, limit)) return std::strerror(ETIMEDOUT);
    if (const int error = s.error(); error != 0) return std::strerror(error);
  }
  shutdown(s.handle, SHUT_WR);
  if (!s.ready_for(POLLIN, limit)) return "What listens there does not answer";
  char byte;
  return recv(s.handle, &byte, 1, 0) == 0 ? "" : "Another program listens there";
}

}  // namespace

std::string route_to(const std::string& host, int64_t port) {
  std::string why;
  const Addresses found = addresses_of(host, port, SOCK_DGRAM, why);
  for (const addrinfo* a = found.get(); a != nullptr; a = a->ai_next) {
    const Socket s(*a);
    sockaddr_storage own{};
    socklen_t length = sizeof own;
    char text[NI_MAXHOST];
    // Nothing is sent: connecting a datagram socket only asks for the route.
    if (s.handle >= 0 && connect(s.handle, a->ai_addr, a->ai_addrlen) == 0 &&
        getsockname(s.handle, reinterpret_cast<sockaddr*>(&own), &length) == 0 &&
        getnameinfo(reinterpret_cast<sockaddr*>(&own), length, text, sizeof text, nullptr, 0,
                    NI_NUMERICHOST) == 0)
      return text;
  }
  return "";
}

std::string why_not_served(const Place& p, std::chrono::milliseconds limit) {
  std::string why;
  const Addresses found = addresses_of(p.host, p.port, SOCK_STREAM, why);
  for (const addrinfo* a = found.get(); a != nullptr; a = a->ai_next) {
    why = why_not_served(*a, limit);
    if (why.empty()) break;
  }
  return why;
}
#endif

}  // namespace compert
