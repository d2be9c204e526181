// Training as a whole, on small planted screens: what the terms of the objective are for.
#include <cmath>

#include "catch_compat.h"
#include "compert/error.h"
#include "training_screen.h"

using training::fitted;
using training::Screen;

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

TEST_CASE("weights that do not fit change nothing", "[training]") {
  const Screen screen(false);
  compert::Model model = fitted(screen, R"("epochs": 1)");
  const compert::NamedArrays before = model.values();
  const auto refused = [&](const std::string& name, const compert::Array& array) {
    compert::NamedArrays given = before;
    for (double& v : given.at("decoder.network.0.weight").values) v += 1;
    given[name] = array;
    CHECK_THROWS_AS(model.set_values(given), compert::Error);
    for (const auto& [of, values] : model.values()) CHECK(values.values == before.at(of).values);
  };
  refused("what", {{1}, {1}});
  refused("encoder.network.0.bias", {{2}, {1, 1}});
  refused("encoder.network.0.bias", {before.at("encoder.network.0.bias").shape, {1}});
}

TEST_CASE("cells that the design has not are refused", "[training]") {
  const Screen screen(false);
  const compert::DenseCells cells = screen.cells();
  compert::Model model = fitted(screen, R"("epochs": 1, "parity": "fb")");
  const compert::NamedArrays before = model.values();
  training::Vector mean(Screen::kGenes);
  for (const int64_t cell : {int64_t{-1}, static_cast<int64_t>(screen.design.n)}) {
    CHECK_THROWS_AS(screen.design.rows(&cell, 1), compert::Error);
    CHECK_THROWS_AS(model.reconstruct(cells, screen.design, {cell}, mean.data(), nullptr), compert::Error);
    std::vector<int64_t> train = screen.train;
    train.back() = cell;
    Quiet quiet;
    CHECK_THROWS_AS(model.fit(cells, screen.design, train, {}, "", quiet), compert::Error);
    for (const auto& [name, array] : model.values()) CHECK(array.values == before.at(name).values);
  }
}

TEST_CASE("a plan that does not fit is refused before the first epoch", "[training]") {
  const Screen screen(false);
  compert::Model model = fitted(screen, R"("epochs": 1)");
  const compert::NamedArrays before = model.values();
  const auto refused = [&](auto&& change) {
    compert::EvaluationPlan plan;
    plan.truth = {screen.held_out};
    plan.source = {screen.controls};
    plan.degs = {{}};
    plan.target = screen.design.rows(screen.held_out.data(), 1);
    change(plan);
    Quiet quiet;
    CHECK_THROWS_AS(model.fit(screen.cells(), screen.design, screen.train, plan, "", quiet), compert::Error);
    CHECK(model.epochs_done() == 1);
    for (const auto& [name, array] : model.values()) CHECK(array.values == before.at(name).values);
  };
  refused([](compert::EvaluationPlan& plan) { plan.target.perturbation[0] = 99; });
  refused([](compert::EvaluationPlan& plan) { plan.degs.clear(); });
  refused([](compert::EvaluationPlan& plan) { plan.target.n_covariates = 0; });
  refused([](compert::EvaluationPlan& plan) { plan.source.clear(); });
}
