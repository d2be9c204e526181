#include "compert/model.h"

#include "impl.h"

namespace compert {
namespace {

void check(const Architecture& a) {
  if (a.n_genes < 2)
    throw Error("x", "must have at least two genes", std::to_string(a.n_genes) + " given");
  if (a.n_perturbations < 1)
    throw Error("perturbation", "must name at least one perturbation");
  for (const int64_t levels : a.covariate_levels)
    if (levels < 1) throw Error("covariates", "must have at least one level each");
}

}  // namespace

Model::Impl::Impl(const Architecture& a, const Settings& s)
    : architecture((check(a), a)), settings(s), network(a, s, pick_device(s.device)) {
  reset_learning_rates();
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
int64_t Model::best_epoch() const { return impl_->best_epoch; }
int64_t Model::n_parameters() const { return impl_->network.store().n_parameters(); }
NamedArrays Model::values() const { return impl_->network.store().values(); }
void Model::set_values(const NamedArrays& values) {
  translate([&] { impl_->network.store().set_values(values, false); });
}

void Model::set_run_settings(const Settings& s) {
  const Settings& now = impl_->settings;
  const auto same = [](const char* name, const auto& was, const auto& is) {
    if (was != is)
      throw Error(name, "must stay as it was when a fit is resumed", "",
                  "Start a new fit to change the network");
  };
  same("loss_ae", now.loss_ae, s.loss_ae);
  same("doser_type", now.doser_type, s.doser_type);
  same("decoder_activation", now.decoder_activation, s.decoder_activation);
  same("dim", now.dim, s.dim);
  same("autoencoder_width", now.autoencoder_width, s.autoencoder_width);
  same("autoencoder_depth", now.autoencoder_depth, s.autoencoder_depth);
  same("dosers_width", now.dosers_width, s.dosers_width);
  same("dosers_depth", now.dosers_depth, s.dosers_depth);
  same("adversary_width", now.adversary_width, s.adversary_width);
  same("adversary_depth", now.adversary_depth, s.adversary_depth);
  same("precision", now.precision, s.precision);
  same("parity", now.parity, s.parity);
  same("embeddings_lr", now.embeddings_lr * s.autoencoder_lr, s.embeddings_lr * now.autoencoder_lr);
  impl_->settings = s;
  impl_->reset_learning_rates();
}

FitResult Model::fit(const CellSource& cells, const Design& design,
                     const std::vector<int64_t>& train, const EvaluationPlan& plan,
                     const std::string& meta, Progress& progress) {
  return translate([&] { return impl_->fit(cells, design, train, plan, meta, progress); });
}

std::vector<uint8_t> Model::state(const std::string& meta) const {
  return translate([&] { return impl_->state(meta); });
}

}  // namespace compert
