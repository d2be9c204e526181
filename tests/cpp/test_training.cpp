// Training as a whole, on small planted screens: what the terms of the objective are for.
#include <cmath>
#include <random>

#include "catch_compat.h"
#include "compert/error.h"
#include "compert/metrics.h"
#include "compert/model.h"
#include "compert/statistics.h"
#include "quiet.h"

namespace {

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

compert::Model fitted(const Screen& screen, const std::string& settings) {
  const compert::Settings s = compert::settings_from_json(
      R"({"device": "cpu", "threads": 1, "dim": 8, "autoencoder_width": 32, "epochs": 150, )" +
      settings + "}");
  compert::Model model(screen.architecture(), s);
  Quiet quiet;
  const compert::DenseCells cells = screen.cells();
  model.fit(cells, screen.design, screen.train, {}, "", quiet);
  return model;
}

}  // namespace

TEST_CASE("counterfactual matching teaches effects that hold for unseen pairs", "[training]") {
  for (const bool counts : {false, true}) {
    const Screen screen(counts);
    const std::string loss = counts ? R"("loss_ae": "nb")" : R"("loss_ae": "gauss")";
    const compert::Model with = fitted(screen, loss);
    const compert::Model without =
        fitted(screen, loss + R"(, "reg_counterfactual": 0, "reg_alignment": 0)");
    CHECK(screen.effect_r2(with) > (counts ? 0.3 : 0.6));  // no effect at all scores 0
    CHECK(screen.effect_r2(with) > screen.effect_r2(without));
    CHECK(with.history().back().loss_counterfactual < 0.2 * with.history().front().loss_counterfactual);
    CHECK(without.history().back().loss_counterfactual == 0);
  }
}

TEST_CASE("without test cells, few cells of a condition are passed over few times", "[training]") {
  for (const int64_t each : {2, 8}) {
    Screen screen(false);
    std::vector<int64_t> few;
    for (const int64_t cell : screen.train)
      if (cell % static_cast<int64_t>(Screen::kEach) < each) few.push_back(cell);
    screen.train = few;
    CHECK(fitted(screen, R"("epochs": 0)").epochs_done() == (each == 2 ? 60 : 80));
  }
}

TEST_CASE("warm-ups and pre-training set the weights of the adversaries", "[training]") {
  const Screen screen(false);
  const std::string adversaries =
      R"("epochs": 6, "reg_adversary": 5, "adversary_loss": "cce", "adversary_steps": 0, )";
  // Pre-training alone: the adversaries learn, and the autoencoder does as if there were none.
  const compert::Model alone = fitted(screen, adversaries + R"("pretrain_epochs": 6)");
  const compert::Model none = fitted(screen, R"("epochs": 6)");
  const auto with = alone.values(), plain = none.values();
  CHECK(with.at("encoder.network.0.weight").values == plain.at("encoder.network.0.weight").values);
  CHECK(alone.history().back().loss_adv_perturbations < alone.history().front().loss_adv_perturbations);
  const compert::Model started = fitted(screen, adversaries + R"("pretrain_epochs": 3)");
  CHECK(started.values().at("encoder.network.0.weight").values !=
        plain.at("encoder.network.0.weight").values);
}

TEST_CASE("one seed is one fit, to the bit, with every source of randomness", "[training]") {
  const Screen screen(true);
  const std::string settings =
      R"("epochs": 4, "loss_ae": "zinb", "variational": true, "encoder_dropout": 0.2,
         "decoder_dropout": 0.1, "adversary_dropout": 0.3, "adversary_loss": "focal",
         "reg_adversary": 1, "reg_alignment": 0, "reg_counterfactual": 0, "mixup_alpha": 0.3)";
  const auto first = fitted(screen, settings).values(), second = fitted(screen, settings).values();
  for (const auto& [name, array] : first) {
    INFO(name);
    CHECK(array.values == second.at(name).values);
  }
  CHECK(fitted(screen, settings + R"(, "seed": 1)").values().at("dispersion").values !=
        first.at("dispersion").values);
}

TEST_CASE("a model read for predictions predicts the same, and refuses to train", "[training]") {
  const Screen screen(false);
  const compert::Model model = fitted(screen, R"("epochs": 3)");
  const std::vector<uint8_t> state = model.state("{}");
  compert::Model read = compert::Model::for_prediction(state);
  const auto same = model.values(), values = read.values();
  for (const auto& [name, array] : same) CHECK(values.at(name).values == array.values);
  CHECK(std::fabs(screen.effect_r2(read) - screen.effect_r2(model)) < 1e-6);
  CHECK_THROWS_AS(read.state("{}"), compert::Error);
  Quiet quiet;
  const compert::DenseCells cells = screen.cells();
  CHECK_THROWS_AS(read.fit(cells, screen.design, screen.train, {}, "", quiet), compert::Error);
}
