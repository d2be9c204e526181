/// A planted screen of RNA and surface proteins: a control, A, B and A+B in two cell types.
///
/// Effects add up on the log scale. Proteins have a background in every cell and a foreground in some,
/// which is what the perturbations move. Genes come first in every row.
#pragma once
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "compert/metrics.h"
#include "compert/model.h"
#include "compert/statistics.h"
#include "quiet.h"

namespace proteins {

using compert::Design;
using Vector = std::vector<double>;

constexpr std::size_t kGenes = 20, kProteins = 6, kRows = kGenes + kProteins, kTypes = 2;
constexpr std::size_t kKinds = 4;  // control, A, B, A+B

struct Screen {
  Vector x;
  Design design;
  std::vector<int64_t> all, train, controls, held_out;  // the last two: of the last type; A+B there
  bool gene_counts, protein_counts;

  Screen(std::size_t each, bool genes_are_counts = true, bool proteins_are_counts = true)
      : gene_counts(genes_are_counts), protein_counts(proteins_are_counts) {
    std::mt19937_64 random(5);
    std::normal_distribution<double> normal;
    std::uniform_real_distribution<double> uniform;
    std::vector<Vector> type(kTypes, Vector(kRows)), effect(2, Vector(kRows, 0));
    Vector positive(kProteins);
    for (auto& t : type)
      for (double& v : t) v = 0.4 * normal(random);
    for (auto& e : effect)
      for (std::size_t g = 0; g < kRows; ++g)
        if (g % 3 != 2) e[g] = (g < kGenes ? 0.8 : 0.6) * normal(random);
    for (double& v : positive) v = 0.4 + 0.5 * uniform(random);
    const auto store = [this](double v, bool counts) { x.push_back(counts ? v : std::log1p(v)); };
    const auto poisson = [&](double mean) {
      return static_cast<double>(std::poisson_distribution<int>(mean)(random));
    };
    design.n_slots = 2;
    design.n_covariates = 2;
    for (std::size_t i = 0; i < each; ++i)
      for (std::size_t t = 0; t < kTypes; ++t)
        for (std::size_t kind = 0; kind < kKinds; ++kind) {
          const auto cell = static_cast<int64_t>(design.n++);
          const double state = 0.2 * normal(random), dose = i % 2 == 0 ? 1 : 0.8;
          const auto mean = [&](std::size_t row, double base) {
            double log_mean = base + type[t][row] + state;
            if (kind & 1) log_mean += dose * effect[0][row];
            if (kind & 2) log_mean += dose * effect[1][row];
            return std::exp(log_mean);
          };
          for (std::size_t g = 0; g < kGenes; ++g) store(poisson(mean(g, 1.5)), gene_counts);
          for (std::size_t p = 0; p < kProteins; ++p) {
            const double background = std::exp(1 + 0.3 * normal(random));
            const bool has = uniform(random) < positive[p];
            store(poisson(background + (has ? mean(kGenes + p, 3) : 0)), protein_counts);
          }
          const bool none = kind == 0;
          design.perturbation.insert(design.perturbation.end(),
                                     {none ? 0 : kind == 2 ? 2 : 1, kind == 3 ? 2 : -1});
          design.dose.insert(design.dose.end(), {none ? 1 : dose, kind == 3 ? dose : 0});
          design.covariate.insert(design.covariate.end(),
                                  {static_cast<int32_t>(t), static_cast<int32_t>(i % 3)});
          design.condition.push_back(static_cast<int32_t>(kind));
          all.push_back(cell);
          const bool last = t + 1 == kTypes;
          (last && kind == 3 ? held_out : train).push_back(cell);
          if (last && none) controls.push_back(cell);
        }
  }

  compert::DenseCells cells() const { return {x.data(), kRows, design.n}; }
  compert::Architecture architecture() const {
    compert::Architecture a;
    a.n_genes = kGenes;
    a.n_proteins = kProteins;
    a.n_perturbations = 3;
    a.covariate_levels = {kTypes, 3};
    a.batch_covariate = 1;
    a.condition_weight.assign(kKinds, 3);
    return a;
  }
  /// A+B at dose 1 in the last type, in the batch of each cell.
  Design target() const {
    Design d;
    d.n = 1;
    d.n_slots = d.n_covariates = 2;
    d.perturbation = {1, 2};
    d.dose = {1, 1};
    d.covariate = {kTypes - 1, -1};
    return d;
  }
  /// Scores A+B in the last type, from the controls there.
  compert::EvaluationPlan plan() const {
    compert::EvaluationPlan p;
    p.truth = {held_out};
    p.source = {controls};
    p.degs = {{0, 1, 2}};
    p.target = target();
    return p;
  }
  /// About half of the cells of every condition without `modality`.
  void hide(uint8_t modality) {
    design.measured.assign(design.n, compert::kRna + compert::kProteins);
    for (std::size_t i = 0; i < design.n; ++i)
      if (i / 5 % 2 == 1) design.measured[i] -= modality;
  }
  /// Other values where nothing was measured.
  void spoil() {
    for (std::size_t i = 0; i < design.n; ++i)
      for (std::size_t g = 0; g < kRows; ++g)
        if (!(design.measured[i] & (g < kGenes ? compert::kRna : compert::kProteins)))
          x[i * kRows + g] = 3 * x[i * kRows + g] + 7;
  }
};

/// The proteins' columns of cells x rows.
inline Vector protein_columns(const Vector& rows) {
  Vector out;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (i % kRows >= kGenes) out.push_back(rows[i]);
  return out;
}

/// Settings of a small model, with `more` of them laid over.
inline compert::Settings settings(const std::string& more) {
  return compert::settings_from_json(
      R"({"model": "multicpa", "device": "cpu", "threads": 1, "loss_ae": "nb", "dim": 8,
          "autoencoder_width": 24, "batch_size": 32, "adversary_width": 12, "epochs": 3)" +
      (more.empty() ? "" : ", " + more) + "}");
}

inline compert::Model fitted(const Screen& screen, std::string more) {
  // Before `more`, where a repeated name counts.
  more = std::string(R"("loss_ae": ")") + (screen.gene_counts ? "nb" : "gauss") +
         R"(", "protein_loss": ")" + (screen.protein_counts ? "nb_mixture" : "gauss") + "\"" +
         (more.empty() ? "" : ", " + more);
  compert::Model model(screen.architecture(), settings(more));
  Quiet quiet;
  model.fit(screen.cells(), screen.design, screen.train, {}, "", quiet);
  return model;
}

/// Means of the held-out condition as the model predicts them from the controls of its type.
inline Vector predicted(const compert::Model& model, const Screen& screen) {
  return model.summarise(screen.cells(), screen.design, screen.target(), {screen.controls}).mean;
}

/// Name of the last layer of a network, as "protein_decoder.network.3".
inline std::string last_layer(const compert::NamedArrays& values, const std::string& network) {
  int last = -1;
  for (const auto& [name, array] : values) {
    const std::string stem = network + ".network.";
    if (name.rfind(stem, 0) == 0) last = std::max(last, std::stoi(name.substr(stem.size())));
  }
  return network + ".network." + std::to_string(last);
}

/// A last layer that gives `bias` for every cell.
inline void make_constant(compert::Model& model, const std::string& network, const Vector& bias) {
  compert::NamedArrays values = model.values();
  const std::string layer = last_layer(values, network);
  values.at(layer + ".weight").values.assign(values.at(layer + ".weight").values.size(), 0);
  values.at(layer + ".bias").values = bias;
  model.set_values(values);
}

}  // namespace proteins
