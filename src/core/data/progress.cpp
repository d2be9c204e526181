#include "compert/progress.h"

namespace compert {

#define COMPERT_COLUMN(field)                                                  \
  EpochColumn {                                                                \
#field, [](const EpochRecord& r) { return static_cast<double>(r.field); }, \
        [](EpochRecord& r, double v) { r.field = static_cast<decltype(r.field)>(v); } \
  }

const std::vector<EpochColumn>& epoch_columns() {
  static const std::vector<EpochColumn> all = {
      COMPERT_COLUMN(epoch),
      COMPERT_COLUMN(seconds),
      COMPERT_COLUMN(loss_reconstruction),
      COMPERT_COLUMN(loss_adv_perturbations),
      COMPERT_COLUMN(loss_adv_covariates),
      COMPERT_COLUMN(penalty_adv_perturbations),
      COMPERT_COLUMN(penalty_adv_covariates),
      COMPERT_COLUMN(loss_kl),
      COMPERT_COLUMN(loss_proteins),
      COMPERT_COLUMN(loss_kl_background),
      COMPERT_COLUMN(loss_alignment),
      COMPERT_COLUMN(loss_counterfactual),
      COMPERT_COLUMN(loss_degs),
      COMPERT_COLUMN(r2_mean),
      COMPERT_COLUMN(r2_mean_deg),
      COMPERT_COLUMN(r2_var),
      COMPERT_COLUMN(r2_var_deg),
      COMPERT_COLUMN(r2_mean_protein),
      COMPERT_COLUMN(r2_var_protein),
      COMPERT_COLUMN(cpa_metric),
      COMPERT_COLUMN(best)};
  return all;
}

}  // namespace compert
