// Continuous covariates: their share of the latent state, and what training on a planted screen makes of it.
#include <cmath>
#include <limits>
#include <random>

#include "catch_compat.h"
#include "compert/error.h"
#include "compert/inspect.h"
#include "compert/statistics.h"
#include "compert/transfer.h"
#include "quiet.h"

namespace {

using compert::Design;
using compert::Model;
using Vector = std::vector<double>;

constexpr double kOpen = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kGenes = 12;

/// A control and a perturbation, with values z = -1.5, -0.5, 0.5, 1.5 of a continuous covariate. Genes 0 to 3
/// grow with it in all cells, genes 4 to 7 have the perturbation's effect, and genes 8 to 11 this effect times z.
struct Screen {
  Vector x;
  Design design;
  std::vector<int64_t> all;
  static double mean(std::size_t g, int p, double z) {
    return 3 + (g < 4 ? 0.6 * z : g < 8 ? 1.0 * p : p * (1 + 0.6 * z));
  }
  explicit Screen(std::size_t each) {
    std::mt19937_64 random(11);
    std::normal_distribution<double> normal;
    design.n_continuous = 1;
    for (int p = 0; p < 2; ++p)
      for (int bin = 0; bin < 4; ++bin)
        for (std::size_t i = 0; i < each; ++i) {
          const double z = bin - 1.5;
          for (std::size_t g = 0; g < kGenes; ++g) x.push_back(mean(g, p, z) + 0.3 * normal(random));
          all.push_back(static_cast<int64_t>(design.n++));
          design.perturbation.push_back(p);
          design.dose.push_back(1);
          design.continuous.push_back(z);
          design.bin.push_back(bin);
          design.condition.push_back(p);
        }
  }
  compert::DenseCells cells() const { return {x.data(), kGenes, design.n}; }
  /// Control cells of one value.
  std::vector<int64_t> controls(double z) const {
    std::vector<int64_t> out;
    for (const int64_t i : all)
      if (design.perturbation[static_cast<std::size_t>(i)] == 0 && design.continuous[static_cast<std::size_t>(i)] == z)
        out.push_back(i);
    return out;
  }
};

compert::Architecture sizes() {
  compert::Architecture a;
  a.n_genes = kGenes;
  a.n_perturbations = 2;
  a.n_continuous = 1;
  a.condition_weight.assign(2, 1);
  return a;
}

compert::Settings settings(const std::string& more) {
  return compert::settings_from_json(
      R"({"device": "cpu", "threads": 1, "dim": 6, "autoencoder_width": 16)" + more + "}");
}

Model fitted(const Screen& screen, const std::string& more) {
  Model model(sizes(), settings(more));
  Quiet quiet;
  model.fit(screen.cells(), screen.design, screen.all, {}, "", quiet);
  return model;
}

Design condition(int32_t p, double z) {
  Design out;
  out.n = out.n_continuous = 1;
  out.perturbation = {p};
  out.dose = {1};
  out.continuous = {z};
  return out;
}

}  // namespace

TEST_CASE("gradients of continuous covariates are differences of the loss", "[continuous]") {
  const Screen screen(3);
  for (const std::string curve : {"linear", "sigm", "mlp"}) {
    Model model(sizes(), settings(R"(, "precision": "float64", "reg_counterfactual": 0, "dosers_width": 4, )"
                                  R"("continuous_doser": ")" + curve + "\""));
    compert::NamedArrays values = model.values();
    const auto loss = [&] {
      model.set_values(values);
      return compert::Inspector(model).autoencoder_step(screen.cells(), screen.design);
    };
    const compert::NamedArrays gradients = loss().gradients;
    int64_t seen = 0;
    for (auto& [name, array] : values) {
      if (name.rfind("continuous_", 0) != 0) continue;
      ++seen;
      for (std::size_t i = 0; i < array.values.size(); ++i) {
        INFO(curve << " " << name << " " << i);
        const double step = 1e-5, at = array.values[i];
        array.values[i] = at + step;
        const double above = loss().losses.at("total").values[0];
        array.values[i] = at - step;
        const double below = loss().losses.at("total").values[0];
        array.values[i] = at;
        CHECK(std::fabs(gradients.at(name).values[i] - (above - below) / (2 * step)) < 1e-6);
      }
    }
    CHECK(seen == (curve == "linear" ? 1 : curve == "sigm" ? 3 : 7));
  }
}

TEST_CASE("a condition's value stands for that of its source cells", "[continuous]") {
  const Screen screen(40);
  for (const std::string curve : {"linear", "sigm", "mlp"}) {
    const Model model = fitted(screen, R"(, "epochs": 150, "continuous_doser": ")" + curve + "\"");
    for (const double from : {-1.5, 0.5})
      for (const double to : {-1.5, 1.5}) {
        const auto s = model.summarise(screen.cells(), screen.design, condition(1, to), {screen.controls(from)});
        double error = 0, unmoved = 0;
        for (std::size_t g = 0; g < kGenes; ++g) {
          error += std::pow(s.mean[g] - Screen::mean(g, 1, to), 2);
          unmoved += std::pow(Screen::mean(g, 1, from) - Screen::mean(g, 1, to), 2);
        }
        INFO(curve << ": from " << from << " to " << to << ", error " << error << " of " << unmoved);
        CHECK(error < (from == to ? 0.3 : 0.15 * unmoved));
      }
  }
}

TEST_CASE("without a value source cells keep their own; left out, it adds nothing", "[continuous]") {
  const Screen screen(10);
  const Model model = fitted(screen, R"(, "epochs": 5)");
  const std::vector<int64_t> some = screen.controls(0.5);
  const auto mean = [&](double z, const compert::Decoding& how) {
    return model.summarise(screen.cells(), screen.design, condition(1, z), {some}, how).mean;
  };
  CHECK(mean(kOpen, {}) == mean(0.5, {}));
  CHECK(mean(kOpen, {}) != mean(1.5, {}));
  compert::Decoding without;
  without.composition.without = {0};
  CHECK(mean(kOpen, without) == mean(1.5, without));
  CHECK(mean(kOpen, without) == mean(0, {}));  // linear: nothing at the mean

  const Model read = Model::from_state(model.state("{}"));
  CHECK(read.architecture().n_continuous == 1);
  CHECK(read.summarise(screen.cells(), screen.design, condition(1, 1.5), {some}).mean == mean(1.5, {}));
  CHECK(read.covariate_embedding(0) == model.values().at("continuous_embeddings.weight").values);
  CHECK_THROWS_AS(read.covariate_embedding(1), compert::Error);
}

TEST_CASE("bins part the conditions that matching compares, and nothing else", "[continuous]") {
  Screen screen(10);
  const auto embedding = [&screen](const std::string& more) {
    return fitted(screen, R"(, "epochs": 2)" + more).covariate_embedding(0);
  };
  const std::string off = R"(, "reg_alignment": 0, "reg_counterfactual": 0)";
  const Vector plain = embedding(off), compared = embedding(""), even = embedding(off + R"(, "balance": 1)");
  screen.design.bin.clear();
  CHECK(embedding(off) == plain);
  CHECK(embedding(off + R"(, "balance": 1)") == even);
  CHECK(embedding("") != compared);
}

TEST_CASE("continuous covariates go on to a model that knows them", "[continuous]") {
  const Screen screen(10);
  for (const std::string curve : {"linear", "mlp"}) {
    const std::string how = R"(, "epochs": 2, "continuous_doser": ")" + curve + "\"";
    const Model model = fitted(screen, how);
    compert::Architecture more = sizes();
    more.n_continuous = 2;
    compert::Correspondence map;
    for (int64_t g = 0; g < static_cast<int64_t>(kGenes); ++g) map.gene.push_back(g);
    map.perturbation = {0, 1};
    map.continuous = {-1, 0};
    Model fresh(more, settings(how + R"(, "frozen": "covariates")"));
    const auto table = compert::transfer(model, fresh, map);
    CHECK(fresh.covariate_embedding(1) == model.covariate_embedding(0));
    CHECK(fresh.covariate_embedding(0) != model.covariate_embedding(0));
    for (const auto& each : table)
      if (each.name.rfind("continuous_", 0) == 0) {
        INFO(each.name);
        CHECK(each.frozen);
        CHECK(each.kept == (each.name.rfind("continuous_dosers.0", 0) == 0   ? 0
                            : each.name.rfind("continuous_dosers.1", 0) == 0 ? each.values
                                                                            : each.values / 2));
      }
    map.continuous = {0, 1};
    CHECK_THROWS_AS(compert::transfer(model, fresh, map), compert::Error);
  }
}

TEST_CASE("values of continuous covariates are checked", "[continuous]") {
  const Screen screen(4);
  const auto refused = [&](const Design& design) {
    Model model(sizes(), settings(R"(, "epochs": 1)"));
    Quiet quiet;
    CHECK_THROWS_AS(model.fit(screen.cells(), design, screen.all, {}, "", quiet), compert::Error);
  };
  Design odd = screen.design;
  odd.continuous[3] = kOpen;
  refused(odd);
  odd.continuous.pop_back();
  refused(odd);
  odd.n_continuous = 0;
  odd.continuous.clear();
  refused(odd);
  odd = screen.design;
  odd.bin.pop_back();
  refused(odd);
  CHECK_THROWS_AS(Model(sizes(), compert::settings_from_json(R"({"parity": "fb"})")), compert::Error);
}
