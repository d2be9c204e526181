// c10d's Gloo behind the interface of group.h, and how its processes find each other.
#include "group.h"

#include <algorithm>
#include <cstring>
#include <future>

#include "place.h"

#ifdef COMPERT_HAVE_C10D
#include <stdexcept>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "attempt.h"
#endif

namespace compert {

#ifdef COMPERT_HAVE_C10D
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using Store = c10::intrusive_ptr<c10d::Store>;

constexpr milliseconds kAttempt{3000}, kPause{50};

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

[[noreturn]] void stop_joining(
    const Place& p, const std::string& what,
    const std::string& advice = "Look at the other processes' messages, and at MASTER_ADDR and MASTER_PORT") {
  throw Error("distributed", "must find all processes of the group",
              what + " (this one is rank " + std::to_string(p.rank) + " of " + std::to_string(p.size) +
                  ", the first one's address " + p.host + ":" + std::to_string(p.port) + ")",
              advice);
}

/// Where the processes find each other, served by the first one or by torchrun. A store is only made where there is a
/// server to answer it: LibTorch up to 2.0 ends the whole process when the connection is cut otherwise.
Store meet(const Place& p, milliseconds limit, Attempt& attempt) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(p.port);
  options.isServer = p.serves();
  options.waitWorkers = false;
  options.timeout = kAttempt;
  serve_plainly(options, 0);
  attempt.now("rank 0", "Rank 0 does not answer");
  while (true) {
    try {
      const std::string why = p.serves() ? "" : why_not_served(p, kAttempt);
      if (!why.empty()) throw std::runtime_error(why);
      const Store store = c10::make_intrusive<c10d::TCPStore>(p.host, options);
      store->setTimeout(limit);
      // An answer in time, and from here on a limit of time to others where LibTorch has one.
      store->set("met", std::vector<uint8_t>{1});
      store->wait({"met"}, limit);
      return store;
    } catch (const std::exception& e) {
      if (p.serves() || attempt.given_up) throw;
      attempt.now("rank 0", "Rank 0 does not answer: " + first_line(e));
    }
    std::this_thread::sleep_for(kPause);
  }
}

/// Waits for all, and gives the address of each as the first process' place is reached from it.
std::vector<std::string> see_all(const Place& p, c10d::Store& store, Attempt& attempt) {
  const auto here = [](int64_t rank) { return "here" + std::to_string(rank); };
  const std::string own = route_to(p.host, p.port);
  std::vector<std::string> out;
  try {
    store.set(here(p.rank), std::vector<uint8_t>(own.c_str(), own.c_str() + own.size() + 1));
    for (int64_t r = 0; r < p.size; ++r) {
      const std::string name = std::to_string(r);
      // LibTorch later than 2.0 may wait for an answer without end.
      const auto came = [&] {
        attempt.now("rank " + name, "Rank 0 does not answer");
        const bool yes = store.check({here(r)});
        attempt.now("rank " + name, "Rank " + name + " did not come");
        return yes;
      };
      while (!came()) {
        if (attempt.given_up) return out;
        std::this_thread::sleep_for(kPause);
      }
      out.emplace_back(reinterpret_cast<const char*>(store.get(here(r)).data()));
    }
  } catch (const std::exception& e) {
    throw std::runtime_error("Rank 0 does not answer: " + first_line(e));
  }
  return out;
}

using Gloo = c10::intrusive_ptr<c10d::ProcessGroupGloo>;
Gloo connect_all(const Place& p, const Store& store, const std::string& address, milliseconds limit,
                 Attempt& attempt) {
  attempt.now("the others", "Rank 0 does not answer");
  const auto options = c10d::ProcessGroupGloo::Options::create(limit);
  const std::string interface = environment({"GLOO_SOCKET_IFNAME"});
  options->devices.push_back(
      !interface.empty() ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
      : address.empty()  ? c10d::ProcessGroupGloo::createDefaultDevice()
                         : c10d::ProcessGroupGloo::createDeviceForHostname(address));
  options->threads = 2;
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, static_cast<int>(p.rank),
                                                     static_cast<int>(p.size), options);
}

/// Where this process met the others last, and the store if it serves it, to its end: a server that ended with
/// a fit could be mistaken for that of the next. A mere client of it does not outlive the fit: LibTorch's thread
/// never rests, or ends R, when its server is gone.
struct Met {
  std::string key;
  Store store;
};
Met& met() {
  static auto* out = new Met;
  return *out;
}

Gloo find_all(const Place& p, const std::function<bool()>& stop) {
  static int64_t groups = 0;
  // torchrun's store outlives the processes that it starts again.
  const std::string name = "attempt" + p.attempt + "group" + std::to_string(++groups),
                    key = p.host + " " + std::to_string(p.port);
  const milliseconds limit = patience();
  // Who serves does so to its end: where it was met before it answers, or is lost.
  const auto last = Clock::now() + patience_to_join();
  auto until = met().key == key ? std::min(last, Clock::now() + limit) : last;
  const auto give_up = [&](const Attempt& a) {
    if (stop()) stop_joining(p, "Interrupted while waiting for " + a.awaited());
    for (int64_t r = 0; r < p.size; ++r)
      if (r != p.rank && has_ended(r))
        stop_joining(p, "Rank " + std::to_string(r) + " has ended without this fit",
                     "Let every process make all the fits: leave none out by an `if`, an error or a return");
    if (Clock::now() > until) stop_joining(p, a.trouble());
  };
  try {
    Store store = met().key == key ? met().store : Store();
    if (!store.defined()) store = attempt([=](Attempt& a) { return meet(p, limit, a); }, give_up);
    met() = {key, p.serves() ? store : Store()};
    until = last;
    const Store mine = c10::make_intrusive<c10d::PrefixStore>(name, store);
    const auto seen = attempt([=](Attempt& a) { return see_all(p, *mine, a); }, give_up);
    const std::string address = address_for_others(
        seen, p.rank, [&](const std::string& other) { return route_to(other, p.port); });
    until = Clock::now() + 2 * limit;
    return attempt([=](Attempt& a) { return connect_all(p, mine, address, limit, a); }, give_up);
  } catch (const std::exception& e) {
    if (dynamic_cast<const Error*>(&e) != nullptr) throw;
    stop_joining(p, first_line(e));
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
  auto impl = std::make_unique<Impl>();
  impl->rank = p.rank;
  impl->size = p.size;
  impl->gloo = find_all(p, stop);
  return std::unique_ptr<ProcessGroup>(new ProcessGroup(std::move(impl)));
}

void ProcessGroup::sum(Tensor t) const {
  std::vector<Tensor> on_cpu = {t.to(at::kCPU)};
  impl_->wait([&] { return impl_->gloo->allreduce(on_cpu); });
  if (!t.is_cpu()) t.copy_(on_cpu[0]);
}

int64_t ProcessGroup::largest(int64_t here) const {
  std::vector<Tensor> number = {at::full({1}, here, at::kLong)};
  c10d::AllreduceOptions options;
  options.reduceOp = c10d::ReduceOp::MAX;
  impl_->wait([&] { return impl_->gloo->allreduce(number, options); });
  return number[0].item<int64_t>();
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
int64_t ProcessGroup::largest(int64_t here) const { return here; }
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

void ProcessGroup::in_first(const std::function<void()>& body) const {
  std::future<void> work;
  if (rank() == 0) work = std::async(std::launch::async, body);
  const auto works = [&] {
    return work.valid() && work.wait_for(std::chrono::milliseconds(500)) != std::future_status::ready;
  };
  while (any(works())) {
  }
  if (work.valid()) work.get();
}

}  // namespace compert
