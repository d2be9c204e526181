// A time limit: it ends training within an epoch, with the weights that an interrupt leaves there.
#include <chrono>
#include <cmath>
#include <thread>

#include "catch_compat.h"
#include "protein_screen.h"

namespace {

using compert::EpochRecord;
using compert::Model;
using compert::Stopped;
using proteins::Screen;
using Values = std::vector<std::vector<double>>;

constexpr int64_t kBatches = 7;  // of 84 training cells

Values values_of(const Model& model) {
  Values out;
  for (const auto& [name, array] : model.values()) out.push_back(array.values);
  return out;
}

compert::Settings timed(const std::string& more) {
  return proteins::settings(R"("batch_size": 12, "patience": 100, "max_minutes": 0.017, )" + more);
}

void pause(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

/// Before one batch, counted from 0, lets more time pass than there is, or asks to stop.
struct Before final : compert::Progress {
  Before(int64_t batch, bool asks) : at(batch), stops(asks) {}
  void on_epoch(const EpochRecord&, int64_t) override {}
  bool should_stop() override {
    if (asked++ != at) return false;
    if (!stops) pause(1.05);
    return stops;
  }
  int64_t at, asked = 0;
  bool stops;
};

}  // namespace

TEST_CASE("a time limit ends training between two steps, with what an interrupt leaves there", "[training]") {
  const Screen screen(12);
  const auto cells = screen.cells();
  const auto plan = screen.plan();
  for (const int64_t batches : {int64_t{3}, kBatches + 3}) {
    const compert::Settings settings = timed(R"("epochs": 4, "checkpoint_freq": 1)");
    Model late(screen.architecture(), settings), stopped(screen.architecture(), settings);
    Before time(batches, false), interrupt(batches, true);
    const auto result = late.fit(cells, screen.design, screen.train, plan, "", time);
    CHECK(result.stopped == Stopped::kMinutes);
    CHECK(result.batches == 3);
    CHECK(late.epochs_done() == batches / kBatches);
    const auto other = stopped.fit(cells, screen.design, screen.train, plan, "", interrupt);
    CHECK(other.stopped == Stopped::kInterrupt);
    CHECK(other.batches == 3);
    CHECK(values_of(late) == values_of(stopped));
    Model begun(screen.architecture(), settings);
    Before first(0, true);
    CHECK(begun.fit(cells, screen.design, screen.train, plan, "", first).batches == 0);
    CHECK(values_of(late) != values_of(begun));
    // What was not ended is begun again.
    compert::Settings more = settings;
    more.epochs = 1;
    more.max_minutes = 0;
    late.set_run_settings(more);
    Quiet quiet;
    CHECK(late.fit(cells, screen.design, screen.train, plan, "", quiet).batches == 0);
    CHECK(late.epochs_done() == batches / kBatches + 1);
  }
}

TEST_CASE("the last epoch before a time limit is scored, whatever the grid", "[training]") {
  const Screen screen(12);
  struct Slow final : compert::Progress {
    void on_epoch(const EpochRecord& r, int64_t) override {
      scored.push_back(!std::isnan(r.r2_mean));
      pause(0.3);
    }
    bool should_stop() override { return false; }
    std::vector<bool> scored;
  } slow;
  Model model(screen.architecture(), timed(R"("epochs": 1000, "checkpoint_freq": 1000)"));
  const auto result = model.fit(screen.cells(), screen.design, screen.train, screen.plan(), "", slow);
  CHECK(result.stopped == Stopped::kMinutes);
  REQUIRE(slow.scored.size() > 1);
  CHECK(slow.scored.back());
  CHECK_FALSE(slow.scored.front());
}

TEST_CASE("weights that a step within an epoch breaks are not kept", "[training]") {
  const Screen screen(12);
  Model model(screen.architecture(), timed(R"("epochs": 2, "autoencoder_wd": 1e300)"));
  Before interrupt(1, true);
  const auto result = model.fit(screen.cells(), screen.design, screen.train, {}, "", interrupt);
  CHECK(result.stopped == Stopped::kNotFinite);
  CHECK(result.batches == 0);
  for (const auto& values : values_of(model))
    for (const double v : values) REQUIRE(std::isfinite(v));
}
