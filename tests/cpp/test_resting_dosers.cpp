// Which drugs' dose-response networks a step moves: all, or as the versions of theislab/chemCPA those that it runs.
#include <algorithm>
#include <cmath>

#include "catch_compat.h"
#include "compert/inspect.h"
#include "training_screen.h"

namespace {

using compert::Model;
using training::Screen;
using training::Vector;

/// A batch of one type's cells of some perturbations, and an update by it.
void update(Model& model, const Screen& screen, const std::vector<int32_t>& perturbations) {
  std::vector<int64_t> which;
  for (int64_t i = 0; i < 100; ++i)
    if (std::count(perturbations.begin(), perturbations.end(), screen.design.perturbation[static_cast<std::size_t>(i)]))
      which.push_back(i);
  Vector x;
  for (const int64_t i : which)
    x.insert(x.end(), screen.x.begin() + i * 40, screen.x.begin() + (i + 1) * 40);
  compert::Inspector(model).update(compert::DenseCells{x.data(), Screen::kGenes, which.size()},
                                   screen.design.rows(which.data(), which.size()));
}

double moved(const compert::NamedArrays& before, const compert::NamedArrays& after, int network) {
  double most = 0;
  for (const auto& [name, array] : before)
    if (name.rfind("dosers." + std::to_string(network) + ".", 0) == 0)
      for (std::size_t k = 0; k < array.values.size(); ++k)
        most = std::max(most, std::fabs(array.values[k] - after.at(name).values[k]));
  return most;
}

Model model_of(const Screen& screen, const std::string& parity, const std::string& device) {
  compert::Settings s = training::settings_of(
      R"("model": "chemcpa", "doser_type": "mlp", "dosers_width": 6, "dosers_depth": 1, "dosers_lr": 0.001,
         "dosers_wd": 0.01, "adversary_steps": 2, "reg_adversary": 1, "precision": "float64",
         "parity": ")" + parity + "\"");
  s.device = device;
  return Model(screen.architecture(), s);
}

}  // namespace

TEST_CASE("networks of drugs without cells in a batch rest as in theislab/chemCPA", "[training]") {
  const std::string device = GENERATE("cpu", "privateuseone");
  const std::string parity = GENERATE("none", "chemcpa", "chemcpa_v2");
  const bool old_torch = GENERATE(false, true);
  CAPTURE(device, parity, old_torch);
  const Screen screen(false);
  Model model = model_of(screen, parity, device);
  if (old_torch) compert::Inspector(model).keep_zero_gradients();
  update(model, screen, {0, 1});  // parities begin with the adversaries
  std::vector<double> ran(4, 0);
  for (int k = 0; k < 24; ++k) {
    const std::vector<int32_t> batch = k < 20 ? std::vector<int32_t>{0, 1 + k / 2 % 2} : std::vector<int32_t>{1, 3};
    const compert::NamedArrays before = model.values();
    update(model, screen, batch);
    const compert::NamedArrays after = model.values();
    if (before.at("decoder.network.0.weight").values == after.at("decoder.network.0.weight").values) continue;
    CAPTURE(k);
    for (int j = 0; j < 4; ++j) {
      CAPTURE(j);
      const bool has_cells = std::count(batch.begin(), batch.end(), j) > 0;
      const bool moves = parity == "none" || has_cells ||
                         ((parity == "chemcpa_v2" || old_torch) && ran[static_cast<std::size_t>(j)] > 0);
      ran[static_cast<std::size_t>(j)] += moves;
      const double change = moved(before, after, j);
      CHECK((change > 0) == moves);
      // The first step of an Adam of its own is as long as its rate.
      if (parity != "none" && j == 3 && ran[3] == 1) CHECK(std::fabs(change / 0.001 - 1) < 0.01);
    }
  }
  REQUIRE(ran[3] > 1);
  Model again = Model::from_state(model.state("{}"));
  const compert::NamedArrays moments = compert::Inspector(again).adam_state("dosers");
  CHECK(moments.count("network_steps") == (parity == "none" ? 0 : 1));
  if (parity != "none") CHECK(moments.at("network_steps").values == ran);
}

TEST_CASE("networks of drugs without cells in training stay as they began", "[training]") {
  const std::string parity = GENERATE("none", "chemcpa", "chemcpa_v2");
  Screen screen(false);
  std::vector<int64_t> train;
  for (const int64_t i : screen.train)
    if (screen.design.perturbation[static_cast<std::size_t>(i)] != 2) train.push_back(i);
  Model model = model_of(screen, parity, "cpu");
  const compert::NamedArrays before = model.values();
  Quiet quiet;
  model.fit(screen.cells(), screen.design, train, {}, "", quiet);
  CHECK((moved(before, model.values(), 2) == 0) == (parity != "none"));
  CHECK(moved(before, model.values(), 1) > 0);
}
