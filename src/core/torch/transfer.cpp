#include "compert/transfer.h"

#include <algorithm>

#include "impl.h"

namespace compert {
namespace {

bool begins(const std::string& name, const std::string& with) { return name.rfind(with, 0) == 0; }

/// Which rows and columns of a parameter of the new model come from where.
struct Axes {
  const std::vector<int64_t>* rows = nullptr;  // null: one to one
  const std::vector<int64_t>* columns = nullptr;
};

/// Copies what corresponds; counts it.
int64_t copy_part(const Array& from, const Axes& axes, Array& to) {
  const auto extent = [](const Array& a, std::size_t d) { return a.shape.size() > d ? a.shape[d] : 1; };
  const int64_t rows = extent(to, 0), columns = extent(to, 1);
  const auto fits = [](const std::vector<int64_t>* axis, int64_t before, int64_t now) {
    return axis != nullptr ? static_cast<int64_t>(axis->size()) == now : before == now;
  };
  if (from.shape.size() != to.shape.size() || !fits(axes.rows, extent(from, 0), rows) ||
      !fits(axes.columns, extent(from, 1), columns))
    return 0;
  int64_t kept = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t row = axes.rows ? (*axes.rows)[static_cast<std::size_t>(i)] : i;
    if (row < 0) continue;
    for (int64_t j = 0; j < columns; ++j) {
      const int64_t column = axes.columns ? (*axes.columns)[static_cast<std::size_t>(j)] : j;
      if (column < 0) continue;
      to.values[static_cast<std::size_t>(i * columns + j)] =
          from.values[static_cast<std::size_t>(row * extent(from, 1) + column)];
      ++kept;
    }
  }
  return kept;
}

/// The correspondence of the outputs: means, then variances (or what else the head has).
std::vector<int64_t> of_outputs(const std::vector<int64_t>& row, int64_t outputs, int64_t rows_before) {
  std::vector<int64_t> all;
  for (int64_t k = 0; k < outputs; ++k)
    for (const int64_t g : row) all.push_back(g < 0 ? -1 : g + k * rows_before);
  return all;
}

/// Genes, then as many proteins one to one.
std::vector<int64_t> with_proteins(std::vector<int64_t> gene, int64_t genes_before, int64_t proteins) {
  for (int64_t p = 0; p < proteins; ++p) gene.push_back(genes_before + p);
  return gene;
}

class Transfer {
 public:
  Transfer(const Model& trained, Model& fresh, const Correspondence& map, int64_t genes_before)
      : from_(trained.values()),
        map_(map),
        own_(map.own_gene),
        settings_(fresh.settings()),
        appended_(fresh.architecture().n_genes_inner > 0),
        last_("decoder.network." + std::to_string(3 * layers(fresh.settings()))) {
    const Network& network = fresh.impl().network;
    const int64_t proteins = fresh.architecture().n_proteins,
                  encoded = network.experts() ? 0 : proteins,
                  decoded = proteins > 0 && network.proteins()->shared() ? proteins : 0;
    inputs_ = with_proteins(map.gene, genes_before, encoded);
    outputs_ = of_outputs(with_proteins(map.gene, genes_before, decoded), network.head().outputs(),
                          genes_before + decoded);
    if (own_.empty() && trained.architecture().n_genes_inner == 0 && fresh.architecture().n_genes_inner == 0)
      own_ = map.gene;
    own_.resize(static_cast<std::size_t>(fresh.architecture().n_genes), -1);
    own_outputs_ = of_outputs(own_, network.head().outputs(), trained.architecture().n_genes);
  }

  /// The parameter of the trained model that `name` of the new one stands for, and how.
  Axes axes(std::string& name) const {
    Axes a;
    if (name == "encoder.network.0.weight") a.columns = &inputs_;
    if (name == last_ + ".weight" || name == last_ + ".bias") a.rows = &outputs_;
    if (begins(name, "encoder.network.henc_linear.weight")) a.columns = &own_;
    if (begins(name, "decoder.network.hdec_linear.")) a.rows = &own_outputs_;
    if (name == "dispersion" || begins(name, "degs_predictor.network.3.")) a.rows = &own_;
    if (name == "drug_embeddings.weight") a.rows = &map_.perturbation;
    if (name == "dosers.beta" || name == "dosers.bias") a.columns = &map_.perturbation;
    if (begins(name, "dosers.") && settings_.doser_type == "mlp")
      name = moved(name, "dosers.", map_.perturbation);
    if (name == "continuous_embeddings.weight") a.rows = &map_.continuous;
    if (name == "continuous_dosers.beta" || name == "continuous_dosers.bias") a.columns = &map_.continuous;
    if (begins(name, "continuous_dosers.") && settings_.continuous_doser == "mlp")
      name = moved(name, "continuous_dosers.", map_.continuous);
    if (begins(name, "covariates_embeddings.")) {
      const auto k = static_cast<std::size_t>(std::stoll(name.substr(22)));
      a.rows = &map_.level[k];
      name = moved(name, "covariates_embeddings.", map_.covariate);
    }
    return a;
  }

  int64_t run(std::string name, Array& to) const {
    // Features and weights of conditions are data, not learned.
    for (const char* part : {"adversary_", "perturbation_features", "perturbation_has_features"})
      if (begins(name, part)) return 0;
    const Axes a = axes(name);
    const auto found = from_.find(name);
    return found == from_.end() ? 0 : copy_part(found->second, a, to);
  }

  /// Whether a parameter is the weight of the layer that gives genes.
  bool is_output(const std::string& name) const {
    return name == (appended_ ? "decoder.network.hdec_linear.weight" : last_ + ".weight");
  }
  /// By gene of the new model, whether its outputs come from the trained one.
  std::vector<bool> kept_genes() const {
    std::vector<bool> out;
    for (const int64_t gene : appended_ ? own_ : map_.gene) out.push_back(gene >= 0);
    return out;
  }

 private:
  static int64_t layers(const Settings& s) {
    return s.decoder_depth > 0 ? s.decoder_depth : s.autoencoder_depth;
  }
  /// The name with its index replaced by the one that corresponds; empty without one.
  static std::string moved(const std::string& name, const std::string& stem,
                           const std::vector<int64_t>& map) {
    const std::size_t end = name.find('.', stem.size());
    const auto k = static_cast<std::size_t>(std::stoll(name.substr(stem.size(), end - stem.size())));
    return map.at(k) < 0 ? "" : stem + std::to_string(map[k]) + name.substr(end);
  }

  NamedArrays from_;
  const Correspondence& map_;
  std::vector<int64_t> own_;
  Settings settings_;
  std::vector<int64_t> inputs_, outputs_, own_outputs_;
  bool appended_;  // layers that bring the new model's genes to those inside
  std::string last_;
};

void check(const std::vector<int64_t>& map, int64_t size, int64_t trained, const char* what) {
  if (static_cast<int64_t>(map.size()) != size)
    throw Error(what, "must have one entry per " + std::string(what) + " of the new model",
                std::to_string(map.size()) + " given for " + std::to_string(size));
  for (const int64_t k : map)
    if (k < -1 || k >= trained)
      throw Error(what, "must be indices into the trained model, or -1", std::to_string(k));
}

}  // namespace

std::vector<Transferred> transfer(const Model& trained, Model& fresh, const Correspondence& map) {
  const Architecture &before = trained.architecture(), &now = fresh.architecture();
  if (trained.settings().loss_ae != fresh.settings().loss_ae)
    throw Error("loss", "must be that of the trained fit",
                "\"" + fresh.settings().loss_ae + "\" after \"" + trained.settings().loss_ae + "\"",
                "Fit both on the same scale");
  if (before.n_proteins != now.n_proteins)
    throw Error("proteins", "must be those of the trained fit",
                std::to_string(now.n_proteins) + " after " + std::to_string(before.n_proteins),
                "Fit a new model");
  const int64_t genes_before = before.n_genes_inner > 0 ? before.n_genes_inner : before.n_genes;
  check(map.gene, now.n_genes_inner > 0 ? now.n_genes_inner : now.n_genes, genes_before, "gene");
  if (!map.own_gene.empty()) check(map.own_gene, now.n_genes, before.n_genes, "own_gene");
  check(map.perturbation, now.n_perturbations, before.n_perturbations, "perturbation");
  const auto covariates = static_cast<int64_t>(before.covariate_levels.size());
  check(map.covariate, static_cast<int64_t>(now.covariate_levels.size()), covariates, "covariate");
  for (std::size_t k = 0; k < map.covariate.size(); ++k)
    check(map.level.at(k), now.covariate_levels[k],
          map.covariate[k] < 0 ? 0 : before.covariate_levels[static_cast<std::size_t>(map.covariate[k])],
          "level");
  check(map.continuous, now.n_continuous, before.n_continuous, "continuous");
  return translate([&] {
    Model::Impl& impl = fresh.impl();
    const Transfer take(trained, fresh, map, genes_before);
    NamedArrays values = fresh.values();
    std::vector<Transferred> out;
    for (auto& [name, array] : values) {
      Transferred each{name, static_cast<int64_t>(array.values.size()), take.run(name, array),
                       impl.network.store().is_frozen(name)};
      if (take.is_output(name) && each.kept > 0) impl.kept_outputs = take.kept_genes();
      out.push_back(each);
    }
    fresh.set_values(values);
    return out;
  });
}

namespace {

/// The trained model, history and all, of a larger architecture: what it adds lies behind what was there.
Model grown(const Model& trained, const Architecture& a) {
  const Architecture& before = trained.architecture();
  const auto kept = [](int64_t now, int64_t known) {
    std::vector<int64_t> v(static_cast<std::size_t>(now), -1);
    for (int64_t i = 0; i < known; ++i) v[static_cast<std::size_t>(i)] = i;
    return v;
  };
  const auto all = [&](int64_t n) { return kept(n, n); };
  Correspondence map;
  map.gene = all(a.n_genes_inner > 0 ? a.n_genes_inner : a.n_genes);
  map.own_gene = all(a.n_genes);
  map.perturbation = kept(a.n_perturbations, before.n_perturbations);
  map.covariate = all(static_cast<int64_t>(a.covariate_levels.size()));
  for (std::size_t k = 0; k < a.covariate_levels.size(); ++k)
    map.level.push_back(kept(a.covariate_levels[k], before.covariate_levels[k]));
  map.continuous = all(a.n_continuous);
  Model out(a, trained.settings());
  transfer(trained, out, map);
  out.impl().take_record(trained.impl());
  return out;
}

/// What the architecture takes from the values of a trained model.
Architecture remembered(const Model& trained) {
  Architecture a = trained.architecture();
  const NamedArrays values = trained.values();
  if (const auto features = values.find("perturbation_features"); features != values.end())
    a.features = features->second.values;
  if (const auto flags = values.find("perturbation_has_features"); flags != values.end())
    a.has_features = flags->second.values;
  if (const auto weight = values.find("adversary_condition_weight"); weight != values.end())
    a.condition_weight = weight->second.values;
  return a;
}

}  // namespace

Model with_perturbations(const Model& trained, const std::vector<double>& features,
                         const std::vector<MoleculeGraph>& graphs) {
  Architecture a = remembered(trained);
  const bool fits = a.graphs.empty() ? graphs.empty() && a.n_features > 0 &&
                                           features.size() % static_cast<std::size_t>(a.n_features) == 0
                                     : features.empty();
  if (!fits)
    throw Error("molecules", "must have the features that the model was made with",
                std::to_string(features.size()) + " values, the model has " +
                    std::to_string(a.n_features) + " features");
  if (a.graphs.empty()) {
    a.n_perturbations += static_cast<int64_t>(features.size()) / a.n_features;
    a.features.insert(a.features.end(), features.begin(), features.end());
  } else {
    a.n_perturbations += static_cast<int64_t>(graphs.size());
    a.graphs.insert(a.graphs.end(), graphs.begin(), graphs.end());
  }
  if (!a.has_features.empty()) a.has_features.resize(static_cast<std::size_t>(a.n_perturbations), 1);
  return grown(trained, a);
}

Model with_levels(const Model& trained, std::size_t covariate, int64_t n, const std::vector<int64_t>& mean_of) {
  Architecture a = remembered(trained);
  if (covariate >= a.covariate_levels.size())
    throw Error("covariate", "must be one of the model's", std::to_string(covariate));
  const int64_t known = a.covariate_levels[covariate];
  if (mean_of.empty() || *std::min_element(mean_of.begin(), mean_of.end()) < 0 ||
      *std::max_element(mean_of.begin(), mean_of.end()) >= known)
    throw Error("mean_of", "must be levels of the covariate", std::to_string(mean_of.size()) + " given");
  a.covariate_levels[covariate] += n;
  return translate([&] {
    Model out = grown(trained, a);
    NamedArrays values = out.values();
    std::vector<double>& table = values.at("covariates_embeddings." + std::to_string(covariate) + ".weight").values;
    const std::size_t width = table.size() / static_cast<std::size_t>(known + n);
    for (std::size_t j = 0; j < width; ++j) {
      double sum = 0;
      for (const int64_t level : mean_of) sum += table[static_cast<std::size_t>(level) * width + j];
      for (int64_t i = known; i < known + n; ++i)
        table[static_cast<std::size_t>(i) * width + j] = sum / static_cast<double>(mean_of.size());
    }
    out.set_values(values);
    return out;
  });
}

}  // namespace compert
