// Random numbers of training: drawn on the processor, so that every device gets the same.
#pragma once
#include <functional>
#include <vector>

#include "upload.h"

namespace compert {

/// One stream of them.
class Noise {
 public:
  explicit Noise(uint64_t seed = 0);
  void seed(uint64_t seed) { generator_.set_current_seed(seed); }
  /// Factors of dropout, 0 with this probability and 1 / (1 - probability) else.
  Tensor dropout(at::IntArrayRef shape, const at::TensorOptions& options, double probability);
  /// N(0, 1).
  Tensor normal(at::IntArrayRef shape, const at::TensorOptions& options);

 private:
  friend class NoiseTape;
  struct Asked {
    Noise* of;
    std::vector<int64_t> shape;
    at::TensorOptions options;
    double probability;  // of dropout; -1: normal
  };
  static Tensor answer(const Asked& asked);
  Tensor draw(const Asked& asked);
  at::Generator generator_;
};

/// What a work asks for, in its order. From its second time on that is drawn before it, and comes to the same
/// place of a device's memory.
class NoiseTape {
 public:
  void play(at::Device device, const std::function<void()>& work);
  /// Only draws, for a work that is replayed.
  void draw(at::Device device);

 private:
  friend class Noise;
  Tensor answer(const Noise::Asked& asked);
  std::vector<Noise::Asked> asked_;
  bool complete_ = false;
  std::vector<Tensor> drawn_;
  std::size_t next_ = 0;
  Tensor memory_;
};

}  // namespace compert
