// Questions put to a fitted model: counterfactuals, reconstructions, embeddings.
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "impl.h"

namespace compert {
namespace {

constexpr int64_t kBlock = 1024;  // cells decoded at a time

/// Mean and variance of the columns of blocks of rows, merged pairwise in double precision.
class ColumnMoments {
 public:
  explicit ColumnMoments(int64_t genes) : mean_(at::zeros({genes}, at::kDouble)), m2_(mean_.clone()) {}
  void add(const Tensor& rows) {
    const auto count = static_cast<double>(rows.size(0));
    const auto parts = at::var_mean(rows, at::IntArrayRef{0}, false, false);
    const Tensor mean = std::get<1>(parts).to(at::kCPU, at::kDouble);
    const Tensor m2 = std::get<0>(parts).to(at::kCPU, at::kDouble) * count;
    const Tensor delta = mean - mean_;
    const double total = n_ + count;
    m2_.add_(m2 + delta.square() * (n_ * count / total));
    mean_.add_(delta * (count / total));
    n_ = total;
  }
  void write_mean(double* out) const { copy(mean_, out); }
  void write_variance(double* out) const { copy(m2_ / std::max(n_, 1.0), out); }

 private:
  static void copy(const Tensor& t, double* out) {
    const Tensor c = t.contiguous();
    std::copy(c.data_ptr<double>(), c.data_ptr<double>() + c.numel(), out);
  }
  Tensor mean_, m2_;
  double n_ = 0;
};

/// A block of source cells with what all conditions share.
struct Block {
  int64_t begin = 0, end = 0;  // positions among the distinct cells
  Batch batch;
  Tensor basal;
  Tensor expression, own_mean;  // only for counterfactuals by difference
};

/// Cells of one condition within one block.
struct Part {
  Tensor rows;                // within the block
  std::vector<int64_t> place;  // in the condition's list of source cells
};

/// Runs over the distinct source cells block by block, and within a block over the conditions.
class Counterfactuals {
 public:
  Counterfactuals(const Network& network, const CellSource& cells, const Design& own,
                  const Design& target, const std::vector<std::vector<int64_t>>& source)
      : network_(network), cells_(cells), own_(own), target_(target), source_(source) {
    const Architecture& a = network.architecture();
    own.check(a.n_perturbations, a.covariate_levels, false);
    target.check(a.n_perturbations, a.covariate_levels, true);
    if (target.n != source.size())
      throw Error("source", "must have one entry per condition");
    if (own.n != cells.n_cells()) throw Error("design", "must have one row per cell");
    for (const auto& list : source)
      for (const int64_t cell : list) {
        if (cell < 0 || static_cast<std::size_t>(cell) >= cells.n_cells())
          throw Error("source", "must hold indices of cells", std::to_string(cell));
        distinct_.push_back(cell);
      }
    std::sort(distinct_.begin(), distinct_.end());
    distinct_.erase(std::unique(distinct_.begin(), distinct_.end()), distinct_.end());
    network.load_design(target, target_batch_);
    effect_ = network.perturbation_effect(target_batch_.slots);
  }

  /// visit(condition, block, part, treated) for every condition with cells in the block.
  template <class Visit>
  void run(bool with_difference, Visit&& visit) {
    for (int64_t begin = 0; begin < static_cast<int64_t>(distinct_.size()); begin += kBlock) {
      Block block;
      block.begin = begin;
      block.end = std::min<int64_t>(begin + kBlock, static_cast<int64_t>(distinct_.size()));
      encode(block, with_difference);
      for (std::size_t k = 0; k < source_.size(); ++k) {
        const Part part = cells_in(block, source_[k]);
        if (!part.place.empty()) visit(k, block, part, treated(k, block, part));
      }
    }
  }

 private:
  void encode(Block& block, bool with_difference) const {
    const int64_t* which = distinct_.data() + block.begin;
    const auto n = static_cast<std::size_t>(block.end - block.begin);
    network_.load(cells_, which, n, own_.rows(which, n), block.batch);
    block.basal = network_.encode(block.batch, false);
    if (!with_difference) return;
    block.expression = dense_tensor(
        block.batch.target, stored_values(block.batch.target, block.basal.scalar_type(), false),
        block.basal.device());
    block.own_mean = network_
                         .decode(block.basal + network_.perturbation_effect(block.batch.slots) +
                                 network_.covariate_effect(block.batch.covariates))
                         .mean;
  }

  Part cells_in(const Block& block, const std::vector<int64_t>& list) const {
    Part part;
    std::vector<int64_t> rows;
    const int64_t low = distinct_[static_cast<std::size_t>(block.begin)],
                  high = distinct_[static_cast<std::size_t>(block.end - 1)];
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (list[i] < low || list[i] > high) continue;
      const auto found = std::lower_bound(distinct_.begin() + block.begin,
                                          distinct_.begin() + block.end, list[i]);
      rows.push_back(found - distinct_.begin() - block.begin);
      part.place.push_back(static_cast<int64_t>(i));
    }
    part.rows = at::tensor(rows, at::kLong).to(network_.options().device());
    return part;
  }

  Tensor treated(std::size_t k, const Block& block, const Part& part) const {
    std::vector<Tensor> levels;
    for (std::size_t c = 0; c < target_.n_covariates; ++c) {
      const int32_t asked = target_.covariate[k * target_.n_covariates + c];
      levels.push_back(asked < 0 ? block.batch.covariates[c].index_select(0, part.rows)
                                 : at::full({part.rows.size(0)}, asked, part.rows.options()));
    }
    return block.basal.index_select(0, part.rows) + effect_[static_cast<int64_t>(k)] +
           network_.covariate_effect(levels);
  }

  const Network& network_;
  const CellSource& cells_;
  const Design& own_;
  const Design& target_;
  const std::vector<std::vector<int64_t>>& source_;
  std::vector<int64_t> distinct_;
  Batch target_batch_;
  Tensor effect_;
};

void write_rows(const Tensor& values, double* out) {
  const Tensor t = values.to(at::kCPU, at::kDouble).contiguous();
  std::copy(t.data_ptr<double>(), t.data_ptr<double>() + t.numel(), out);
}

/// Draws from the decoded distribution.
class Sampler {
 public:
  Sampler(const CellPrediction& how, Likelihood likelihood)
      : how_(how),
        likelihood_(likelihood),
        gaussian_(at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(how.seed))),
        counts_(static_cast<uint64_t>(how.seed)) {}

  Tensor draw(const Decoded& d) {
    const Tensor mean = d.mean.to(at::kCPU, at::kDouble).contiguous(),
                 second = d.second.to(at::kCPU, at::kDouble).contiguous();
    if (likelihood_ == Likelihood::kGaussian) {
      const Tensor deviation = how_.variance_as_deviation ? second : second.sqrt();
      return (mean + deviation * at::randn(mean.sizes(), gaussian_, at::TensorOptions(at::kDouble)))
          .clamp_min(0);
    }
    Tensor out = at::empty_like(mean);
    const double *mu = mean.data_ptr<double>(), *theta = second.data_ptr<double>();
    double* draws = out.data_ptr<double>();
    for (int64_t i = 0; i < out.numel(); ++i) {
      std::gamma_distribution<double> rate(theta[i], mu[i] / theta[i]);
      const double lambda = rate(counts_);
      draws[i] = lambda > 0
                     ? static_cast<double>(std::poisson_distribution<int64_t>(lambda)(counts_))
                     : 0;
    }
    return out;
  }

 private:
  CellPrediction how_;
  Likelihood likelihood_;
  at::Generator gaussian_;
  std::mt19937_64 counts_;
};

}  // namespace

ConditionSummary Model::Impl::summarise(const CellSource& cells, const Design& own,
                                        const Design& target,
                                        const std::vector<std::vector<int64_t>>& source,
                                        bool with_difference) const {
  at::NoGradGuard no_grad;
  const auto genes = architecture.n_genes;
  std::vector<ColumnMoments> mean, variance, difference;
  for (std::size_t k = 0; k < source.size(); ++k) {
    if (source[k].empty())
      throw Error("source", "must hold at least one cell per condition",
                  "condition " + std::to_string(k + 1) + " has none");
    mean.emplace_back(genes);
    variance.emplace_back(genes);
    if (with_difference) difference.emplace_back(genes);
  }
  Counterfactuals all(network, cells, own, target, source);
  all.run(with_difference, [&](std::size_t k, const Block& block, const Part& part,
                               const Tensor& treated) {
    const Decoded d = network.decode(treated);
    mean[k].add(d.mean);
    const Tensor spread = network.likelihood() == Likelihood::kGaussian
                              ? d.second
                              : d.mean + d.mean.square() / d.second;
    variance[k].add(spread);
    if (with_difference)
      difference[k].add(block.expression.index_select(0, part.rows) + d.mean -
                        block.own_mean.index_select(0, part.rows));
  });
  ConditionSummary out;
  const std::size_t size = source.size() * static_cast<std::size_t>(genes);
  out.mean.resize(size);
  out.variance.resize(size);
  out.variance_of_means.resize(size);
  out.mean_difference.resize(with_difference ? size : 0);
  out.variance_difference.resize(with_difference ? size : 0);
  for (std::size_t k = 0; k < source.size(); ++k) {
    const std::size_t at = k * static_cast<std::size_t>(genes);
    out.n.push_back(static_cast<int64_t>(source[k].size()));
    mean[k].write_mean(out.mean.data() + at);
    mean[k].write_variance(out.variance_of_means.data() + at);
    variance[k].write_mean(out.variance.data() + at);
    if (!with_difference) continue;
    difference[k].write_mean(out.mean_difference.data() + at);
    difference[k].write_variance(out.variance_difference.data() + at);
  }
  return out;
}

ConditionSummary Model::summarise(const CellSource& cells, const Design& own, const Design& target,
                                  const std::vector<std::vector<int64_t>>& source) const {
  return translate([&] {
    use_threads(impl_->settings.threads);
    return impl_->summarise(cells, own, target, source, true);
  });
}

void Model::predict_cells(const CellSource& cells, const Design& own, const Design& target,
                          const std::vector<std::vector<int64_t>>& source,
                          const CellPrediction& how, double* mean, double* variance) const {
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
    Sampler sampler(how, impl_->network.likelihood());
    Counterfactuals all(impl_->network, cells, own, target, source);
    all.run(how.residual, [&](std::size_t k, const Block& block, const Part& part,
                              const Tensor& treated) {
      const Decoded d = impl_->network.decode(treated);
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
          scatter(block.expression.index_select(0, part.rows) + d.mean -
                      block.own_mean.index_select(0, part.rows),
                  mean, copy);
        else
          scatter(d.mean, mean, copy);
        if (variance == nullptr) continue;
        scatter(impl_->network.likelihood() == Likelihood::kGaussian
                    ? d.second
                    : d.mean + d.mean.square() / d.second,
                variance, copy);
      }
    });
  });
}

void Model::reconstruct(const CellSource& cells, const Design& own,
                        const std::vector<int64_t>& which, double* mean, double* variance) const {
  // A cell under its own design is a condition of its own level everywhere, so blocks suffice.
  translate([&] {
    at::NoGradGuard no_grad;
    use_threads(impl_->settings.threads);
    const Network& network = impl_->network;
    own.check(impl_->architecture.n_perturbations, impl_->architecture.covariate_levels, false);
    const auto genes = static_cast<std::size_t>(impl_->architecture.n_genes);
    Batch batch;
    for (std::size_t begin = 0; begin < which.size(); begin += kBlock) {
      const std::size_t n = std::min<std::size_t>(kBlock, which.size() - begin);
      network.load(cells, which.data() + begin, n, own.rows(which.data() + begin, n), batch);
      const Decoded d = network.decode(network.encode(batch, false) +
                                       network.perturbation_effect(batch.slots) +
                                       network.covariate_effect(batch.covariates));
      write_rows(d.mean, mean + begin * genes);
      write_rows(network.likelihood() == Likelihood::kGaussian
                     ? d.second
                     : d.mean + d.mean.square() / d.second,
                 variance + begin * genes);
    }
  });
}

void Model::embed(const CellSource& cells, const Design& own, Latent latent, double* out) const {
  translate([&] {
    at::NoGradGuard no_grad;
    use_threads(impl_->settings.threads);
    const Network& network = impl_->network;
    if (own.n != cells.n_cells()) throw Error("design", "must have one row per cell");
    own.check(impl_->architecture.n_perturbations, impl_->architecture.covariate_levels, false);
    std::vector<int64_t> which(cells.n_cells());
    for (std::size_t i = 0; i < which.size(); ++i) which[i] = static_cast<int64_t>(i);
    Batch batch;
    for (std::size_t begin = 0; begin < which.size(); begin += kBlock) {
      const std::size_t n = std::min<std::size_t>(kBlock, which.size() - begin);
      network.load(cells, which.data() + begin, n, own.rows(which.data() + begin, n), batch);
      Tensor z = network.encode(batch, false);
      if (latent != Latent::kBasal)
        z = z + network.perturbation_effect(batch.slots) +
            network.covariate_effect(batch.covariates, latent == Latent::kCorrected
                                                           ? impl_->architecture.batch_covariate
                                                           : -1);
      write_rows(z, out + begin * static_cast<std::size_t>(dim()));
    }
  });
}

std::vector<double> Model::perturbation_embedding(const Design& rows) const {
  return translate([&] {
    at::NoGradGuard no_grad;
    rows.check(impl_->architecture.n_perturbations, impl_->architecture.covariate_levels, true);
    Batch batch;
    impl_->network.load_design(rows, batch);
    return to_array(impl_->network.perturbation_effect(batch.slots)).values;
  });
}

std::vector<double> Model::dose_response(const std::vector<int32_t>& perturbation,
                                         const std::vector<double>& dose) const {
  return translate([&] {
    at::NoGradGuard no_grad;
    Design rows;
    rows.n = perturbation.size();
    rows.perturbation = perturbation;
    rows.dose = dose;
    rows.check(impl_->architecture.n_perturbations, {}, false);
    Batch batch;
    impl_->network.load_design(rows, batch);
    return to_array(impl_->network.doser().respond(batch.slots)).values;
  });
}

std::vector<double> Model::covariate_embedding(std::size_t covariate) const {
  return to_array(impl_->network.covariate_tables().at(covariate)->value).values;
}

}  // namespace compert
