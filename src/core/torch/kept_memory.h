// Memory of a training step, or of a block of predictions, that is used again in the next one.
#pragma once
#include <cstdlib>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace compert {

/// While one is alive, up to 64 MB of freed memory stay with the process. By itself glibc gives pages back
/// after every step and the kernel clears them again for the next: a tenth of a step of a wide model. The
/// limits are those that glibc itself comes to in a process that frees large blocks. Afterwards blocks from
/// a megabyte on go back as they are freed; `all` says that what is free goes back too, then and at the
/// beginning, which for what is short costs more than it gives.
class KeptMemory {
 public:
#if defined(__GLIBC__)
  explicit KeptMemory(bool all) : all_(all) {
    if (all_) malloc_trim(0);
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
  }
  ~KeptMemory() {
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 2 << 20);
    if (all_) malloc_trim(0);
  }
#else
  explicit KeptMemory(bool) {}
#endif
  KeptMemory(const KeptMemory&) = delete;
  KeptMemory& operator=(const KeptMemory&) = delete;

 private:
  [[maybe_unused]] bool all_ = false;
};

}  // namespace compert
