// Counterfactual predictions of a fitted model, cell by cell.
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>

#include "caller.h"
#include "counterfactuals.h"
#include "kept_memory.h"
#include "kernels_detail.h"

namespace compert {
namespace {

constexpr int64_t kArrays = 8;  // of cells x rows that decoding holds
constexpr uint64_t kStateSeed = 0x5bd1e995;  // draws of states and of values are different streams

/// Draws from the decoded distribution, by LibTorch's numbers alone: those of the standard library differ between
/// compilers.
class Sampler {
 public:
  Sampler(const CellPrediction& how, const Head& head)
      : how_(how),
        head_(head),
        random_(at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(how.seed))) {}

  Tensor draw(const Decoded& d) {
    const Tensor genes = draw_genes(d);
    return d.proteins ? at::cat({genes, draw_proteins(*d.proteins)}, 1) : genes;
  }

 private:
  Tensor draw_genes(const Decoded& d) {
    const Tensor mean = d.mean.to(at::kCPU, at::kDouble).contiguous(),
                 second = d.second.expand_as(d.mean).to(at::kCPU, at::kDouble).contiguous();
    if (!head_.counts()) {
      const Tensor deviation = how_.variance_as_deviation ? second : second.sqrt();
      return (mean + deviation * normal(mean)).clamp_min(0);
    }
    Tensor absent;
    if (d.zero_logit.defined())
      absent = d.zero_logit.sigmoid().to(at::kCPU, at::kDouble).contiguous();
    return draw_counts(mean, second, absent);
  }

  Tensor draw_proteins(const DecodedProteins& d) {
    const auto plain = [](const Tensor& t) { return t.to(at::kCPU, at::kDouble).contiguous(); };
    const Tensor second = plain(d.second);
    Tensor mean = plain(d.mean);
    // Values of proteins may lie below 0 (centred log ratios).
    if (!d.counts()) return mean + second.sqrt() * normal(mean);
    if (d.mixture()) {
      Tensor background = plain(d.expected_background);
      const Tensor factor = plain(d.expected_foreground) / background;
      if (d.log_background.defined())
        background =
            (plain(d.log_background) + plain(d.log_background_sd) * normal(background)).exp();
      const Tensor is_background = happens(plain(d.mixing).sigmoid());
      mean = at::where(is_background, background, background * factor);
    }
    return draw_counts(mean, second, Tensor());
  }

  Tensor normal(const Tensor& like) {
    return at::randn(like.sizes(), random_, at::TensorOptions(at::kDouble));
  }

  Tensor happens(const Tensor& probability) {
    return at::rand(probability.sizes(), random_, at::TensorOptions(at::kDouble)) < probability;
  }

  /// Of negative binomials; `absent`: probabilities of structural zeros, or undefined.
  Tensor draw_counts(const Tensor& mean, const Tensor& second, const Tensor& absent) {
    const Tensor rate = at::_standard_gamma(second, random_) * (mean / second);
    const Tensor counts = at::poisson(at::where(at::isfinite(rate), rate, 0.0), random_);
    return absent.defined() ? at::where(happens(absent), 0.0, counts) : counts;
  }

  CellPrediction how_;
  const Head& head_;
  at::Generator random_;
};

}  // namespace

void Model::predict_cells(const CellSource& cells, const Design& own, const Design& target,
                          const std::vector<std::vector<int64_t>>& source,
                          const CellPrediction& how, double* mean, double* variance,
                          const Decoding& decoding, const Pause& pause) const {
  const bool sampled = how.type == CellPrediction::Type::kSample;
  if (sampled && how.residual)
    throw Error("residual", "must be FALSE for samples: they are drawn from the decoder's distribution",
                "TRUE was given");
  if (how.n_samples < 1)
    throw Error("n_samples", "must be at least 1", std::to_string(how.n_samples));
  translate([&] {
    const KeptMemory kept_memory(false);
    const Caller caller(impl_->settings.threads, pause);
    const auto genes = static_cast<std::size_t>(impl_->architecture.n_rows());
    const std::size_t copies = sampled ? static_cast<std::size_t>(how.n_samples) : 1;
    std::vector<std::size_t> first{0};
    for (const auto& list : source) first.push_back(first.back() + list.size() * copies);
    const Network& network = impl_->network;
    Sampler sampler(how, network.head());
    at::Generator states =
        at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(how.seed) ^ kStateSeed);
    // With a variational encoder every draw starts at a basal state of its own.
    const bool draw_states = sampled && network.variational();
    std::size_t first_copy = 0;
    Counterfactuals all(network, cells, own, target, source, decoding,
                        draw_states ? &states : nullptr);
    Reconstructed own_cells;  // of the block, for counterfactuals by difference
    const auto visit = [&](std::size_t k, const Part& part, const Latent& latent) {
      const Decoded d = network.decode(latent.treated, all.hidden(latent), latent.library);
      const Tensor decoded_mean = network.expected(d, decoding.ignore_zeros);
      const auto scatter = [&](const Tensor& values, double* out, std::size_t copy) {
        const Tensor t = values.to(at::kCPU).contiguous();
        by_type(t, [&](auto* type) {
          using T = std::remove_pointer_t<decltype(type)>;
          const T* rows = t.data_ptr<T>();
          in_parallel(t.size(0), sweep_threads(), [&](int64_t, int64_t begin, int64_t end) {
            for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
              const std::size_t cell =
                  first[k] + static_cast<std::size_t>(part.place[i]) * copies + copy;
              std::copy(rows + i * genes, rows + (i + 1) * genes, out + cell * genes);
            }
          });
        });
      };
      const std::size_t end_copy = draw_states ? first_copy + 1 : copies;
      for (std::size_t copy = first_copy; copy < end_copy; ++copy) {
        if (sampled)
          scatter(sampler.draw(d), mean, copy);
        else if (how.residual)
          scatter(part.of(own_cells.expression) + decoded_mean - part.of(own_cells.mean), mean, copy);
        else
          scatter(decoded_mean, mean, copy);
        if (variance != nullptr)
          scatter(network.variance(d, decoding.ignore_zeros), variance, copy);
      }
    };
    const auto begin = [&](const Block& block) {
      if (how.residual) own_cells = all.reconstruct(block);
    };
    for (; first_copy < (draw_states ? copies : 1); ++first_copy)
      all.run(sampled ? Order::kGiven : Order::kAny, kArrays, [&] { caller.ask(); }, begin,
              visit);
  });
}

}  // namespace compert
