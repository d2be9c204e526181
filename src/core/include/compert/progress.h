#pragma once
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace compert {

/// What one epoch of training did. Losses are means over the epoch's steps
/// (`loss_reconstruction` of both modalities together); scores are NaN in
/// epochs without evaluation, losses of parts that the model does not use,
/// but those of alignment and counterfactual matching 0 where they are off.
struct EpochRecord {
  int64_t epoch = 0;         ///< 1-based, counted over the whole life of the fit
  double seconds = 0;        ///< training time so far, over the whole life of the fit
  double loss_reconstruction = 0;
  double loss_adv_perturbations = std::numeric_limits<double>::quiet_NaN();
  double loss_adv_covariates = std::numeric_limits<double>::quiet_NaN();
  double penalty_adv_perturbations = std::numeric_limits<double>::quiet_NaN();
  double penalty_adv_covariates = std::numeric_limits<double>::quiet_NaN();
  double loss_proteins = std::numeric_limits<double>::quiet_NaN();
  double loss_kl_background = std::numeric_limits<double>::quiet_NaN();
  double loss_kl = std::numeric_limits<double>::quiet_NaN();
  double loss_alignment = 0;
  double loss_counterfactual = 0;
  double loss_degs = std::numeric_limits<double>::quiet_NaN();
  double r2_mean = std::numeric_limits<double>::quiet_NaN();
  double r2_mean_deg = std::numeric_limits<double>::quiet_NaN();
  double r2_var = std::numeric_limits<double>::quiet_NaN();
  double r2_var_deg = std::numeric_limits<double>::quiet_NaN();
  double r2_mean_protein = std::numeric_limits<double>::quiet_NaN();
  double r2_var_protein = std::numeric_limits<double>::quiet_NaN();
  double cpa_metric = std::numeric_limits<double>::quiet_NaN();
  bool best = false;         ///< the best score so far, or within its noise: these weights are kept
};

/// A field of EpochRecord as a column of the history.
struct EpochColumn {
  std::string name;
  double (*get)(const EpochRecord&);
  void (*set)(EpochRecord&, double);
};
const std::vector<EpochColumn>& epoch_columns();

/// The caller's side of a long computation. The core owns no terminal and no signal handler.
class Progress {
 public:
  virtual ~Progress() = default;
  virtual void on_epoch(const EpochRecord& record, int64_t last_epoch) = 0;
  /// Asked before every batch; true ends the training with everything kept so far.
  virtual bool should_stop() = 0;
};

}  // namespace compert
