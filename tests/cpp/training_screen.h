/// A planted screen on which training is looked at as a whole.
#pragma once
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "compert/metrics.h"
#include "compert/model.h"
#include "compert/statistics.h"
#include "quiet.h"

namespace training {

using compert::Design;
using Vector = std::vector<double>;

/// Four cell types, a control and three perturbations with additive effects on the log scale;
/// perturbation 3 is held out in the last type.
struct Screen {
  static constexpr std::size_t kGenes = 40, kEach = 25, kTypes = 4;
  Vector x;
  Design design;
  std::vector<int64_t> train, controls, held_out;
  bool counts;

  explicit Screen(bool as_counts) : counts(as_counts) {
    std::mt19937_64 random(3);
    std::normal_distribution<double> normal;
    std::vector<Vector> type(kTypes, Vector(kGenes)), effect(4, Vector(kGenes, 0));
    for (auto& t : type)
      for (double& v : t) v = normal(random);
    for (std::size_t p = 1; p < 4; ++p)
      for (double& v : effect[p]) v = random() % 4 == 0 ? 1.5 * normal(random) : 0;
    design.n_covariates = 1;
    for (int32_t t = 0; t < static_cast<int32_t>(kTypes); ++t)
      for (int32_t p = 0; p < 4; ++p)
        for (std::size_t i = 0; i < kEach; ++i) {
          const auto cell = static_cast<int64_t>(design.n++);
          for (std::size_t g = 0; g < kGenes; ++g) {
            const double mean = 3 + type[static_cast<std::size_t>(t)][g] +
                                effect[static_cast<std::size_t>(p)][g];
            x.push_back(counts ? static_cast<double>(std::poisson_distribution<int>(
                                     std::exp(0.5 * mean))(random))
                               : mean + 0.3 * normal(random));
          }
          design.perturbation.push_back(p);
          design.dose.push_back(1);
          design.covariate.push_back(t);
          design.condition.push_back(p);
          if (t == kTypes - 1 && p == 3)
            held_out.push_back(cell);
          else
            train.push_back(cell);
          if (t == kTypes - 1 && p == 0) controls.push_back(cell);
        }
  }
  compert::DenseCells cells() const { return {x.data(), kGenes, design.n}; }
  compert::Architecture architecture() const {
    compert::Architecture a;
    a.n_genes = kGenes;
    a.n_perturbations = 4;
    a.covariate_levels = {kTypes};
    a.condition_weight.assign(4, 3);
    return a;
  }
  /// r2 of the held-out effect, predicted by difference from the controls of the type.
  double effect_r2(const compert::Model& model) const {
    const compert::DenseCells source = cells();
    Design target;
    target.n = target.n_covariates = 1;
    target.perturbation = {3};
    target.dose = {1};
    target.covariate = {kTypes - 1};
    const auto s = model.summarise(source, design, target, {controls});
    const auto truth = compert::stats_of(source, held_out), base = compert::stats_of(source, controls);
    Vector observed, predicted;
    for (std::size_t g = 0; g < kGenes; ++g) {
      observed.push_back(truth.mean[g] - base.mean[g]);
      predicted.push_back(s.mean_difference[g] - base.mean[g]);
    }
    return compert::r2(observed, predicted);
  }
};

/// Settings of a small model, with others laid over.
inline compert::Settings settings_of(const std::string& more) {
  return compert::settings_from_json(
      R"({"device": "cpu", "threads": 1, "dim": 8, "autoencoder_width": 32, "epochs": 150, )" + more + "}");
}

inline compert::Model fitted(const Screen& screen, const std::string& settings) {
  compert::Model model(screen.architecture(), settings_of(settings));
  Quiet quiet;
  const compert::DenseCells cells = screen.cells();
  model.fit(cells, screen.design, screen.train, {}, "", quiet);
  return model;
}

}  // namespace training

