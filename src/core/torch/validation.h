// How good a model is on held-out conditions while it is trained.
#pragma once
#include "impl.h"

namespace compert {

class Validation {
 public:
  /// The truth of the plan's conditions is computed here, once per fit.
  Validation(const Model::Impl& model, const EvaluationPlan& plan, const CellSource& cells,
             const Design& own);
  /// Fills the scores of the record: means over conditions of the r2 of means and of variances.
  /// For counts with a library size, cells are brought to the mean one, and the scores are of the
  /// logarithm of one plus the conditions' means (and variances).
  void score(EpochRecord& record) const;

 private:
  /// r2_mean + 0.5 r2_var + exp(purity after - purity of basal states), theislab/cpa's metric.
  double cpa_metric(const EpochRecord& record) const;

  const Model::Impl& model_;
  const EvaluationPlan& plan_;
  const CellSource& cells_;
  const Design& own_;
  bool log_scale_;
  std::vector<std::vector<double>> mean_, variance_;  // of the truth
};

/// What early stopping maximises.
double stopping_score(const EpochRecord& record, const std::string& metric);

}  // namespace compert
