// The scGen baseline: a variational autoencoder whose perturbations are differences of latent means.
#include <cmath>
#include <random>

#include "catch_compat.h"
#include "compert/error.h"
#include "compert/model.h"
#include "quiet.h"

namespace {

using compert::Design;
using compert::Model;
using Vector = std::vector<double>;

constexpr std::size_t kGenes = 10;

/// Two lines; perturbation 0 is the control, 1 was measured at doses 1 and 4, 2 never.
struct Fitted {
  Vector x;
  Design design;
  std::vector<int64_t> all;
  Model model;

  static compert::Architecture sizes() {
    compert::Architecture a;
    a.n_genes = kGenes;
    a.n_perturbations = 3;
    a.covariate_levels = {2};
    a.condition_weight.assign(3, 1);
    a.control = 0;
    a.measured_perturbation = {1, 1};
    a.measured_dose = {4, 1};
    return a;
  }
  Fitted()
      : model(sizes(), compert::settings_from_json(
                           "{\"model\":\"scgen\",\"dim\":4,\"autoencoder_width\":8,\"epochs\":3,"
                           "\"threads\":1,\"batch_size\":16,\"device\":\"cpu\"}")) {
    std::mt19937_64 random(2);
    std::normal_distribution<double> normal;
    design.n_covariates = 1;
    for (int line = 0; line < 2; ++line)
      for (const double dose : {0., 1., 4.})
        for (int i = 0; i < 12; ++i) {
          for (std::size_t g = 0; g < kGenes; ++g)
            x.push_back(2 + line * static_cast<double>(g % 2) + 0.2 * normal(random) +
                        (g < 4 ? 0.5 * dose : 0));
          design.perturbation.push_back(dose > 0 ? 1 : 0);
          design.dose.push_back(dose);
          design.covariate.push_back(line);
          all.push_back(static_cast<int64_t>(design.n++));
        }
    Quiet quiet;
    model.fit(compert::DenseCells(x.data(), kGenes, design.n), design, all, {}, "", quiet);
  }

  Vector effect(int32_t p, double dose) const {
    Design rows;
    rows.n = 1;
    rows.n_covariates = 1;
    rows.perturbation = {p};
    rows.dose = {dose};
    rows.covariate = {-1};
    return model.perturbation_embedding(rows);
  }
  /// Basal states of all cells, 4 numbers each.
  Vector latent() const {
    Vector out(design.n * 4);
    compert::Composition basal;
    basal.perturbation = false;
    model.embed(compert::DenseCells(x.data(), kGenes, design.n), design, basal, out.data());
    return out;
  }
};

Vector mixed(const Vector& a, double share, const Vector& b) {
  Vector out;
  for (std::size_t i = 0; i < a.size(); ++i) out.push_back(share * a[i] + (1 - share) * b[i]);
  return out;
}

void check_close(const Vector& a, const Vector& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(std::abs(a[i] - b[i]) < 1e-5);
}

}  // namespace

TEST_CASE("vectors are differences of latent means, within covariates", "[scgen]") {
  const Fitted f;
  const Vector latent = f.latent();
  Vector expected(4, 0);
  for (int32_t line = 0; line < 2; ++line)
    for (std::size_t d = 0; d < 4; ++d) {
      double treated = 0, control = 0;
      for (std::size_t i = 0; i < f.design.n; ++i) {
        if (f.design.covariate[i] != line) continue;
        if (f.design.dose[i] == 4) treated += latent[i * 4 + d] / 12;
        if (f.design.dose[i] == 0) control += latent[i * 4 + d] / 12;
      }
      expected[d] += (treated - control) / 2;
    }
  check_close(f.effect(1, 4), expected);
}

TEST_CASE("between measured doses vectors are interpolated, unknown drugs have the mean", "[scgen]") {
  const Fitted f;
  const Vector zero(4, 0), one = f.effect(1, 1), four = f.effect(1, 4);
  check_close(f.effect(1, 0), zero);
  check_close(f.effect(0, 1), zero);
  check_close(f.effect(1, 0.5), mixed(one, 0.5, zero));
  check_close(f.effect(1, 2), mixed(four, 1. / 3, one));
  check_close(f.effect(1, 9), four);
  check_close(f.effect(2, 4), four);
  const Model again = Model::from_state(f.model.state("{}"));
  for (const auto& [name, array] : f.model.values()) CHECK(again.values().at(name).values == array.values);
}

TEST_CASE("scGen that was interrupted has the vectors of its weights", "[scgen]") {
  Fitted f;
  Model model(Fitted::sizes(), compert::settings_from_json(
      "{\"model\":\"scgen\",\"dim\":4,\"autoencoder_width\":8,\"epochs\":30,\"threads\":1,"
      "\"batch_size\":16,\"device\":\"cpu\",\"checkpoint_freq\":100}"));
  struct Stopper final : compert::Progress {
    void on_epoch(const compert::EpochRecord& r, int64_t) override { stop = r.epoch == 2; }
    bool should_stop() override { return stop; }
    bool stop = false;
  } stopper;
  const compert::DenseCells cells(f.x.data(), kGenes, f.design.n);
  model.fit(cells, f.design, f.all, {}, "", stopper);
  CHECK(model.epochs_done() == 2);
  f.model = std::move(model);
  double size = 0;
  for (const double v : f.effect(1, 4)) size += v * v;
  CHECK(size > 0);
}

TEST_CASE("lines without training controls do not count where a perturbation has others", "[scgen]") {
  const auto fitted = [](const auto& keep) {
    Fitted f;
    std::vector<int64_t> train;
    for (const int64_t cell : f.all)
      if (keep(f.design.covariate[static_cast<std::size_t>(cell)], f.design.dose[static_cast<std::size_t>(cell)]))
        train.push_back(cell);
    Model model(Fitted::sizes(), f.model.settings());
    Quiet quiet;
    model.fit(compert::DenseCells(f.x.data(), kGenes, f.design.n), f.design, train, {}, "", quiet);
    f.model = std::move(model);
    const Vector latent = f.latent();
    // Of line 0: treated at 4 less its controls.
    Vector own(4, 0);
    for (std::size_t i = 0; i < f.design.n; ++i)
      for (std::size_t d = 0; d < 4 && f.design.covariate[i] == 0; ++d)
        own[d] += (f.design.dose[i] == 4 ? 1 : f.design.dose[i] == 0 ? -1 : 0) * latent[i * 4 + d] / 12;
    return std::make_pair(f.effect(1, 4), own);
  };
  const auto [effect, own] = fitted([](int32_t line, double dose) { return line == 0 || dose > 0; });
  check_close(effect, own);
  // The controls of the other line stand in where there are no own ones at all.
  const auto [instead, none] = fitted([](int32_t line, double dose) { return (line == 0) == (dose > 0); });
  double size = 0;
  for (const double v : instead) size += v * v;
  CHECK(size > 0);
}

TEST_CASE("scGen refuses what it cannot be", "[scgen]") {
  CHECK_THROWS_AS(compert::settings_from_json("{\"model\":\"scgen\",\"loss_ae\":\"nb\"}"), compert::Error);
  CHECK_THROWS_AS(compert::settings_from_json("{\"model\":\"cpa\",\"parity\":\"chemcpa\"}"), compert::Error);
  CHECK(compert::settings_from_json("{\"parity\":\"chemcpa\"}").model == "chemcpa");
  Fitted f;
  std::vector<int64_t> treated;
  for (const int64_t cell : f.all)
    if (f.design.perturbation[static_cast<std::size_t>(cell)] != 0) treated.push_back(cell);
  const int64_t epochs = f.model.epochs_done();
  Quiet quiet;
  CHECK_THROWS_AS(f.model.fit(compert::DenseCells(f.x.data(), kGenes, f.design.n), f.design, treated, {}, "", quiet),
                  compert::Error);
  std::vector<int64_t> controls;
  for (const int64_t cell : f.all)
    if (f.design.perturbation[static_cast<std::size_t>(cell)] == 0) controls.push_back(cell);
  CHECK_THROWS_AS(f.model.fit(compert::DenseCells(f.x.data(), kGenes, f.design.n), f.design, controls, {}, "", quiet),
                  compert::Error);
  CHECK(f.model.epochs_done() == epochs);  // at once, not when they are first needed
}
