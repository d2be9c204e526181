// How good a model is on held-out conditions while it is trained.
#pragma once
#include "compert/metrics.h"
#include "impl.h"

namespace compert {

class Validation {
 public:
  /// Throws for a plan that is none for such a model.
  static void check(const EvaluationPlan& plan, const Architecture& architecture);
  /// The truth of the plan's conditions is computed here, once per fit.
  Validation(const Model::Impl& model, const EvaluationPlan& plan, const CellSource& cells,
             const Design& own);
  /// Fills the scores of the record: means over conditions of the r2 of means and of variances.
  /// For counts with a library size, cells are brought to the mean one, and the scores are of the
  /// logarithm of one plus the conditions' means (and variances).
  void score(EpochRecord& record) const;

 private:
  /// theislab/cpa's metric of the plan's `cells` passed through the model as they are: r2 of the
  /// conditions' means + half of that of their variances (counts as log(1 + count), and predicted
  /// variances those of the predicted means) + exp(kNN purity of the treated states - of the basal
  /// ones), purities summed over perturbations and covariates. Conditions are perturbations and covariates
  /// without doses, the control among them.
  double cpa_metric() const;
  /// Scores of some conditions of the plan.
  void score(const std::vector<int64_t>& conditions, const std::vector<std::vector<int64_t>>& source,
             std::vector<R2Scores>& scores, std::vector<R2Scores>& of_proteins) const;
  /// Counts as logarithms, where they are scored as such.
  std::vector<double> on_scale(std::vector<double> v) const;

  const Model::Impl& model_;
  const EvaluationPlan& plan_;
  const CellSource& cells_;
  const Design& own_;
  bool log_scale_;
  std::vector<std::vector<double>> mean_, variance_;  // of the truth
};

/// What early stopping maximises.
double stopping_score(const EpochRecord& record, const std::string& metric);

/// Standard deviation of that score from one evaluation to the next, by the median of its changes; 0
/// before there are three.
double score_noise(const std::vector<EpochRecord>& history, const std::string& metric);

}  // namespace compert
