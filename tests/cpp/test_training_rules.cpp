// Rules of training: what is repeatable, when who has a turn or a weight, and what a fit that ends early keeps.
#include <cmath>
#include <map>

#include "catch_compat.h"
#include "compert/error.h"
#include "compert/stored_cells.h"
#include "compert/transfer.h"
#include "data/random.h"
#include "io/hdf5.h"
#include "protein_screen.h"
#include "training_screen.h"

using compert::EpochRecord;
using compert::Model;
using training::fitted;
using training::Screen;
using training::settings_of;
using Values = std::map<std::string, std::vector<double>>;

namespace {

Values values_of(const Model& model) {
  Values out;
  for (const auto& [name, array] : model.values()) out[name] = array.values;
  return out;
}

/// Batches and optimisers' steps so far, by which the adversaries have their turns.
std::vector<int64_t> position_of(const Model& model) {
  const auto state = compert::hdf5::File::from_image(model.state("{}"));
  return {state.attribute_int("training", "iteration"), state.attribute_int("training", "optimizer_steps")};
}

double library_of(const Model& model) { return model.values().at("mean_library").values.front(); }

double mean_total(const Screen& screen) {
  double sum = 0;
  for (const int64_t i : screen.train)
    for (std::size_t g = 0; g < Screen::kGenes; ++g)
      sum += screen.x[static_cast<std::size_t>(i) * Screen::kGenes + g];
  return sum / static_cast<double>(screen.train.size());
}

/// Epochs that were scored.
std::vector<int64_t> scored(const Model& model) {
  std::vector<int64_t> out;
  for (const EpochRecord& r : model.history())
    if (!std::isnan(r.r2_mean)) out.push_back(r.epoch);
  return out;
}

}  // namespace

TEST_CASE("two threads repeat a fit with adversaries of perturbations and covariates", "[training]") {
  const Screen screen(false);
  const std::string settings =
      R"("threads": 2, "epochs": 4, "reg_adversary": 2, "adversary_steps": 2, "batch_size": 32)";
  const Values first = values_of(fitted(screen, settings));
  for (int again = 0; again < 4; ++again) CHECK(values_of(fitted(screen, settings)) == first);
}

TEST_CASE("the covariates' adversaries have a weight of their own", "[training]") {
  const Screen screen(false);
  const auto with = [&](const std::string& weights) {
    return values_of(fitted(screen, R"("epochs": 3, "adversary_steps": 0, )" + weights))
        .at("encoder.network.0.weight");
  };
  const auto without = with(R"("reg_adversary": 0)"), alone = with(R"("reg_adversary": 0, "reg_adversary_cov": 5)"),
             hardly = with(R"("reg_adversary": 1e-12, "reg_adversary_cov": 5)");
  CHECK(alone != without);
  for (std::size_t i = 0; i < alone.size(); ++i) CHECK(alone[i] == Approx(hardly[i]).margin(1e-5));
}

TEST_CASE("a warm-up is counted as the pre-training before it", "[training]") {
  CHECK_THROWS_WITH(settings_of(R"("pretrain_epochs": 3, "adversary_warmup_steps": 6)"),
                    ContainsSubstring("adversary_warmup_epochs"));
  CHECK_THROWS_WITH(settings_of(R"("pretrain_steps": 3, "adversary_warmup_epochs": 6)"),
                    ContainsSubstring("adversary_warmup_steps"));
  CHECK(settings_of(R"("pretrain_steps": 3, "adversary_warmup_steps": 6)").pretrain_steps == 3);
  CHECK(settings_of(R"("parity": "theislab", "pretrain_epochs": 3, "adversary_warmup_steps": 6)")
            .pretrain_epochs == 3);
}

TEST_CASE("what a decoder without library size can't do is refused", "[training]") {
  CHECK_THROWS_AS(settings_of(R"("parity": "fb", "loss_ae": "nb", "reg_counterfactual": 10)"), compert::Error);
  CHECK_THROWS_AS(settings_of(R"("model": "multicpa", "parity": "multicpa", "loss_ae": "nb",
                                 "reg_counterfactual": 10)"),
                  compert::Error);
  CHECK(settings_of(R"("parity": "fb", "reg_counterfactual": 10)").reg_counterfactual == 10);
}

TEST_CASE("counts are brought to the depth of the cells at hand", "[training]") {
  const Screen screen(true);
  for (const char* parity : {"none", "theislab"}) {
    const Model model = fitted(screen, std::string(R"("epochs": 1, "loss_ae": "nb", "parity": ")") + parity + "\"");
    CHECK(library_of(model) == Approx(mean_total(screen)));
  }
  // Those of a fit that goes on elsewhere, too.
  Screen deep(true);
  for (double& v : deep.x) v *= 50;
  const std::string nb = R"("epochs": 2, "loss_ae": "nb")";
  const Model before = fitted(deep, nb);
  Model after(screen.architecture(), settings_of(nb));
  compert::Correspondence map;
  for (int64_t g = 0; g < static_cast<int64_t>(Screen::kGenes); ++g) map.gene.push_back(g < 3 ? -1 : g);
  map.perturbation = {0, 1, 2, 3};
  map.covariate = {0};
  map.level = {{0, 1, 2, 3}};
  compert::transfer(before, after, map);
  const auto bias = [](const Model& m) {  // of the last layer
    std::vector<double> last;
    for (const auto& [name, array] : m.values())
      if (name.rfind("decoder.network.", 0) == 0 && array.shape == std::vector<int64_t>{Screen::kGenes})
        last = array.values;
    return last;
  };
  const auto kept = bias(before);
  REQUIRE(bias(after).size() == Screen::kGenes);
  Quiet quiet;
  compert::Settings still = settings_of(nb + R"(, "autoencoder_lr": 1e-12, "embeddings_lr": 1e-11)");
  after = Model::from_state(after.state(""));  // as a fit is kept until it is trained
  after.set_run_settings(still);
  const compert::DenseCells cells = screen.cells();
  after.fit(cells, screen.design, screen.train, {}, "", quiet);
  CHECK(library_of(after) == Approx(mean_total(screen)));
  // Genes that it did not know start at their means, on the level of the others, which stay where they were.
  const auto statistics = compert::stats_of(cells, screen.train);
  double level = 0;
  for (std::size_t g = 3; g < Screen::kGenes; ++g)
    level += (kept[g] - std::log(statistics.mean[g])) / (Screen::kGenes - 3);
  for (std::size_t g = 0; g < Screen::kGenes; ++g)
    CHECK(bias(after)[g] == Approx(g < 3 ? std::log(statistics.mean[g]) + level : kept[g]).margin(1e-3));
}

TEST_CASE("losses of an epoch without a step that computes them are missing", "[training]") {
  const Screen screen(false);
  const Model model = fitted(screen, R"("epochs": 4, "batch_size": 1000, "reg_adversary": 1, "adversary_steps": 3)");
  int missing = 0;
  for (const EpochRecord& r : model.history()) {
    CHECK(std::isnan(r.loss_reconstruction) != std::isnan(r.penalty_adv_perturbations));
    CHECK(r.loss_reconstruction != 0);
    missing += std::isnan(r.loss_reconstruction);
  }
  CHECK(missing == 2);
}

TEST_CASE("how often the adversaries have a turn leaves the losses of a parity's epoch what they are", "[training]") {
  const Screen counts(true);
  // Networks that hardly move.
  const std::string still = R"("epochs": 2, "batch_size": 60, "autoencoder_lr": 1e-12, "embeddings_lr": 1e-12,
    "dosers_lr": 1e-12, "adversary_lr": 1e-12, "encoder_dropout": 0, "encoder_norm": "layer", "decoder_norm": "layer",
    "adversary_steps": )";
  const auto theislab = [&](int steps) {
    const Model model = fitted(counts, still + std::to_string(steps) + R"(, "parity": "theislab", "loss_ae": "nb")");
    return model.history().back().loss_reconstruction;
  };
  for (const int steps : {0, 3, 6}) CHECK(theislab(steps) == Approx(theislab(1)).epsilon(0.01));
  const Screen screen(false);
  const Model model = fitted(screen, R"("parity": "chemcpa", "model": "chemcpa", "doser_type": "linear", "epochs": 5,
    "batch_size": 1000)");
  for (const EpochRecord& r : model.history()) CHECK(std::isfinite(r.loss_reconstruction));
}

TEST_CASE("parities are scored on their references' grids", "[training]") {
  const proteins::Screen screen(12);
  const auto epochs = [&](const std::string& parity) {
    Model model(screen.architecture(),
                proteins::settings(R"("epochs": 12, "checkpoint_freq": 5, "patience": 100, "parity": ")" + parity + "\""));
    Quiet quiet;
    model.fit(screen.cells(), screen.design, screen.train, screen.plan(), "", quiet);
    return scored(model);
  };
  CHECK(epochs("none") == std::vector<int64_t>{5, 10, 12});
  CHECK(epochs("multicpa") == std::vector<int64_t>{1, 6, 11, 12});
}

TEST_CASE("mixup of theislab/cpa waits for pre-training in epochs only", "[training]") {
  const Screen screen(true);
  const auto encoder = [&](const std::string& more) {
    return values_of(fitted(screen, R"("epochs": 3, "parity": "theislab", "mixup_warmup_epochs": 1, )" + more))
        .at("encoder.network.0.weight");
  };
  CHECK(encoder(R"("pretrain_steps": 2, "mixup_alpha": 0.5)") != encoder(R"("pretrain_steps": 2, "mixup_alpha": 0)"));
  CHECK(encoder(R"("pretrain_epochs": 1, "mixup_alpha": 0.5)") ==
        encoder(R"("pretrain_epochs": 1, "mixup_alpha": 0)"));
}

TEST_CASE("symmetric beta variates have their mean and variance, for large parameters too", "[training]") {
  for (const double a : {0.3, 1.0, 1.5, 20.0, 200.0}) {
    compert::Random random(4);
    double sum = 0, squares = 0;
    constexpr int n = 20000;
    for (int i = 0; i < n; ++i) {
      const double x = random.symmetric_beta(a);
      sum += x;
      squares += (x - 0.5) * (x - 0.5);
    }
    CHECK(sum / n == Approx(0.5).margin(0.01));
    CHECK(squares / n == Approx(1 / (4 * (2 * a + 1))).epsilon(0.05));
  }
}

TEST_CASE("cells that can't be read any more end a fit, which keeps its epochs", "[training]") {
  const Screen screen(false);
  class Failing final : public compert::CellSource {
   public:
    explicit Failing(const Screen& of) : cells_(of.cells()) {}
    std::size_t n_cells() const override { return cells_.n_cells(); }
    std::size_t n_genes() const override { return cells_.n_genes(); }
    double density() const override { return cells_.density(); }
    void fetch(const int64_t* cells, std::size_t n, compert::CellBatch& out) const override {
      if (broken) throw compert::Error("x", "must be an intact file", "the disk is gone");
      cells_.fetch(cells, n, out);
    }
    bool broken = false;

   private:
    compert::DenseCells cells_;
  } source(screen);
  struct Breaker final : compert::Progress {
    explicit Breaker(Failing& of) : cells(of) {}
    void on_epoch(const EpochRecord& r, int64_t) override { cells.broken = r.epoch == 3; }
    bool should_stop() override { return false; }
    Failing& cells;
  } breaker(source);
  Model model(screen.architecture(), settings_of(R"("epochs": 6)"));
  const auto result = model.fit(source, screen.design, screen.train, {}, "", breaker);
  CHECK(result.stopped == compert::Stopped::kUnreadable);
  CHECK_THAT(result.message, ContainsSubstring("the disk is gone"));
  CHECK(model.epochs_done() == 3);
  CHECK(values_of(model) == values_of(fitted(screen, R"("epochs": 3)")));
  // Without an epoch there is nothing to keep.
  Model none(screen.architecture(), settings_of(R"("epochs": 6)"));
  source.broken = true;
  CHECK_THROWS_AS(none.fit(source, screen.design, screen.train, {}, "", breaker), compert::Error);
}

TEST_CASE("proteins that do not vary leave effects of others alone", "[training]") {
  const proteins::Screen plain(12, true, false);
  proteins::Screen constant = plain;
  for (std::size_t i = 0; i < constant.design.n; ++i)
    constant.x[i * proteins::kRows + proteins::kGenes] = 0.7;
  const auto last_loss = [](const proteins::Screen& screen) {
    Model model(screen.architecture(), proteins::settings(R"("epochs": 2, "reg_counterfactual": 10,
                                                            "protein_loss": "gauss")"));
    Quiet quiet;
    model.fit(screen.cells(), screen.design, screen.train, {}, "", quiet);
    return model.history().back().loss_counterfactual;
  };
  CHECK(last_loss(constant) < 3 * last_loss(plain));
}

TEST_CASE("what was not measured has a decoded variance in counterfactuals by difference", "[proteins]") {
  proteins::Screen screen(12);
  Model model(screen.architecture(), proteins::settings(R"("epochs": 3, "fusion": "poe")"));
  Quiet quiet;
  model.fit(screen.cells(), screen.design, screen.train, {}, "", quiet);
  screen.design.measured.assign(screen.design.n, compert::kRna);  // no proteins
  const auto s = model.summarise(screen.cells(), screen.design, screen.target(), {screen.controls});
  for (std::size_t g = proteins::kGenes; g < proteins::kRows; ++g) {
    CHECK(s.mean_difference[g] == Approx(s.mean[g]));
    CHECK(s.variance_difference[g] + s.variance_shift[g] == Approx(s.variance[g] + s.variance_of_means[g]));
  }
}

TEST_CASE("the second task knows the covariate of the condition, whatever the batch", "[training]") {
  Screen screen(false);
  compert::DegTargets degs;
  for (std::size_t i = 0; i < screen.design.n; ++i) degs.group.push_back(screen.design.covariate[i]);
  for (int64_t type = 0; type < 4; ++type) degs.genes.push_back({3 * type, 3 * type + 1, 20 + type});
  const auto last_loss = [&](const compert::Architecture& a) {
    Model model(a, settings_of(R"("epochs": 60, "reg_multi_task": 10)"));
    Quiet quiet;
    model.fit(screen.cells(), screen.design, screen.train, {}, "", quiet, degs);
    return model.history().back().loss_degs;
  };
  compert::Architecture a = screen.architecture();
  const double without = last_loss(a);
  std::vector<int32_t> both;
  for (std::size_t i = 0; i < screen.design.n; ++i) {
    both.push_back(screen.design.covariate[i]);
    both.push_back(static_cast<int32_t>(i % 2));
  }
  screen.design.covariate = both;
  screen.design.n_covariates = 2;
  a.covariate_levels = {Screen::kTypes, 2};
  a.batch_covariate = 1;
  CHECK(last_loss(a) < 2 * without);
}

TEST_CASE("version 2 of chemCPA runs the second task in the adversaries' steps too", "[training]") {
  const Screen screen(false);
  compert::DegTargets degs;
  for (std::size_t i = 0; i < screen.design.n; ++i) degs.group.push_back(screen.design.covariate[i]);
  for (int64_t type = 0; type < 4; ++type) degs.genes.push_back({3 * type, 3 * type + 1, 20 + type});
  // The first step is the adversaries', and there is no other.
  Model model(screen.architecture(), settings_of(R"("epochs": 1, "model": "chemcpa", "parity": "chemcpa_v2",
                                                    "batch_size": 100000, "reg_multi_task": 1,
                                                    "doser_type": "sigm")"));
  const auto before = model.values();
  Quiet quiet;
  model.fit(screen.cells(), screen.design, screen.train, {}, "", quiet, degs);
  const auto after = model.values();
  const auto moved = [&](const std::string& name) { return before.at(name).values != after.at(name).values; };
  CHECK(moved("degs_predictor.network.1.running_mean"));
  CHECK_FALSE(moved("degs_predictor.network.0.weight"));
  CHECK(model.history().back().loss_degs > 0);
}

TEST_CASE("version 2 of chemCPA trains the embeddings of what has no molecule", "[training]") {
  const Screen screen(false);
  compert::Architecture a = screen.architecture();
  a.n_features = 2;
  a.features = {0, 0, 1, 0, 0, 1, 0, 0};
  a.has_features = {1, 1, 1, 0};
  const auto moved = [&](const std::string& parity) {
    Model model(a, settings_of(R"("epochs": 3, "model": "chemcpa", "parity": ")" + parity + "\""));
    const auto before = model.values().at("drug_embeddings.weight").values;
    Quiet quiet;
    model.fit(screen.cells(), screen.design, screen.train, {}, "", quiet);
    return model.values().at("drug_embeddings.weight").values != before;
  };
  CHECK(moved("chemcpa_v2"));
  CHECK_FALSE(moved("chemcpa"));  // in no optimiser there
}

TEST_CASE("weights that the last batch of an epoch breaks are taken back", "[training]") {
  const Screen screen(false);
  for (const char* broken : {R"("autoencoder_lr": 1e37, "embeddings_lr": 1e38)", R"("autoencoder_wd": 1e300)"}) {
    for (const int64_t before : {0, 2}) {
      const std::string one_batch = R"("batch_size": 100000, "epochs": )";
      Model model(screen.architecture(), settings_of(one_batch + "2"));
      Quiet quiet;
      const compert::DenseCells cells = screen.cells();
      if (before > 0) model.fit(cells, screen.design, screen.train, {}, "", quiet);
      const Values kept = values_of(model);
      const auto position = position_of(model);
      model.set_run_settings(settings_of(one_batch + "3, " + broken));
      const compert::FitResult result = model.fit(cells, screen.design, screen.train, {}, "", quiet);
      CHECK(result.stopped == compert::Stopped::kNotFinite);
      CHECK(result.message.find("not finite") != std::string::npos);
      CHECK(model.epochs_done() == before);
      CHECK(position_of(model) == position);
      if (before > 0) CHECK(values_of(model) == kept);
      for (const auto& [name, values] : values_of(model))
        for (const double v : values) REQUIRE(std::isfinite(v));
    }
  }
}

TEST_CASE("the longest cycles of adversaries have the most epochs", "[training]") {
  const Screen screen(false);
  struct First final : compert::Progress {
    void on_epoch(const EpochRecord&, int64_t last_epoch) override { last = last_epoch; }
    bool should_stop() override { return last > 0; }
    int64_t last = 0;
  };
  for (const char* steps : {"3", "100", "1000000", "9000000000000000"}) {
    Model model(screen.architecture(), settings_of(std::string(R"("epochs": 0, "batch_size": 64, "parity": "fb",
        "reg_adversary": 1, "adversary_steps": )") + steps));
    First first;
    model.fit(screen.cells(), screen.design, screen.train, {}, "", first);
    CHECK(first.last == (steps == std::string("3") ? 1500 * 3 / 6 : 2000));  // of 375 cells
  }
}

TEST_CASE("a fit goes on on the device that is asked for", "[training]") {
  const Screen screen(false);
  const Model model = fitted(screen, R"("epochs": 1)");
  const std::vector<uint8_t> state = model.state("");
  compert::Settings run = model.settings();
  CHECK(Model::from_state(state, run).epochs_done() == 1);
  run.device = "cuda:99";
  CHECK_THROWS_AS(Model::from_state(state, run), compert::Error);
  run.device = "cpu";
  run.dim += 1;
  CHECK_THROWS_AS(Model::from_state(state, run), compert::Error);
}
