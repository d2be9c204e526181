#include "validation.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "compert/metrics.h"
#include "compert/neighbours.h"
#include "compert/statistics.h"

namespace compert {
namespace {

constexpr int64_t kMostCells = 2000;  // whose neighbours cpa_metric looks at
constexpr int64_t kNeighbours = 30;

std::vector<double> log_of(std::vector<double> v) {
  for (double& x : v) x = std::log1p(std::max(x, 0.0));
  return v;
}

}  // namespace

Validation::Validation(const Model::Impl& model, const EvaluationPlan& plan,
                       const CellSource& cells, const Design& own)
    : model_(model),
      plan_(plan),
      cells_(cells),
      own_(own),
      log_scale_(model.network.head().library) {
  const NormalisedCells even(
      cells, log_scale_ ? model.network.mean_library().item<double>() : 1);
  for (const auto& truth : plan.truth) {
    GroupStats s = stats_of(log_scale_ ? static_cast<const CellSource&>(even) : cells, truth);
    mean_.push_back(log_scale_ ? log_of(std::move(s.mean)) : std::move(s.mean));
    variance_.push_back(log_scale_ ? log_of(std::move(s.variance)) : std::move(s.variance));
  }
}

void Validation::score(EpochRecord& record) const {
  Decoding decoding;
  decoding.common_library = log_scale_;
  // The kind of counterfactual that is the default there: by difference, except for counts, where the
  // common library size has no observed cell to start from, and for the references, which decode.
  const bool by_difference = model_.settings.parity == "none" && !log_scale_;
  const ConditionSummary s =
      model_.summarise(cells_, own_, plan_.target, plan_.source, by_difference, decoding);
  const auto& means = by_difference ? s.mean_difference : s.mean;
  const auto genes = static_cast<std::ptrdiff_t>(cells_.n_genes());
  std::vector<R2Scores> scores;
  for (std::size_t k = 0; k < plan_.size(); ++k) {
    const auto at = static_cast<std::ptrdiff_t>(k) * genes;
    std::vector<double> mean(means.begin() + at, means.begin() + at + genes),
        variance(s.variance.begin() + at, s.variance.begin() + at + genes);
    if (by_difference)
      for (std::size_t g = 0; g < variance.size(); ++g) {
        const std::size_t i = static_cast<std::size_t>(at) + g;
        variance[g] = std::max(0.0, s.variance_difference[i] + s.variance_shift[i]);
      }
    if (log_scale_) {
      mean = log_of(std::move(mean));
      variance = log_of(std::move(variance));
    }
    scores.push_back(r2_scores(mean_[k], variance_[k], mean, variance, plan_.degs[k]));
  }
  const R2Scores mean = average(scores);
  record.r2_mean = mean.mean;
  record.r2_mean_deg = mean.mean_deg;
  record.r2_var = mean.variance;
  record.r2_var_deg = mean.variance_deg;
  if (model_.settings.stopping_metric == "cpa_metric") record.cpa_metric = cpa_metric(record);
}

double Validation::cpa_metric(const EpochRecord& record) const {
  at::NoGradGuard no_grad;
  // The plan's cells, every k-th of them where they are many.
  std::vector<int64_t> which;
  std::vector<int32_t> condition;
  for (std::size_t k = 0; k < plan_.size(); ++k)
    for (const int64_t cell : plan_.truth[k]) {
      which.push_back(cell);
      condition.push_back(static_cast<int32_t>(k));
    }
  const std::size_t step = (which.size() + kMostCells - 1) / kMostCells;
  std::vector<int64_t> some;
  std::vector<std::vector<int32_t>> labels(1 + own_.n_covariates);
  for (std::size_t i = 0; i < which.size(); i += std::max<std::size_t>(1, step)) {
    some.push_back(which[i]);
    labels[0].push_back(condition[i]);
    for (std::size_t c = 0; c < own_.n_covariates; ++c)
      labels[c + 1].push_back(
          own_.covariate[static_cast<std::size_t>(which[i]) * own_.n_covariates + c]);
  }
  Batch batch;
  model_.network.load(cells_, some.data(), some.size(), own_.rows(some.data(), some.size()), batch);
  const Tensor basal = model_.network.encode(batch, false).basal;
  const Tensor after = basal + model_.network.perturbation_effect(batch) +
                       model_.network.covariate_effect(batch);
  const auto purity = [&](const Tensor& latent) {
    const Array points = to_array(latent);
    const Points view{points.values.data(), some.size(), static_cast<std::size_t>(points.shape[1])};
    double sum = 0;
    for (const auto& label : labels)
      if (std::adjacent_find(label.begin(), label.end(), std::not_equal_to<>()) != label.end())
        sum += knn_purity(view, label, kNeighbours).mean;
    return sum;
  };
  return record.r2_mean + 0.5 * record.r2_var + std::exp(purity(after) - purity(basal));
}

double stopping_score(const EpochRecord& r, const std::string& metric) {
  if (metric == "cpa_metric") return std::isnan(r.cpa_metric) ? -1 : r.cpa_metric;
  double sum = 0;
  int n = 0;
  const auto add = [&](double v) {
    if (std::isnan(v)) return;
    sum += v;
    ++n;
  };
  add(r.r2_mean);
  add(r.r2_mean_deg);
  if (metric == "r2_all") {
    add(r.r2_var);
    add(r.r2_var_deg);
  }
  return n > 0 ? sum / n : -1;
}

}  // namespace compert
