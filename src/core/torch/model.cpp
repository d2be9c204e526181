#include "compert/model.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "../data/settings_fields.h"
#include "impl.h"
#include "product.h"
#include "validation.h"

namespace compert {
namespace {

void check(const Architecture& a) {
  if (a.n_genes < 2)
    throw Error("x", "must have at least two genes", std::to_string(a.n_genes) + " given");
  if (a.n_proteins < 0)
    throw Error("proteins", "must not be fewer than none", std::to_string(a.n_proteins) + " given");
  if (a.n_perturbations < 1)
    throw Error("perturbation", "must name at least one perturbation");
  for (const int64_t levels : a.covariate_levels)
    if (levels < 1) throw Error("covariates", "must have at least one level each");
  if (a.batch_covariate < -1 || a.batch_covariate >= static_cast<int64_t>(a.covariate_levels.size()))
    throw Error("batch_covariate", "must be one of the covariates, or -1",
                std::to_string(a.batch_covariate) + " given");
  for (const int32_t p : a.measured_perturbation)
    if (p < 0 || p >= a.n_perturbations)
      throw Error("measured_perturbation", "must be perturbations of the model", std::to_string(p) + " given");
  if (const std::size_t n = a.measured_perturbation.size(); a.measured_dose.size() != n)
    throw Error("measured_dose", "must hold one dose per measured perturbation",
                std::to_string(a.measured_dose.size()) + " given for " + std::to_string(n));
  if (a.n_continuous < 0)
    throw Error("continuous", "must not be fewer than none", std::to_string(a.n_continuous) + " given");
}

void check(const Architecture& a, const Settings& s) {
  check(a);
  if (s.model == "multicpa" && a.n_proteins < 1 && s.fusion == "poe")
    throw Error("proteins", "must be given for the product of experts", "there are none",
                "Without proteins fit cpa(), or multicpa(fusion = \"concat\")");
  if (a.n_continuous > 0 && (s.model == "scgen" || s.parity != "none"))
    throw Error("continuous", "must be left out with a reference's parity and for scGen, which have none of it",
                "parity \"" + s.parity + "\", model \"" + s.model + "\"");
  if (s.model != "multicpa" && a.n_proteins > 0)
    throw Error("model", "must be \"multicpa\" for RNA and proteins", "\"" + s.model + "\" was given");
  if (s.adversary_loss != "bce" && a.n_conditions() < 1)
    throw Error("condition_weight", "must hold one weight per condition",
                "none given, and adversary_loss is \"" + s.adversary_loss + "\"");
  if (!a.graphs.empty() && (a.graphs.size() != static_cast<std::size_t>(a.n_perturbations) ||
                            a.n_features != s.molecule_width))
    throw Error("molecules", "must have one graph per perturbation, and molecule_width features",
                std::to_string(a.graphs.size()) + " graphs, " + std::to_string(a.n_features) +
                    " features");
  if (!a.features.empty() &&
      a.features.size() != static_cast<std::size_t>(a.n_perturbations * a.n_features))
    throw Error("molecules", "must hold n_features values for every perturbation",
                std::to_string(a.features.size()) + " values");
  if (!a.has_features.empty() &&
      a.has_features.size() != static_cast<std::size_t>(a.n_perturbations))
    throw Error("molecules", "must say of every perturbation whether it has features",
                std::to_string(a.has_features.size()) + " values");
  if (a.n_genes_inner < 0 || a.n_genes_inner == 1)
    throw Error("n_genes_inner", "must be at least two genes, or 0",
                std::to_string(a.n_genes_inner) + " given");
}

void check_products(const Settings& s, const Network& network) {
  if (s.precision != "bf16-mixed" || !network.options().device().is_cpu()) return;
  const std::string why = product_library().no_bfloat16;
  if (!why.empty())
    throw Error("precision", "must be \"float32\" or \"float64\" here", "\"bf16-mixed\" was given, but " + why);
}

/// The embeddings' rate is kept as a multiple of the autoencoder's, which the network was made with.
void check_embeddings_rate(const Settings& now, const Settings& s) {
  const double was = now.embeddings_lr * s.autoencoder_lr, is = s.embeddings_lr * now.autoencoder_lr;
  if (std::abs(was - is) <= 1e-9 * std::abs(was)) return;
  const auto text = [](double v) {
    std::ostringstream out;
    out << v;
    return out.str();
  };
  throw Error("embeddings_lr", "must stay " + text(now.embeddings_lr / now.autoencoder_lr) + " times autoencoder_lr",
              text(s.embeddings_lr) + " was given with autoencoder_lr " + text(s.autoencoder_lr),
              "Give autoencoder_lr only, which embeddings_lr follows");
}

}  // namespace

Model::Impl::Impl(const Architecture& a, const Settings& s, Use use)
    : architecture((check(a, s), a)), settings(s), network(a, s, pick_device(s.device), use) {
  if (use != Use::kPredict) check_products(s, network);
  if (network.options().device().is_cuda()) at::globalContext().setAllowTF32CuBLAS(true);
  reset_learning_rates();
}

void Model::Impl::check_trainable() const {
  if (!network.store().adam(Group::kAutoencoder).exp_avg.defined())
    throw Error("model", "must hold its optimisers", "it was read for predictions only",
                "Read it with Model::from_state()");
}

Model::Model(const Architecture& architecture, const Settings& settings)
    : impl_(translate([&] { return std::make_unique<Impl>(architecture, settings); })) {}
Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

const Architecture& Model::architecture() const { return impl_->architecture; }
const Settings& Model::settings() const { return impl_->settings; }
const std::vector<EpochRecord>& Model::history() const { return impl_->history; }
int64_t Model::epochs_done() const { return impl_->epochs_done; }

int64_t Model::epochs_to_train(const Design& design, const std::vector<int64_t>& train, bool scored) const {
  return impl_->epochs_to_train(design, train, !scored);
}
int64_t Model::best_epoch() const { return impl_->best_epoch; }
int64_t Model::n_parameters() const { return impl_->network.store().n_parameters(); }
NamedArrays Model::values() const { return impl_->network.store().values(); }
void Model::set_values(const NamedArrays& values) {
  translate([&] { impl_->network.store().set_values(values, false); });
}

void Model::set_run_settings(const Settings& s) {
  const Settings& now = impl_->settings;
  const auto same = [](const std::string& name, const auto& was, const auto& is) {
    if (was != is)
      throw Error(name, "must stay as it was when a fit is resumed", "Another value was given",
                  "Start a new fit to change the network");
  };
  for (const SettingField& field : setting_fields())
    if (is_fixed(field))
      std::visit([&](auto member) { same(field.name, now.*member, s.*member); }, field.member);
  same("reg_multi_task", now.reg_multi_task > 0, s.reg_multi_task > 0);
  check_embeddings_rate(now, s);
  // The best score is one of the metric that was chosen then.
  if (now.stopping_metric != s.stopping_metric) {
    const auto best = std::find_if(impl_->history.begin(), impl_->history.end(), [this](const EpochRecord& r) {
      return r.epoch == impl_->best_epoch;
    });
    const double score =
        best == impl_->history.end() ? std::nan("") : stopping_score(*best, s.stopping_metric);
    if (std::isfinite(score)) {
      impl_->best_score = score;
    } else {
      impl_->best_epoch = 0;
      impl_->weights_are_best = false;
    }
  }
  // Best weights are only kept from now on: none of the epochs before can be gone back to.
  if (s.restore_best && !now.restore_best && !impl_->weights_are_best) {
    impl_->best_epoch = 0;
    impl_->trials = 0;
  }
  impl_->settings = s;
  impl_->reset_learning_rates();
}

FitResult Model::fit(const CellSource& cells, const Design& design,
                     const std::vector<int64_t>& train, const EvaluationPlan& plan,
                     const std::string& meta, Progress& progress, const DegTargets& degs) {
  impl_->check_trainable();
  return translate([&] { return impl_->fit_in_group({cells, design, train, plan, meta, progress, degs}); });
}

std::vector<uint8_t> Model::state(const std::string& meta) const {
  impl_->check_trainable();
  return translate([&] { return impl_->state(meta); });
}

}  // namespace compert
