#pragma once
#include <functional>

namespace compert {

/// Called on the caller's thread between pieces of a long computation. It may throw to end it.
using Pause = std::function<void()>;

}  // namespace compert
