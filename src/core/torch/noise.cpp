#include "noise.h"

#include <ATen/CPUGeneratorImpl.h>

#include <mutex>

#include "kernels.h"

namespace compert {
namespace {

thread_local NoiseTape* playing = nullptr;

struct Playing {
  explicit Playing(NoiseTape* tape) { playing = tape; }
  ~Playing() { playing = nullptr; }
};

}  // namespace

Noise::Noise(uint64_t seed) : generator_(at::make_generator<at::CPUGeneratorImpl>(seed)) {}

Tensor Noise::draw(const Asked& asked) {
  const auto options = asked.options.device(at::kCPU).requires_grad(false);
  if (asked.probability < 0)
    return at::empty(asked.shape, at::kFloat).normal_(0, 1, generator_).to(options);
  uint64_t seed = 0;
  {
    const std::lock_guard<std::mutex> lock(generator_.mutex());
    seed = at::check_generator<at::CPUGeneratorImpl>(generator_)->random64();
  }
  Tensor out = at::empty(asked.shape, options);
  by_type(out, [&](auto* type) {
    dropout_sweep(seed, asked.probability, out.numel(),
                  out.data_ptr<std::remove_pointer_t<decltype(type)>>());
  });
  return out;
}

Tensor Noise::answer(const Asked& asked) {
  return playing != nullptr ? playing->answer(asked) : asked.of->draw(asked).to(asked.options.device());
}

Tensor Noise::dropout(at::IntArrayRef shape, const at::TensorOptions& options, double probability) {
  return answer({this, shape.vec(), options, probability});
}

Tensor Noise::normal(at::IntArrayRef shape, const at::TensorOptions& options) {
  return answer({this, shape.vec(), options, -1});
}

void NoiseTape::draw(at::Device device) {
  drawn_.assign(asked_.size(), Tensor());
  Upload upload;
  for (std::size_t k = 0; k < asked_.size(); ++k) upload.add(asked_[k].of->draw(asked_[k]), drawn_[k]);
  upload.send(device, memory_);
  next_ = 0;
}

void NoiseTape::play(at::Device device, const std::function<void()>& work) {
  if (complete_)
    draw(device);
  else
    asked_.clear();
  const Playing now(this);
  work();
  complete_ = true;
}

Tensor NoiseTape::answer(const Noise::Asked& asked) {
  if (!complete_) {
    asked_.push_back(asked);
    return asked.of->draw(asked).to(asked.options.device());
  }
  const Tensor out = drawn_.at(next_++);
  if (out.sizes() != asked.shape) throw Error("", "a work asks for the same random numbers every time");
  return out;
}

}  // namespace compert
