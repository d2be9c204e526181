// Summaries of conditions are the moments of the cells that are predicted one by one, whichever way they
// are computed.
#include <cmath>
#include <functional>
#include <random>
#include <stdexcept>
#include <thread>

#include "catch_compat.h"
#include "compert/model.h"
#include "quiet.h"

namespace {

using compert::CellPrediction;
using compert::Settings;
using Vector = std::vector<double>;

constexpr std::size_t kGenes = 37, kCells = 700;  // more than are decoded at a time

struct Screen {
  Vector x = Vector(kGenes * kCells, 0.0);
  compert::Design own, target;
  std::vector<std::vector<int64_t>> source;

  Screen() {
    std::mt19937_64 random(5);
    for (double& v : x)
      if (random() % 4 == 0) v = static_cast<double>(1 + random() % 6);
    own.n = kCells;
    own.n_covariates = 1;
    for (std::size_t i = 0; i < kCells; ++i) {
      x[i * kGenes] += 1;  // no cell is empty
      own.perturbation.push_back(static_cast<int32_t>(random() % 3));
      own.dose.push_back(0.5);
      own.covariate.push_back(static_cast<int32_t>(random() % 2));
      own.condition.push_back(own.perturbation.back());
    }
    // All cells; a part of them, in no order and some of them twice; a single one.
    source.resize(3);
    for (int64_t i = 0; i < static_cast<int64_t>(kCells); ++i) source[0].push_back(i);
    for (int k = 0; k < 300; ++k) source[1].push_back(static_cast<int64_t>(random() % kCells));
    source[2] = {600};
    target.n = source.size();
    target.n_covariates = 1;
    target.perturbation = {1, 2, 1};
    target.dose = {1, 0.3, 2};
    target.covariate = {-1, 1, 0};
  }
  compert::DenseCells cells() const { return {x.data(), kGenes, kCells}; }

  /// The last `n_proteins` rows are proteins.
  compert::Model model(Settings settings, int64_t n_proteins = 0) const {
    compert::Architecture a;
    a.n_genes = static_cast<int64_t>(kGenes) - n_proteins;
    a.n_proteins = n_proteins;
    a.n_perturbations = 3;
    a.covariate_levels = {2};
    a.condition_weight.assign(3, 1);
    settings.dim = 6;
    settings.autoencoder_width = 11;
    settings.device = "cpu";
    if (settings.threads == 0) settings.threads = 1;
    return {a, settings};
  }
};

struct Moments {
  double mean = 0, squares = 0;
  void add(double value, std::size_t i) {
    const double delta = value - mean;
    mean += delta / static_cast<double>(i + 1);
    squares += delta * (value - mean);
  }
};

/// The largest difference between a summary and the moments of single cells.
double furthest(const Screen& screen, const compert::Model& model,
                const compert::SummaryParts& parts = {}) {
  const auto s =
      model.summarise(screen.cells(), screen.own, screen.target, screen.source, {}, parts);
  std::size_t n = 0;
  for (const auto& list : screen.source) n += list.size();
  Vector decoded(n * kGenes), variance(n * kGenes), shifted(n * kGenes), own_variance(kCells * kGenes);
  CellPrediction how;
  const auto predict = [&](bool residual, double* mean, double* v) {
    how.residual = residual;
    model.predict_cells(screen.cells(), screen.own, screen.target, screen.source, how, mean, v);
  };
  predict(false, decoded.data(), variance.data());
  predict(true, shifted.data(), nullptr);
  Vector reconstructed(kCells * kGenes);
  std::vector<int64_t> every = screen.source[0];
  model.reconstruct(screen.cells(), screen.own, every, reconstructed.data(), own_variance.data());
  double worst = 0;
  const auto compare = [&](double a, double b) {
    worst = std::max(worst, std::abs(a - b) / std::max(1.0, std::abs(b)));
  };
  std::size_t first = 0;
  for (std::size_t k = 0; k < screen.source.size(); ++k) {
    const auto& list = screen.source[k];
    for (std::size_t g = 0; g < kGenes; ++g) {
      Moments mean, difference, spread, own;
      for (std::size_t i = 0; i < list.size(); ++i) {
        const std::size_t at = (first + i) * kGenes + g;
        mean.add(decoded[at], i);
        spread.add(variance[at], i);
        difference.add(shifted[at], i);
        own.add(own_variance[static_cast<std::size_t>(list[i]) * kGenes + g], i);
      }
      const double cells = static_cast<double>(list.size());
      const std::size_t at = k * kGenes + g;
      compare(s.mean[at], mean.mean);
      compare(s.variance[at], spread.mean);
      compare(s.variance_of_means[at], mean.squares / cells);
      if (!parts.difference) continue;
      compare(s.mean_difference[at], difference.mean);
      compare(s.variance_difference[at], difference.squares / cells);
      compare(s.variance_shift[at], spread.mean - own.mean);
    }
    first += list.size();
  }
  return worst;
}

Settings of(const std::string& loss, const std::string& activation, bool skip,
            const std::string& precision = "float64") {
  Settings s;
  s.loss_ae = loss;
  s.decoder_activation = activation;
  s.decoder_skip = skip;
  s.precision = precision;
  return s;
}

}  // namespace

TEST_CASE("Summaries are the moments of predicted cells") {
  const Screen screen;
  CHECK(furthest(screen, screen.model(of("gauss", "linear", true))) < 1e-11);
  CHECK(furthest(screen, screen.model(of("gauss", "linear", false))) < 1e-11);
  CHECK(furthest(screen, screen.model(of("gauss", "ReLU", true))) < 1e-11);
  CHECK(furthest(screen, screen.model(of("nb", "linear", true))) < 1e-11);
  CHECK(furthest(screen, screen.model(of("zinb", "linear", true))) < 1e-11);
  CHECK(furthest(screen, screen.model(of("gauss", "linear", true, "float32"))) < 1e-4);
  for (const char* parity : {"theislab", "fb"}) {  // other variances
    Settings s = compert::settings_from_json(std::string("{\"parity\": \"") + parity + "\"}");
    s.loss_ae = "gauss";
    s.precision = "float64";
    CHECK(furthest(screen, screen.model(s)) < 1e-11);
  }
}

TEST_CASE("Summaries without a difference are the same moments") {
  const Screen screen;
  const compert::SummaryParts parts{true, false};
  for (const char* activation : {"linear", "ReLU"})
    CHECK(furthest(screen, screen.model(of("gauss", activation, true)), parts) < 1e-11);
  CHECK(furthest(screen, screen.model(of("gauss", "ReLU", true, "float32")), parts) < 1e-4);
  CHECK(furthest(screen, screen.model(of("nb", "linear", true)), parts) < 1e-11);
}

TEST_CASE("Summaries of genes and proteins are the moments of predicted cells", "[proteins]") {
  const Screen screen;
  for (const bool difference : {false, true})
    for (const char* fusion : {"concat", "poe"})
      for (const char* parity : {"none", "multicpa"})  // the second shares one decoder when joined
        for (const char* activation : {"linear", "ReLU", "sigm"})
          for (const char* protein_loss : {"gauss", "nb"}) {
            CAPTURE(difference, fusion, parity, activation, protein_loss);
            Settings s = of("gauss", activation, std::string(parity) == "none");
            s.model = "multicpa";
            s.parity = parity;
            s.fusion = fusion;
            s.variational = std::string(fusion) == "poe";
            s.protein_loss = protein_loss;
            s.epochs = 1;
            s.batch_size = 64;
            compert::Model model = screen.model(s, 9);
            Quiet quiet;
            // Training finds the proteins' scale.
            model.fit(screen.cells(), screen.own, screen.source[0], {}, "", quiet);
            CHECK(furthest(screen, model, {true, difference}) < 1e-10);
          }
}

TEST_CASE("Summaries hold what is asked for") {
  const Screen screen;
  const compert::Model model = screen.model(of("gauss", "linear", true));
  const auto all = model.summarise(screen.cells(), screen.own, screen.target, screen.source);
  const auto some =
      model.summarise(screen.cells(), screen.own, screen.target, screen.source, {}, {false, false});
  CHECK(some.mean == all.mean);
  CHECK(some.variance == all.variance);
  CHECK(some.variance_of_means.empty());
  CHECK(some.mean_difference.empty());
  CHECK(some.variance_difference.empty());
  CHECK(some.variance_shift.empty());
}

TEST_CASE("Means alone are those beside variances") {
  for (const char* loss : {"gauss", "nb"})
    for (const bool relu : {false, true}) {
      const Screen screen;
      const compert::Model model = screen.model(of(loss, relu ? "ReLU" : "linear", true));
      const auto all = model.summarise(screen.cells(), screen.own, screen.target, screen.source);
      const auto means = model.summarise(screen.cells(), screen.own, screen.target, screen.source, {}, {false, true, false});
      CHECK(means.mean == all.mean);
      CHECK(means.mean_difference == all.mean_difference);
      for (const auto* none : {&means.variance, &means.variance_of_means, &means.variance_difference, &means.variance_shift})
        CHECK(none->empty());
    }
}

TEST_CASE("Predictions pause between blocks of cells, and can be ended there") {
  const Screen screen;
  const compert::Model model = screen.model(of("gauss", "linear", true));
  Vector values(4 * kCells * kGenes);
  const std::vector<std::function<void(const compert::Pause&)>> calls = {
      [&](const compert::Pause& pause) {
        model.summarise(screen.cells(), screen.own, screen.target, screen.source, {}, {}, pause);
      },
      [&](const compert::Pause& pause) {
        model.predict_cells(screen.cells(), screen.own, screen.target, screen.source, {}, values.data(), nullptr, {},
                            pause);
      },
      [&](const compert::Pause& pause) {
        model.reconstruct(screen.cells(), screen.own, screen.source[0], values.data(), nullptr, {}, pause);
      },
      [&](const compert::Pause& pause) { model.embed(screen.cells(), screen.own, {}, values.data(), pause); },
      [&](const compert::Pause& pause) {
        model.embed(screen.cells(), screen.own, screen.target, screen.source, {}, values.data(), pause);
      }};
  for (const auto& call : calls) {
    int pauses = 0;
    call([&] { ++pauses; });
    CHECK(pauses > 1);
    CHECK_THROWS_AS(call([] { throw std::runtime_error("stop"); }), std::runtime_error);
  }
}

TEST_CASE("Predictions of a few cells under many conditions pause between these") {
  const Screen screen;
  const compert::Model model = screen.model(of("gauss", "linear", true));
  const std::vector<int64_t> first(600, 0);
  const compert::Design target = screen.target.rows(first.data(), first.size());
  const std::vector<std::vector<int64_t>> source(first.size(), {1, 2});
  int pauses = 0;
  model.summarise(screen.cells(), screen.own, target, source, {}, {}, [&] { ++pauses; });
  CHECK(pauses == 3);
  Vector mean(2 * first.size() * kGenes);
  model.predict_cells(screen.cells(), screen.own, target, source, {}, mean.data(), nullptr, {}, [&] { ++pauses; });
  CHECK(pauses == 6);
}

TEST_CASE("Cells of predictions are read in the caller's thread") {
  struct Watched final : compert::CellSource {
    explicit Watched(const compert::DenseCells& of) : cells(of) {}
    std::size_t n_cells() const override { return cells.n_cells(); }
    std::size_t n_genes() const override { return cells.n_genes(); }
    double density() const override { return cells.density(); }
    void fetch(const int64_t* which, std::size_t n, compert::CellBatch& out) const override {
      ++(std::this_thread::get_id() == caller ? here : elsewhere);
      cells.fetch(which, n, out);
    }
    compert::DenseCells cells;
    std::thread::id caller = std::this_thread::get_id();
    mutable int here = 0, elsewhere = 0;
  };
  const Screen screen;
  Settings settings = of("gauss", "linear", true);
  settings.threads = 2;
  const compert::Model model = screen.model(settings);
  const Watched cells(screen.cells());
  Vector latent(6 * kCells);
  for (int i = 0; i < 100; ++i) model.embed(cells, screen.own, {}, latent.data());
  CHECK(cells.here >= 200);
  CHECK(cells.elsewhere == 0);
}

TEST_CASE("States under conditions are those of relabelled cells, each of which is read once") {
  struct Counted final : compert::CellSource {
    explicit Counted(const compert::DenseCells& of) : cells(of) {}
    std::size_t n_cells() const override { return cells.n_cells(); }
    std::size_t n_genes() const override { return cells.n_genes(); }
    double density() const override { return cells.density(); }
    void fetch(const int64_t* which, std::size_t n, compert::CellBatch& out) const override {
      read += n;
      cells.fetch(which, n, out);
    }
    compert::DenseCells cells;
    mutable std::size_t read = 0;
  };
  const Screen screen;
  const compert::Model model = screen.model(of("gauss", "linear", true));
  for (const compert::Composition& parts :
       {compert::Composition{true, {}}, compert::Composition{false, {}}, compert::Composition{true, {0}}}) {
    std::size_t n = 0;
    for (const auto& list : screen.source) n += list.size();
    const Counted cells(screen.cells());
    Vector states(6 * n);
    model.embed(cells, screen.own, screen.target, screen.source, parts, states.data());
    CHECK(cells.read == kCells);
    std::size_t at = 0;
    for (std::size_t k = 0; k < screen.source.size(); ++k) {
      compert::Design relabelled = screen.own;
      relabelled.perturbation.assign(kCells, screen.target.perturbation[k]);
      relabelled.dose.assign(kCells, screen.target.dose[k]);
      if (screen.target.covariate[k] >= 0) relabelled.covariate.assign(kCells, screen.target.covariate[k]);
      Vector expected(6 * kCells);
      model.embed(screen.cells(), relabelled, parts, expected.data());
      double worst = 0;
      for (const int64_t cell : screen.source[k])
        for (std::size_t d = 0; d < 6; ++d, ++at)
          worst = std::max(worst, std::abs(states[at] - expected[static_cast<std::size_t>(cell) * 6 + d]));
      CHECK(worst < 1e-12);
    }
  }
}

TEST_CASE("Without conditions nothing is predicted") {
  const Screen screen;
  compert::Design none;
  none.n_covariates = 1;
  for (const bool linear : {true, false}) {
    const compert::Model model = screen.model(of("gauss", linear ? "linear" : "ReLU", true));
    const auto s = model.summarise(screen.cells(), screen.own, none, {});
    CHECK(s.n.empty());
    CHECK(s.mean.empty());
    model.predict_cells(screen.cells(), screen.own, none, {}, {}, nullptr, nullptr);
    CHECK(model.perturbation_embedding(none).empty());
    CHECK(model.dose_response({}, {}).empty());
  }
}

TEST_CASE("Threads that share conditions predict what one thread predicts") {
  Screen screen;
  // Enough conditions for the threads to share: every one again at other doses.
  for (std::size_t k = 0; k < 9; ++k) {
    screen.source.push_back(screen.source[k % 3]);
    screen.target.perturbation.push_back(static_cast<int32_t>(k % 3));
    screen.target.dose.push_back(0.1 * static_cast<double>(k + 1));
    screen.target.covariate.push_back(static_cast<int32_t>(k % 2));
  }
  screen.target.n = screen.source.size();
  std::size_t n = 0;
  for (const auto& list : screen.source) n += list.size();
  for (const char* loss : {"gauss", "nb"}) {
    std::vector<Vector> first;
    for (const int64_t threads : {1, 3}) {
      CAPTURE(loss, threads);
      Settings settings = of(loss, "linear", true);
      settings.threads = threads;
      const compert::Model model = screen.model(settings);
      const auto s = model.summarise(screen.cells(), screen.own, screen.target, screen.source, {}, {});
      Vector mean(n * kGenes), variance(n * kGenes);
      CellPrediction how;
      how.residual = true;
      model.predict_cells(screen.cells(), screen.own, screen.target, screen.source, how, mean.data(),
                          variance.data());
      const std::vector<Vector> all = {s.mean, s.variance, s.variance_of_means, s.mean_difference,
                                       s.variance_difference, s.variance_shift, mean, variance};
      if (first.empty()) first = all;
      for (std::size_t k = 0; k < all.size(); ++k) {
        REQUIRE(all[k].size() == first[k].size());
        double worst = 0;
        for (std::size_t i = 0; i < all[k].size(); ++i)
          worst = std::max(worst, std::abs(all[k][i] - first[k][i]));
        CHECK(worst < 1e-12);
      }
    }
  }
}
