// HDF5 trusts what it finds in a file: a damaged byte can send the library past the end of a buffer
// or into an endless loop, most of all version 1.10 in its heaps of text. A file that came from
// elsewhere is therefore read by a copy of the process first, which may die instead of ours.

#include "compert/error.h"
#include "hdf5.h"
#include "hdf5_detail.h"

#ifndef _WIN32
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#endif

namespace compert::hdf5 {

#ifdef _WIN32

void rehearse(const std::string&, const std::function<void()>&) {}

#else

namespace {

// What the copy says: "+" when all went well, else the parts of an Error, each after a "\0".
std::string play(const std::function<void()>& act) {
  const auto packed = [](const Error& e) {
    std::string text = "-";
    for (const std::string* part : {&e.argument(), &e.must(), &e.given(), &e.todo()}) {
      text += '\0' + *part;
    }
    return text;
  };
  try {
    act();
    return "+";
  } catch (const Error& error) {
    return packed(error);
  } catch (const std::exception& error) {
    return packed(Error("", std::string("Reading failed: ") + error.what()));
  }
}

Error unpacked(const std::string& text) {
  std::array<std::string, 4> parts;
  std::size_t begin = 2;
  for (std::string& part : parts) {
    const std::size_t end = std::min(text.find('\0', begin), text.size());
    part = text.substr(std::min(begin, text.size()), end - std::min(begin, end));
    begin = end + 1;
  }
  return Error(parts[0], parts[1], parts[2], parts[3]);
}

// The time that reading tables may take: a megabyte per second is far slower than any disk, and ten seconds leave
// room for one that was compressed to a hundredth.
rlim_t seconds_for(const std::string& path) {
  struct stat info {};
  const bool known = ::stat(path.c_str(), &info) == 0;
  return 10 + static_cast<rlim_t>(known ? info.st_size >> 20 : 0);
}

// No core file, no message of R's or the C library's on the terminal, an end to endless loops.
void go_quietly(rlim_t seconds) {
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGXCPU}) {
    ::signal(signal, SIG_DFL);
  }
  ::signal(SIGPIPE, SIG_IGN);
  struct rlimit none {};
  ::setrlimit(RLIMIT_CORE, &none);
  struct rlimit time {};
  time.rlim_cur = time.rlim_max = seconds;
  ::setrlimit(RLIMIT_CPU, &time);
  const int nowhere = ::open("/dev/null", O_WRONLY);
  if (nowhere >= 0) ::dup2(nowhere, STDERR_FILENO);
}

void send(int to, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t n = ::write(to, text.data() + at, text.size() - at);
    if (n < 0 && errno != EINTR) return;
    if (n > 0) at += static_cast<std::size_t>(n);
  }
}

std::string receive(int from) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t n = ::read(from, buffer.data(), buffer.size());
    if (n > 0) text.append(buffer.data(), static_cast<std::size_t>(n));
    if (n == 0 || (n < 0 && errno != EINTR)) return text;
  }
}

}  // namespace

void rehearse(const std::string& path, const std::function<void()>& act) {
  int ends[2];
  if (::pipe(ends) != 0) return;
  for (const int end : ends) ::fcntl(end, F_SETFD, FD_CLOEXEC);
  pid_t child = -1;
  {
    const detail::Quiet quiet;  // no other thread is inside the library while it is copied
    child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      go_quietly(seconds_for(path));
      detail::renew_lock();
      send(ends[1], play(act));
      // Not _exit(), which R CMD check takes for a way to end R. What was sent is all that counts.
      ::kill(::getpid(), SIGKILL);
    }
  }
  ::close(ends[1]);
  const std::string said = child > 0 ? receive(ends[0]) : "+";  // no room for a copy: go on
  ::close(ends[0]);
  while (child > 0 && ::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (said == "+") return;
  if (!said.empty()) throw unpacked(said);
  throw Error("path", "must name an intact HDF5 file",
              "Reading \"" + path + "\" makes the HDF5 library crash or loop without end",
              "The file is damaged; copy or download it again");
}

#endif

}  // namespace compert::hdf5
