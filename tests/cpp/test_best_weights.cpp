// Which weights a fit has: those of its best score in checkpoints, after interrupts and when it goes on.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "catch_compat.h"
#include "compert/error.h"
#include "protein_screen.h"

namespace {

using compert::EpochRecord;
using compert::Model;
using compert::Settings;
using proteins::Screen;
using Values = std::vector<std::vector<double>>;

Values values_of(const Model& model) {
  Values out;
  for (const auto& [name, array] : model.values()) out.push_back(array.values);
  return out;
}

/// Every epoch is scored; none is as good as the best unless it is better.
Settings scored(const std::string& more) {
  return proteins::settings(R"("fusion": "poe", "checkpoint_freq": 1, "patience": 100, "best_tolerance": 0,
                               "autoencoder_lr": 0.03, )" + more);
}

struct Checkpoint {
  std::string path = (std::filesystem::temp_directory_path() /
                      ("compert_best_" + std::to_string(std::random_device()()) + ".h5"))
                         .string();
  ~Checkpoint() { std::filesystem::remove(path); }
  std::vector<uint8_t> bytes() const {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
};

}  // namespace

TEST_CASE("a checkpoint has the best weights, and goes on from the last ones", "[training]") {
  const Screen screen(12);
  const Checkpoint checkpoint;
  class Reader final : public compert::Progress {
   public:
    explicit Reader(const Checkpoint& from) : from_(from) {}
    void on_epoch(const EpochRecord& r, int64_t) override {
      states.push_back(from_.bytes());
      const Values now = values_of(Model::for_prediction(states.back()));
      if (r.best) best = now;
      else ++others;
      CHECK(now == best);
    }
    bool should_stop() override { return false; }
    std::vector<std::vector<uint8_t>> states;
    Values best;
    int others = 0;

   private:
    const Checkpoint& from_;
  } reader(checkpoint);
  Settings settings = scored(R"("epochs": 12)");
  settings.checkpoint = checkpoint.path;
  Model whole(screen.architecture(), settings);
  whole.fit(screen.cells(), screen.design, screen.train, screen.plan(), "", reader);
  REQUIRE(reader.others > 1);
  CHECK(values_of(whole) == reader.best);
  for (const std::size_t epochs : {4, 9}) {
    Model rest = Model::from_state(reader.states[epochs - 1]);
    settings.checkpoint.clear();
    settings.epochs = 12 - static_cast<int64_t>(epochs);
    rest.set_run_settings(settings);
    Quiet quiet;
    rest.fit(screen.cells(), screen.design, screen.train, screen.plan(), "", quiet);
    CHECK(values_of(rest) == values_of(whole));
    CHECK(rest.history().back().r2_mean == whole.history().back().r2_mean);
  }
}

TEST_CASE("an interrupt within an epoch leaves the best weights", "[training]") {
  const Screen screen(12);
  struct Stopper final : compert::Progress {
    void on_epoch(const EpochRecord& r, int64_t) override {
      just_best = r.best;
      batches = 0;
    }
    bool should_stop() override { return just_best && batches++ == 1; }
    bool just_best = false;
    int batches = 0;
  } stopper;
  Model model(screen.architecture(), scored(R"("epochs": 12)"));
  const auto plan = screen.plan();
  CHECK(model.fit(screen.cells(), screen.design, screen.train, plan, "", stopper).stopped ==
        compert::Stopped::kInterrupt);
  Model same(screen.architecture(), scored(R"("epochs": )" + std::to_string(model.epochs_done())));
  Quiet quiet;
  same.fit(screen.cells(), screen.design, screen.train, plan, "", quiet);
  CHECK(values_of(model) == values_of(same));
}

TEST_CASE("another stopping metric is compared with itself", "[training]") {
  const Screen screen(12);
  const auto plan = screen.plan();
  Quiet quiet;
  const auto score = [](const EpochRecord& r, bool variances) {
    const double means = r.r2_mean + r.r2_mean_deg + r.r2_mean_protein;
    return variances ? (means + r.r2_var + r.r2_var_deg + r.r2_var_protein) / 6 : means / 3;
  };
  for (const bool first : {false, true}) {
    Settings settings = scored(R"("epochs": 8)");
    settings.stopping_metric = first ? "r2_all" : "r2";
    Model model(screen.architecture(), settings);
    model.fit(screen.cells(), screen.design, screen.train, plan, "", quiet);
    double best = 0;
    for (const EpochRecord& r : model.history())
      if (r.best) best = score(r, !first);  // of the other metric, where the first one was best
    settings.stopping_metric = first ? "r2" : "r2_all";
    model.set_run_settings(settings);
    model.fit(screen.cells(), screen.design, screen.train, plan, "", quiet);
    for (std::size_t k = 8; k < 16; ++k) {
      const EpochRecord& r = model.history()[k];
      CHECK(r.best == (score(r, !first) > best));
      best = std::max(best, score(r, !first));
    }
  }
}

TEST_CASE("best weights that were not kept are not gone back to", "[training]") {
  const Screen screen(12);
  const auto plan = screen.plan();
  Quiet quiet;
  Model model(screen.architecture(), scored(R"("epochs": 6, "restore_best": false)"));
  model.fit(screen.cells(), screen.design, screen.train, plan, "", quiet);
  Settings settings = model.settings();
  settings.restore_best = true;
  settings.epochs = 1;
  model.set_run_settings(settings);
  model.fit(screen.cells(), screen.design, screen.train, plan, "", quiet);
  CHECK(model.best_epoch() == 7);
  CHECK(model.history().back().best);
}
