// Counterfactual predictions of a fitted model, cell by cell or summarised per condition.
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "counterfactuals.h"

namespace compert {
namespace {

/// Draws from the decoded distribution.
class Sampler {
 public:
  Sampler(const CellPrediction& how, const Head& head)
      : how_(how),
        head_(head),
        gaussian_(at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(how.seed))),
        counts_(static_cast<uint64_t>(how.seed)) {}

  Tensor draw(const Decoded& d) {
    const Tensor mean = d.mean.to(at::kCPU, at::kDouble).contiguous(),
                 second = d.second.expand_as(d.mean).to(at::kCPU, at::kDouble).contiguous();
    if (!head_.counts()) {
      const Tensor deviation = how_.variance_as_deviation ? second : second.sqrt();
      return (mean + deviation * at::randn(mean.sizes(), gaussian_, at::TensorOptions(at::kDouble)))
          .clamp_min(0);
    }
    Tensor out = at::empty_like(mean), absent;
    if (d.zero_logit.defined())
      absent = d.zero_logit.sigmoid().to(at::kCPU, at::kDouble).contiguous();
    const double* zero = absent.defined() ? absent.data_ptr<double>() : nullptr;
    const double *mu = mean.data_ptr<double>(), *theta = second.data_ptr<double>();
    double* draws = out.data_ptr<double>();
    for (int64_t i = 0; i < out.numel(); ++i) {
      draws[i] = 0;
      if (zero != nullptr && std::uniform_real_distribution<double>()(counts_) < zero[i]) continue;
      if (!(mu[i] > 0)) continue;
      std::gamma_distribution<double> rate(theta[i], mu[i] / theta[i]);
      const double lambda = rate(counts_);
      if (lambda > 0)
        draws[i] = static_cast<double>(std::poisson_distribution<int64_t>(lambda)(counts_));
    }
    return out;
  }

 private:
  CellPrediction how_;
  const Head& head_;
  at::Generator gaussian_;
  std::mt19937_64 counts_;
};

}  // namespace

ConditionSummary Model::Impl::summarise(const CellSource& cells, const Design& own,
                                        const Design& target,
                                        const std::vector<std::vector<int64_t>>& source,
                                        bool with_difference, const Decoding& decoding) const {
  at::NoGradGuard no_grad;
  const auto genes = architecture.n_genes;
  std::vector<ColumnMoments> mean, variance, difference, shift;
  for (std::size_t k = 0; k < source.size(); ++k) {
    if (source[k].empty())
      throw Error("source", "must hold at least one cell per condition",
                  "condition " + std::to_string(k + 1) + " has none");
    mean.emplace_back(genes);
    variance.emplace_back(genes);
    if (!with_difference) continue;
    difference.emplace_back(genes);
    shift.emplace_back(genes);
  }
  Counterfactuals all(network, cells, own, target, source, decoding);
  all.run(with_difference, [&](std::size_t k, const Block& block, const Part& part,
                               const Decoded& d) {
    const Tensor decoded_mean = expected(d, decoding.ignore_zeros);
    mean[k].add(decoded_mean);
    const Tensor decoded_variance = compert::variance(d, network.head(), decoding.ignore_zeros);
    variance[k].add(decoded_variance);
    if (!with_difference) return;
    difference[k].add(block.expression.index_select(0, part.rows) + decoded_mean -
                      block.own_mean.index_select(0, part.rows));
    shift[k].add(decoded_variance - block.own_variance.index_select(0, part.rows));
  });
  ConditionSummary out;
  const std::size_t size = source.size() * static_cast<std::size_t>(genes);
  out.mean.resize(size);
  out.variance.resize(size);
  out.variance_of_means.resize(size);
  out.mean_difference.resize(with_difference ? size : 0);
  out.variance_difference.resize(with_difference ? size : 0);
  out.variance_shift.resize(with_difference ? size : 0);
  for (std::size_t k = 0; k < source.size(); ++k) {
    const std::size_t at = k * static_cast<std::size_t>(genes);
    out.n.push_back(static_cast<int64_t>(source[k].size()));
    mean[k].write_mean(out.mean.data() + at);
    mean[k].write_variance(out.variance_of_means.data() + at);
    variance[k].write_mean(out.variance.data() + at);
    if (!with_difference) continue;
    difference[k].write_mean(out.mean_difference.data() + at);
    difference[k].write_variance(out.variance_difference.data() + at);
    shift[k].write_mean(out.variance_shift.data() + at);
  }
  return out;
}

ConditionSummary Model::summarise(const CellSource& cells, const Design& own, const Design& target,
                                  const std::vector<std::vector<int64_t>>& source,
                                  const Decoding& decoding) const {
  return translate([&] {
    use_threads(impl_->settings.threads);
    return impl_->summarise(cells, own, target, source, true, decoding);
  });
}

void Model::predict_cells(const CellSource& cells, const Design& own, const Design& target,
                          const std::vector<std::vector<int64_t>>& source,
                          const CellPrediction& how, double* mean, double* variance,
                          const Decoding& decoding) const {
  const bool sampled = how.type == CellPrediction::Type::kSample;
  if (sampled && how.residual)
    throw Error("residual", "must be FALSE for samples: they are drawn from the decoder's distribution",
                "TRUE was given");
  if (how.n_samples < 1)
    throw Error("n_samples", "must be at least 1", std::to_string(how.n_samples));
  translate([&] {
    at::NoGradGuard no_grad;
    use_threads(impl_->settings.threads);
    const auto genes = static_cast<std::size_t>(impl_->architecture.n_genes);
    const std::size_t copies = sampled ? static_cast<std::size_t>(how.n_samples) : 1;
    std::vector<std::size_t> first{0};
    for (const auto& list : source) first.push_back(first.back() + list.size() * copies);
    const Head& head = impl_->network.head();
    Sampler sampler(how, head);
    Counterfactuals all(impl_->network, cells, own, target, source, decoding);
    all.run(how.residual, [&](std::size_t k, const Block& block, const Part& part,
                              const Decoded& d) {
      const Tensor decoded_mean = expected(d, decoding.ignore_zeros);
      const auto scatter = [&](const Tensor& values, double* out, std::size_t copy) {
        const Tensor t = values.to(at::kCPU, at::kDouble).contiguous();
        for (std::size_t i = 0; i < part.place.size(); ++i) {
          const double* row = t.data_ptr<double>() + i * genes;
          const std::size_t cell =
              first[k] + static_cast<std::size_t>(part.place[i]) * copies + copy;
          std::copy(row, row + genes, out + cell * genes);
        }
      };
      for (std::size_t copy = 0; copy < copies; ++copy) {
        if (sampled)
          scatter(sampler.draw(d), mean, copy);
        else if (how.residual)
          scatter(block.expression.index_select(0, part.rows) + decoded_mean -
                      block.own_mean.index_select(0, part.rows),
                  mean, copy);
        else
          scatter(decoded_mean, mean, copy);
        if (variance != nullptr)
          scatter(compert::variance(d, head, decoding.ignore_zeros), variance, copy);
      }
    });
  });
}

}  // namespace compert
