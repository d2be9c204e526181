// Small, portable random numbers (splitmix64), so that a seed means the same everywhere.
#pragma once
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

namespace compert {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t n) { return next() % n; }
  /// In (0, 1).
  double uniform() { return (static_cast<double>(next() >> 11) + 0.5) / 9007199254740992.0; }

  template <class T>
  void shuffle(std::vector<T>& values) {
    for (std::size_t k = values.size(); k > 1; --k) std::swap(values[k - 1], values[below(k)]);
  }
  std::vector<int64_t> permutation(int64_t n) {
    std::vector<int64_t> out(static_cast<std::size_t>(n));
    std::iota(out.begin(), out.end(), 0);
    shuffle(out);
    return out;
  }
  /// Beta(a, a), by Johnk's method (1964).
  double symmetric_beta(double a) {
    while (true) {
      const double x = std::pow(uniform(), 1 / a), y = std::pow(uniform(), 1 / a);
      if (x + y > 0 && x + y <= 1) return x / (x + y);
      if (x + y == 0) return below(2) == 0 ? 0 : 1;  // both underflow for tiny a
    }
  }

 private:
  uint64_t state_;
};

/// A seed of its own for every batch: a resumed fit draws what an unbroken one would have drawn.
inline uint64_t batch_seed(int64_t seed, int64_t epoch, std::size_t batch) {
  Random mix(static_cast<uint64_t>(seed) * 0x100000001b3ULL + static_cast<uint64_t>(epoch));
  return mix.next() + batch * 0x9e3779b97f4a7c15ULL;
}

}  // namespace compert
