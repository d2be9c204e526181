#include "validation.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "compert/neighbours.h"
#include "compert/statistics.h"

namespace compert {
namespace {

constexpr int64_t kMostCells = 2000;  // whose neighbours cpa_metric looks at
constexpr int64_t kNeighbours = 30;
constexpr std::size_t kHeld = 5000000;  // what a part of the plan holds, some 40 bytes each

}  // namespace

void Validation::check(const EvaluationPlan& plan, const Architecture& a) {
  if (plan.source.size() != plan.size() || plan.degs.size() != plan.size() || plan.target.n != plan.size())
    throw Error("plan", "must have a source, genes and a target per condition");
  if (plan.size() > 0) plan.target.check(a.n_perturbations, a.covariate_levels, a.n_continuous, true);
}

Validation::Validation(const Model::Impl& model, const EvaluationPlan& plan,
                       const CellSource& cells, const Design& own)
    : model_(model),
      plan_(plan),
      cells_(cells),
      own_(own),
      log_scale_(model.network.head().library) {
  const auto genes = static_cast<std::ptrdiff_t>(model.architecture.n_genes);
  const NormalisedCells even(
      cells, log_scale_ ? model.network.mean_library().item<double>() : 1, genes);
  for (const auto& truth : plan.truth) {
    GroupStats s = stats_of(log_scale_ ? static_cast<const CellSource&>(even) : cells,
                            measured_in(truth, own, kRna));
    if (!own.measured.empty() && model.network.proteins() != nullptr) {
      const GroupStats second = stats_of(cells, measured_in(truth, own, kProteins));
      std::copy(second.mean.begin() + genes, second.mean.end(), s.mean.begin() + genes);
      std::copy(second.variance.begin() + genes, second.variance.end(), s.variance.begin() + genes);
    }
    mean_.push_back(on_scale(std::move(s.mean)));
    variance_.push_back(on_scale(std::move(s.variance)));
  }
}

std::vector<double> Validation::on_scale(std::vector<double> v) const {
  const auto genes = static_cast<std::size_t>(model_.architecture.n_genes);
  const ProteinDecoder* proteins = model_.network.proteins();
  const bool log_proteins = proteins != nullptr && proteins->counts() && !model_.network.multicpa();
  for (std::size_t g = 0; g < v.size(); ++g)
    if (g < genes ? log_scale_ : log_proteins) v[g] = std::log1p(std::max(v[g], 0.0));
  return v;
}

void Validation::score(EpochRecord& record) const {
  std::vector<R2Scores> scores, of_proteins;
  for (std::size_t first = 0; first < plan_.size();) {
    std::vector<int64_t> conditions;
    std::vector<std::vector<int64_t>> source;
    // Sums of every row, and a note of every source cell.
    for (std::size_t held = 0; first < plan_.size() && held < kHeld; ++first) {
      conditions.push_back(static_cast<int64_t>(first));
      source.push_back(plan_.source[first]);
      held += source.back().size() + cells_.n_genes();
    }
    score(conditions, source, scores, of_proteins);
  }
  if (!of_proteins.empty()) {
    const R2Scores proteins = average(of_proteins);
    record.r2_mean_protein = proteins.mean;
    record.r2_var_protein = proteins.variance;
  }
  const R2Scores mean = average(scores);
  record.r2_mean = mean.mean;
  record.r2_mean_deg = mean.mean_deg;
  record.r2_var = mean.variance;
  record.r2_var_deg = mean.variance_deg;
  if (model_.settings.stopping_metric == "cpa_metric") record.cpa_metric = cpa_metric();
}

void Validation::score(const std::vector<int64_t>& conditions, const std::vector<std::vector<int64_t>>& source,
                       std::vector<R2Scores>& scores, std::vector<R2Scores>& of_proteins) const {
  Decoding decoding;
  decoding.common_library = log_scale_;
  const ConditionSummary s =
      model_.summarise(cells_, own_, plan_.target.rows(conditions.data(), conditions.size()), source,
                       {false, false}, decoding);
  const auto rows = static_cast<std::ptrdiff_t>(cells_.n_genes());
  const auto genes = static_cast<std::ptrdiff_t>(model_.architecture.n_genes);
  const auto part = [](const std::vector<double>& v, std::ptrdiff_t begin, std::ptrdiff_t end) {
    return std::vector<double>(v.begin() + begin, v.begin() + end);
  };
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    const auto k = static_cast<std::size_t>(conditions[i]);
    const auto at = static_cast<std::ptrdiff_t>(i) * rows;
    const std::vector<double> mean = on_scale(part(s.mean, at, at + rows)),
                              variance = on_scale(part(s.variance, at, at + rows));
    scores.push_back(r2_scores(part(mean_[k], 0, genes), part(variance_[k], 0, genes),
                               part(mean, 0, genes), part(variance, 0, genes), plan_.degs[k]));
    if (rows > genes + 1)  // r2 needs two
      of_proteins.push_back(r2_scores(part(mean_[k], genes, rows), part(variance_[k], genes, rows),
                                      part(mean, genes, rows), part(variance, genes, rows), {}));
  }
}

double Validation::cpa_metric() const {
  at::NoGradGuard no_grad;
  // Every k-th of the cells where they are many.
  const std::size_t step = std::max<std::size_t>(1, (plan_.cells.size() + kMostCells - 1) / kMostCells);
  std::vector<int64_t> some;
  std::vector<std::vector<int32_t>> labels(1 + own_.n_covariates);  // perturbations without doses; covariates
  std::map<std::vector<int32_t>, std::vector<int64_t>> groups;      // by all of them
  for (std::size_t i = 0; i < plan_.cells.size(); i += step) {
    const auto cell = static_cast<std::size_t>(plan_.cells[i]);
    std::vector<int32_t> label = {own_.condition.at(cell)};
    for (std::size_t c = 0; c < own_.n_covariates; ++c) label.push_back(own_.covariate[cell * own_.n_covariates + c]);
    for (std::size_t k = 0; k < label.size(); ++k) labels[k].push_back(label[k]);
    groups[label].push_back(static_cast<int64_t>(some.size()));
    some.push_back(plan_.cells[i]);
  }
  const Network& network = model_.network;
  Batch batch;
  network.load(cells_, some.data(), some.size(), own_.rows(some.data(), some.size()), batch);
  const Tensor basal = network.encode(batch, false).basal;
  const Tensor after =
      basal + network.perturbation_effect(batch) + network.covariate_effect(batch);
  const auto purity = [&](const Tensor& latent) {
    const Array points = to_array(latent);
    const Points view{points.values.data(), some.size(), static_cast<std::size_t>(points.shape[1])};
    double sum = 0;
    for (const auto& label : labels)
      if (std::adjacent_find(label.begin(), label.end(), std::not_equal_to<>()) != label.end())
        sum += knn_purity(view, label, kNeighbours).mean;
    return sum;
  };
  const Decoded d = network.decode(after, batch.library);
  const bool counts = network.head().counts();
  Tensor observed = batch.genes(), predicted = d.mean;
  if (counts) {
    observed = observed.log1p();
    predicted = predicted.log1p();
  }
  double r2_mean = 0, r2_variance = 0;
  for (const auto& [label, rows] : groups) {
    const Tensor index = at::tensor(rows, at::kLong).to(basal.device());
    const Tensor x = observed.index_select(0, index), p = predicted.index_select(0, index);
    const Tensor spread =
        counts ? p.var(at::IntArrayRef{0}, true, false) : d.second.index_select(0, index).mean(0);
    const auto score = [](const Tensor& truth, const Tensor& guess) {
      const double value = r2(to_array(truth).values, to_array(guess).values);
      return std::isnan(value) ? 0 : value;
    };
    r2_mean += score(x.mean(0), p.mean(0));
    r2_variance += score(x.var(at::IntArrayRef{0}, true, false), spread);
  }
  const auto n = static_cast<double>(groups.size());
  return (r2_mean + 0.5 * r2_variance) / n + std::exp(purity(after) - purity(basal));
}

double stopping_score(const EpochRecord& r, const std::string& metric) {
  const double none = -std::numeric_limits<double>::infinity();
  if (metric == "cpa_metric") return std::isnan(r.cpa_metric) ? none : r.cpa_metric;
  double sum = 0;
  int n = 0;
  const auto add = [&](double v) {
    if (std::isnan(v)) return;
    sum += v;
    ++n;
  };
  add(r.r2_mean);
  add(r.r2_mean_deg);
  add(r.r2_mean_protein);
  if (metric == "r2_all") {
    add(r.r2_var);
    add(r.r2_var_deg);
    add(r.r2_var_protein);
  }
  return n > 0 ? sum / n : none;
}

double score_noise(const std::vector<EpochRecord>& history, const std::string& metric) {
  // Of normal scores, the median of |a - b| is this many standard deviations.
  constexpr double kMedianChange = 0.954;
  std::vector<double> scores, change;
  for (const EpochRecord& r : history)
    if (const double s = stopping_score(r, metric); std::isfinite(s)) scores.push_back(s);
  for (std::size_t i = 1; i < scores.size(); ++i) change.push_back(std::abs(scores[i] - scores[i - 1]));
  if (change.size() < 3) return 0;
  const auto middle = change.begin() + static_cast<std::ptrdiff_t>(change.size() / 2);
  std::nth_element(change.begin(), middle, change.end());
  return *middle / kMedianChange;
}

}  // namespace compert
