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
  /// Normal with mean 0 and variance 1 (Box and Muller 1958).
  double normal() { return std::sqrt(-2 * std::log(uniform())) * std::cos(6.283185307179586 * uniform()); }
  /// Gamma with shape a >= 1 and scale 1, by the method of Marsaglia and Tsang (2000).
  double gamma(double a) {
    const double d = a - 1.0 / 3, c = 1 / std::sqrt(9 * d);
    while (true) {
      const double x = normal(), v = std::pow(1 + c * x, 3);
      if (v > 0 && std::log(uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
    }
  }
  /// Beta(a, a), for a of at most 1 by Johnk's method (1964), which is slow for a large one.
  double symmetric_beta(double a) {
    if (a > 1) {
      const double x = gamma(a), y = gamma(a);
      return x / (x + y);
    }
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
