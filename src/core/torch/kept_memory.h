// Memory of a training step that is used again in the next one.
#pragma once
#include <cstdlib>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace compert {

/// While one is alive, up to 64 MB of freed memory stay with the process. By itself glibc gives pages back
/// after every step and the kernel clears them again for the next: a tenth of a step of a wide model. The
/// limits are those that glibc itself comes to in a process that frees large blocks. What is free at the
/// beginning and at the end goes back, and blocks from a megabyte on do so afterwards.
class KeptMemory {
 public:
#if defined(__GLIBC__)
  KeptMemory() {
    malloc_trim(0);
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
  }
  ~KeptMemory() {
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 2 << 20);
    malloc_trim(0);
  }
#else
  KeptMemory() = default;
#endif
  KeptMemory(const KeptMemory&) = delete;
  KeptMemory& operator=(const KeptMemory&) = delete;
};

}  // namespace compert
