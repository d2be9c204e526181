#include <Rcpp.h>

#include "compert/model.h"
#include "compert/molecules.h"
#include "compert/transfer.h"
#include "glue_convert.h"
#include "glue_design.h"
#include "glue_job.h"

using Rcpp::List;
using Rcpp::RawVector;

namespace {

/// R's integer vectors, -1 where there is no counterpart.
std::vector<int64_t> indices(SEXP x) {
  const Rcpp::IntegerVector v(x);
  return {v.begin(), v.end()};
}

compert::Correspondence correspondence_of(const List& x) {
  compert::Correspondence map;
  map.gene = indices(x["gene"]);
  map.own_gene = indices(x["own_gene"]);
  map.perturbation = indices(x["perturbation"]);
  map.covariate = indices(x["covariate"]);
  map.level = compert_glue::cell_lists(x["level"]);
  map.continuous = indices(x["continuous"]);
  return map;
}

}  // namespace

/// A new model for `design` that starts from what a trained one knows. `map`: see
/// compert::Correspondence.
// [[Rcpp::export(rng = false)]]
List core_transfer(const RawVector& state, const List& design, double n_genes, const std::string& settings,
                   const List& map, const std::string& meta) {
  const compert::Model trained = compert::Model::from_state(compert_glue::bytes(state));
  compert::Model fresh(compert_glue::architecture_of(design, static_cast<std::size_t>(n_genes)),
                       compert::settings_from_json(settings));
  std::vector<std::string> name;
  std::vector<double> values, kept;
  std::vector<bool> frozen;
  for (const auto& each : compert::transfer(trained, fresh, correspondence_of(map))) {
    name.push_back(each.name);
    values.push_back(static_cast<double>(each.values));
    kept.push_back(static_cast<double>(each.kept));
    frozen.push_back(each.frozen);
  }
  return List::create(
      Rcpp::Named("state") = compert_glue::raw(fresh.state(meta)),
      Rcpp::Named("table") = Rcpp::DataFrame::create(
          Rcpp::Named("name") = name, Rcpp::Named("values") = values, Rcpp::Named("kept") = kept,
          Rcpp::Named("frozen") = frozen, Rcpp::Named("stringsAsFactors") = false));
}

/// The same fit with further perturbations: `features`, features x new perturbations, or `smiles` for
/// one that reads graphs.
// [[Rcpp::export(rng = false)]]
RawVector core_add_perturbations(const RawVector& state, const Rcpp::NumericMatrix& features,
                                 const Rcpp::CharacterVector& smiles, const std::string& meta) {
  const compert::Model trained = compert::Model::from_state(compert_glue::bytes(state));
  const std::vector<double> values(features.begin(), features.end());
  return compert_glue::raw(
      compert::with_perturbations(trained, values, compert_glue::graphs_of(smiles)).state(meta));
}

/// The same fit with `n` more levels of a covariate (0-based), which have the mean vector of the levels `mean_of`.
// [[Rcpp::export(rng = false)]]
RawVector core_add_levels(const RawVector& state, int covariate, int n, SEXP mean_of, const std::string& meta) {
  const compert::Model trained = compert::Model::from_state(compert_glue::bytes(state));
  return compert_glue::raw(
      compert::with_levels(trained, static_cast<std::size_t>(covariate), n, indices(mean_of)).state(meta));
}

/// A new model for `design`, with `weights` (as core_weights() gives them) in place of those drawn.
// [[Rcpp::export(rng = false)]]
RawVector core_new_model(const List& design, double n_genes, const std::string& settings,
                         const List& weights, const std::string& meta) {
  compert::Model model(compert_glue::architecture_of(design, static_cast<std::size_t>(n_genes)),
                       compert::settings_from_json(settings));
  model.set_values(compert_glue::arrays_of(weights));
  return compert_glue::raw(model.state(meta));
}

/// Self-supervised training of the network over molecular graphs.
// [[Rcpp::export(rng = false)]]
List core_pretrain_molecules(const Rcpp::CharacterVector& smiles, const Rcpp::NumericMatrix& descriptors,
                             const List& how, SEXP progress) {
  const auto graphs = compert_glue::graphs_of(smiles);
  compert::Array truth;  // R's descriptors x molecules are the core's rows
  truth.shape = {descriptors.ncol(), descriptors.nrow()};
  truth.values.assign(descriptors.begin(), descriptors.end());
  compert::MoleculePretraining settings;
  settings.width = Rcpp::as<int>(how["width"]);
  settings.depth = Rcpp::as<int>(how["depth"]);
  settings.epochs = Rcpp::as<int>(how["epochs"]);
  settings.batch_size = Rcpp::as<int>(how["batch_size"]);
  settings.lr = Rcpp::as<double>(how["lr"]);
  settings.masked = Rcpp::as<double>(how["masked"]);
  settings.seed = static_cast<int64_t>(Rcpp::as<double>(how["seed"]));
  settings.threads = Rcpp::as<int>(how["threads"]);
  const std::function<compert::PretrainedMolecules(compert_glue::QueuedProgress&)> work =
      [&](compert_glue::QueuedProgress& queue) {
        return compert::pretrain_molecules(graphs, truth, settings, queue);
      };
  const auto report = [&](const compert::EpochRecord& r, int64_t last) {
    if (Rf_isNull(progress)) return true;
    return Rcpp::as<bool>(Rcpp::Function(progress)(List::create(
        Rcpp::Named("epoch") = static_cast<double>(r.epoch), Rcpp::Named("epochs") = static_cast<double>(last),
        Rcpp::Named("loss_reconstruction") = r.loss_reconstruction, Rcpp::Named("r2") = NA_REAL,
        Rcpp::Named("seconds") = NA_REAL, Rcpp::Named("seconds_left") = NA_REAL)));
  };
  const auto out = compert_glue::run_job<compert::PretrainedMolecules>(work, report);
  return List::create(Rcpp::Named("weights") = compert_glue::list_of(out.weights),
                      Rcpp::Named("loss_atoms") = out.loss_atoms,
                      Rcpp::Named("loss_descriptors") = out.loss_descriptors);
}

/// What a TorchScript file makes of features: `features` and result are features x molecules.
// [[Rcpp::export(rng = false)]]
Rcpp::NumericMatrix core_molecule_model(const std::string& path, const Rcpp::NumericMatrix& features) {
  compert::Array input;
  input.shape = {features.ncol(), features.nrow()};
  input.values.assign(features.begin(), features.end());
  const compert::Array out = compert::apply_molecule_model(path, input);
  Rcpp::NumericMatrix result(static_cast<int>(out.shape[1]), static_cast<int>(out.shape[0]));
  std::copy(out.values.begin(), out.values.end(), result.begin());
  return result;
}

/// Parameters and running statistics by name, each with its shape (row-major) as attribute `shape`.
// [[Rcpp::export(rng = false)]]
List core_weights(const RawVector& state) {
  return compert_glue::list_of(compert::Model::from_state(compert_glue::bytes(state)).values());
}
