// c10d's Gloo behind the interface of group.h, and where the environment says the group is.
#include "group.h"

#include <cstdlib>
#include <cstring>

#ifdef COMPERT_HAVE_C10D
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif

namespace compert {
namespace {

constexpr const char* kHow =
    "Start the script with launch_local(), torchrun or srun, or leave `distributed` out";

/// The first of these environment variables that is set; empty: none.
std::string environment(std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  return "";
}

int64_t whole_number(const char* name, const std::string& text, int64_t least, int64_t below) {
  char* end = nullptr;
  const int64_t n = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || n < least || n >= below)
    throw Error("distributed", std::string("must find a whole number in ") + name,
                text.empty() ? "It is not set" : "It is \"" + text + "\"", kHow);
  return n;
}

struct Place {
  int64_t rank = 0, size = 1, port = 29500;
  std::string host;
};

/// What torchrun sets; or else what srun sets, whose first task then runs where it was started.
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
  return p;
}

}  // namespace

#ifdef COMPERT_HAVE_C10D
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

/// After which a process that does not answer counts as lost. Joining takes as long as the slowest
/// process needs to read its cells, so it has twelve times that.
milliseconds patience() {
  const std::string given = environment({"COMPERT_GROUP_TIMEOUT"});
  return std::chrono::seconds(
      given.empty() ? 50 : whole_number("COMPERT_GROUP_TIMEOUT", given, 1, 1 << 20));
}
constexpr int kJoinFactor = 12;
constexpr milliseconds kAttempt{3000}, kPause{50};

/// The address by which this machine reaches the first process: others reach it by the same. The
/// host's own name, c10d's choice, is often one for 127.0.1.1.
std::string own_address(const Place& p) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_DGRAM;
  std::string out;
  if (getaddrinfo(p.host.c_str(), std::to_string(p.port).c_str(), &hints, &found) != 0) return out;
  for (const addrinfo* a = found; a != nullptr && out.empty(); a = a->ai_next) {
    const int s = socket(a->ai_family, SOCK_DGRAM, 0);
    if (s < 0) continue;
    sockaddr_storage own{};
    socklen_t length = sizeof own;
    char text[NI_MAXHOST];
    // Nothing is sent: connecting a datagram socket only asks for the route.
    if (connect(s, a->ai_addr, a->ai_addrlen) == 0 &&
        getsockname(s, reinterpret_cast<sockaddr*>(&own), &length) == 0 &&
        getnameinfo(reinterpret_cast<sockaddr*>(&own), length, text, sizeof text, nullptr, 0,
                    NI_NUMERICHOST) == 0)
      out = text;
    close(s);
  }
  freeaddrinfo(found);
  return out;
}

/// Younger LibTorch may have been built without the library that it would serve the store by.
template <class Options>
auto serve_plainly(Options& o, int) -> decltype(o.useLibUV, void()) {
  o.useLibUV = false;
}
template <class Options>
void serve_plainly(Options&, long) {}

std::string first_line(const std::exception& e) {
  const auto* torch = dynamic_cast<const c10::Error*>(&e);
  const std::string text = torch != nullptr ? torch->what_without_backtrace() : e.what();
  return text.substr(0, text.find('\n'));
}

[[noreturn]] void stop_joining(const Place& p, const std::string& what) {
  throw Error("distributed", "must find all processes of the group",
              what + " (this one is rank " + std::to_string(p.rank) + " of " +
                  std::to_string(p.size) + ", the first one's address " + p.host + ":" +
                  std::to_string(p.port) + ")",
              "Look at the other processes' messages, and at MASTER_ADDR and MASTER_PORT");
}

/// Where the processes find each other, served by the first one. It is kept to the end of the
/// process: a server that ended with a fit could be mistaken for that of the next.
c10::intrusive_ptr<c10d::Store> meeting_point(const Place& p, Clock::time_point until,
                                              const std::function<bool()>& stop) {
  static auto* made = new std::pair<std::string, c10::intrusive_ptr<c10d::Store>>;
  const std::string key = p.host + " " + std::to_string(p.port) + " " + std::to_string(p.rank);
  if (made->second.defined() && made->first == key) return made->second;
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(p.port);
  options.isServer = p.rank == 0;
  options.waitWorkers = false;
  options.timeout = kAttempt;
  serve_plainly(options, 0);
  while (true) {
    try {
      *made = {key, c10::make_intrusive<c10d::TCPStore>(p.host, options)};
      made->second->setTimeout(patience());
      return made->second;
    } catch (const std::exception& e) {
      if (p.rank == 0 || stop() || Clock::now() > until) stop_joining(p, first_line(e));
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

struct ProcessGroup::Impl {
  int64_t rank, size;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
  mutable std::string lost;

  template <class Start>
  void wait(Start&& start) const {
    try {
      start()->wait();
    } catch (const std::exception& e) {
      lost = first_line(e);
      throw Error("distributed", "must keep all processes of the group", lost);
    }
  }
};

std::unique_ptr<ProcessGroup> ProcessGroup::join(const std::function<bool()>& stop) {
  const Place p = place();
  if (p.size == 1) return nullptr;
  static int64_t groups = 0;
  const std::string name = "group" + std::to_string(++groups);
  const auto until = Clock::now() + kJoinFactor * patience();
  auto impl = std::make_unique<Impl>();
  impl->rank = p.rank;
  impl->size = p.size;
  const auto store = meeting_point(p, until, stop);
  try {
    const auto mine = c10::make_intrusive<c10d::PrefixStore>(name, store);
    const auto here = [](int64_t rank) { return "here" + std::to_string(rank); };
    mine->set(here(p.rank), std::vector<uint8_t>{1});
    for (int64_t r = 0; r < p.size; ++r)
      while (!mine->check({here(r)})) {
        if (stop()) stop_joining(p, "Interrupted while waiting for rank " + std::to_string(r));
        if (Clock::now() > until) stop_joining(p, "Rank " + std::to_string(r) + " did not come");
        std::this_thread::sleep_for(kPause);
      }
    const auto options = c10d::ProcessGroupGloo::Options::create(patience());
    const std::string interface = environment({"GLOO_SOCKET_IFNAME"}), address = own_address(p);
    options->devices.push_back(
        !interface.empty() ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
        : address.empty()  ? c10d::ProcessGroupGloo::createDefaultDevice()
                           : c10d::ProcessGroupGloo::createDeviceForHostname(address));
    options->threads = 2;
    impl->gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(
        mine, static_cast<int>(p.rank), static_cast<int>(p.size), options);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& e) {
    stop_joining(p, first_line(e));
  }
  return std::unique_ptr<ProcessGroup>(new ProcessGroup(std::move(impl)));
}

void ProcessGroup::sum(Tensor t) const {
  std::vector<Tensor> on_cpu = {t.to(at::kCPU)};
  impl_->wait([&] { return impl_->gloo->allreduce(on_cpu); });
  if (!t.is_cpu()) t.copy_(on_cpu[0]);
}

Tensor ProcessGroup::gather(const Tensor& own, int64_t n) const {
  // Gloo gathers equal parts only: shares differ by at most one row, which is filled up.
  const int64_t most = (n + size() - 1) / size();
  std::vector<int64_t> shape = own.sizes().vec();
  shape[0] = most;
  const auto options = own.options().device(at::kCPU).requires_grad(false);
  std::vector<Tensor> part = {at::zeros(shape, options)};
  part[0].narrow(0, 0, own.size(0)).copy_(own.detach());
  std::vector<std::vector<Tensor>> parts(1);
  for (int64_t r = 0; r < size(); ++r) parts[0].push_back(at::empty(shape, options));
  impl_->wait([&] { return impl_->gloo->allgather(parts, part); });
  for (int64_t r = 0; r < size(); ++r)
    parts[0][static_cast<std::size_t>(r)] =
        parts[0][static_cast<std::size_t>(r)].narrow(0, 0, rows(n, r).count());
  return at::cat(parts[0]).to(own.device());
}

void ProcessGroup::broadcast(Tensor t, int64_t from) const {
  std::vector<Tensor> on_cpu = {t.to(at::kCPU)};
  c10d::BroadcastOptions options;
  options.rootRank = from;
  impl_->wait([&] { return impl_->gloo->broadcast(on_cpu, options); });
  if (!t.is_cpu()) t.copy_(on_cpu[0]);
}

void ProcessGroup::wait_for_all() const {
  impl_->wait([&] { return impl_->gloo->barrier(); });
}

#else

struct ProcessGroup::Impl {
  int64_t rank = 0, size = 1;
  std::string lost;
};

std::unique_ptr<ProcessGroup> ProcessGroup::join(const std::function<bool()>&) {
  if (place().size == 1) return nullptr;
  throw Error("distributed", "must be FALSE in this build of compert",
              "The LibTorch that it was built with has no c10d with Gloo",
              "Install libgloo-dev (Debian) and compert again; compert_sitrep() tells what is built in");
}

void ProcessGroup::sum(Tensor) const {}
Tensor ProcessGroup::gather(const Tensor& own, int64_t) const { return own; }
void ProcessGroup::broadcast(Tensor, int64_t) const {}
void ProcessGroup::wait_for_all() const {}

#endif

ProcessGroup::ProcessGroup(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProcessGroup::~ProcessGroup() = default;
int64_t ProcessGroup::rank() const { return impl_->rank; }
int64_t ProcessGroup::size() const { return impl_->size; }
const std::string& ProcessGroup::lost() const { return impl_->lost; }

ProcessGroup::Rows ProcessGroup::rows(int64_t n, int64_t rank) const {
  return {n * rank / size(), n * (rank + 1) / size()};
}

void ProcessGroup::broadcast(void* data, std::size_t bytes, int64_t from) const {
  const Tensor t = at::empty({static_cast<int64_t>(bytes)}, at::kByte);
  if (rank() == from) std::memcpy(t.data_ptr(), data, bytes);
  broadcast(t, from);
  std::memcpy(data, t.data_ptr(), bytes);
}

std::string ProcessGroup::broadcast(std::string text, int64_t from) const {
  auto length = static_cast<int64_t>(text.size());
  broadcast(&length, sizeof length, from);
  text.resize(static_cast<std::size_t>(length));
  if (length > 0) broadcast(text.data(), text.size(), from);
  return text;
}

bool ProcessGroup::any(bool here) const {
  const Tensor flag = at::full({1}, here ? 1 : 0, at::kInt);
  sum(flag);
  return flag.item<int>() > 0;
}

}  // namespace compert
