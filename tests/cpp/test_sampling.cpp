// Which cells an epoch takes: numbers of cells per condition, and reading them ahead where some come again.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "catch_compat.h"
#include "compert/error.h"
#include "data/epoch.h"

using compert::CellBatch;
using compert::Design;
using compert::Random;
using compert::Sampling;
using Cells = std::vector<int64_t>;

namespace {

/// Conditions of so many cells, one after the other: a perturbation each, but the last one is the one before
/// at another dose. Two covariates, the second of which is a batch that changes from cell to cell.
struct Conditions {
  Cells train;
  Design design;
  std::vector<std::size_t> of;  // per cell
  explicit Conditions(const std::vector<std::size_t>& sizes) {
    design.n_covariates = 2;
    for (std::size_t g = 0; g < sizes.size(); ++g)
      for (std::size_t i = 0; i < sizes[g]; ++i) {
        const bool last = g + 1 == sizes.size();
        of.push_back(g);
        design.perturbation.push_back(static_cast<int32_t>(last ? g - 1 : g));
        design.dose.push_back(last ? 0.5 : 1);
        design.covariate.insert(design.covariate.end(), {0, static_cast<int32_t>(i % 2)});
      }
    design.n = of.size();
    train.resize(of.size());
    std::iota(train.begin(), train.end(), 0);
  }
  Sampling sampling(double balance) const { return {train, design, 1, balance}; }
  std::vector<double> numbers(const Cells& cells) const {
    std::vector<double> out(of.back() + 1);
    for (const int64_t c : cells) ++out[of[static_cast<std::size_t>(c)]];
    return out;
  }
};

/// One gene whose value is the cell's number, in blocks, and so full that a window holds few cells.
struct Blocks final : compert::CellSource {
  std::size_t n;
  mutable std::size_t most = 0;  // cells that were asked for at once
  explicit Blocks(std::size_t cells) : n(cells) {}
  std::size_t n_cells() const override { return n; }
  std::size_t n_genes() const override { return 1; }
  double density() const override { return 1e9; }
  std::size_t block() const override { return 50; }
  void fetch(const int64_t* cells, std::size_t count, CellBatch& out) const override {
    out = CellBatch();
    out.n_genes = 1;
    for (std::size_t b = 0; b < count; ++b) {
      out.genes.push_back(0);
      out.values.push_back(static_cast<float>(cells[b]));
      out.offsets.push_back(static_cast<int64_t>(b) + 1);
    }
    most = std::max(most, std::set<int64_t>(cells, cells + count).size() == count ? count : n + 1);
  }
};

Cells read(const compert::ReadAhead& ahead, std::size_t begin, std::size_t n) {
  CellBatch batch;
  ahead.fetch(ahead.order().data() + begin, n, batch);
  return {batch.values.begin(), batch.values.end()};
}

Cells part(const Cells& of, std::size_t begin, std::size_t n) {
  const auto first = of.begin() + static_cast<std::ptrdiff_t>(begin);
  return {first, first + static_cast<std::ptrdiff_t>(n)};
}

}  // namespace

TEST_CASE("without balance an epoch is every training cell once, in the order of its seed", "[sampling]") {
  const Conditions screen({7, 90, 3});
  const compert::DenseCells cells(nullptr, 0, screen.train.size());
  Cells expected = screen.train;
  Random(4 * 0x100000001b3ULL + 9).shuffle(expected);
  CHECK(compert::epoch_order(cells, screen.sampling(0), 4, 9) == expected);
  CHECK(compert::epoch_order(cells, screen.sampling(1), 4, 9) != expected);
}

TEST_CASE("numbers of cells per condition add up, and are what balance says", "[sampling]") {
  const std::vector<std::size_t> sizes = {3, 40, 211, 746, 1};
  const Conditions screen(sizes);
  const double cells = static_cast<double>(screen.train.size());
  for (const double balance : {0.3, 0.5, 1.0}) {
    double total = 0;
    for (const std::size_t n : sizes) total += std::pow(static_cast<double>(n), 1 - balance);
    const Sampling sampling = screen.sampling(balance);
    constexpr int kEpochs = 2000;
    std::vector<double> sum(sizes.size());
    std::size_t wrong = 0;
    for (uint64_t epoch = 0; epoch < kEpochs; ++epoch) {
      Random random(epoch);
      const Cells drawn = sampling.draw(random);
      const std::vector<double> numbers = screen.numbers(drawn);
      REQUIRE(drawn.size() == screen.train.size());
      std::vector<double> times(screen.train.size());
      for (const int64_t c : drawn) ++times[static_cast<std::size_t>(c)];
      for (std::size_t g = 0; g < sizes.size(); ++g) {
        const double share = cells * std::pow(static_cast<double>(sizes[g]), 1 - balance) / total;
        wrong += std::abs(numbers[g] - share) >= 1;
        sum[g] += numbers[g];
      }
      // Whole passes.
      for (std::size_t c = 0; c < times.size(); ++c) {
        const std::size_t g = screen.of[c];
        const double passes = std::floor(numbers[g] / static_cast<double>(sizes[g]));
        wrong += times[c] != passes && times[c] != passes + 1;
      }
    }
    CHECK(wrong == 0);
    for (std::size_t g = 0; g < sizes.size(); ++g) {
      const double share = cells * std::pow(static_cast<double>(sizes[g]), 1 - balance) / total;
      CHECK(std::abs(sum[g] / kEpochs - share) < 0.03);
    }
  }
  Random one(5), same(5), other(6);
  const Sampling sampling = screen.sampling(1);
  const Cells drawn = sampling.draw(one);
  CHECK(drawn == sampling.draw(same));
  CHECK(drawn != sampling.draw(other));
  // Equal conditions: no cell comes twice.
  const Conditions even({20, 20, 20});
  Cells all = even.sampling(1).draw(one);
  std::sort(all.begin(), all.end());
  CHECK(all == even.train);
}

TEST_CASE("the batch is no part of a condition, other covariates are", "[sampling]") {
  const Conditions screen({30, 60, 90});
  Random random(1);
  const auto of_covariates = [&](int64_t batch) {
    return screen.numbers(Sampling(screen.train, screen.design, batch, 1).draw(random));
  };
  CHECK(of_covariates(1) == std::vector<double>{60, 60, 60});
  // Either covariate alone splits the others' conditions into the same ones or halves.
  CHECK(of_covariates(-1) == std::vector<double>{60, 60, 60});
  Design uneven = screen.design;
  for (std::size_t i = 0; i < 30; ++i) uneven.covariate[2 * i + 1] = 0;
  CHECK(screen.numbers(Sampling(screen.train, uneven, -1, 1).draw(random)) == std::vector<double>{36, 72, 72});
  CHECK(screen.numbers(Sampling(screen.train, uneven, 1, 1).draw(random)) == std::vector<double>{60, 60, 60});
}

TEST_CASE("reading ahead knows cells that come again", "[sampling]") {
  const Conditions screen({5, 20000, 3000, 40});
  const Blocks source(screen.train.size());
  const Sampling sampling = screen.sampling(1);
  const std::size_t window = compert::window_of(source), n = screen.train.size();
  REQUIRE(window == 4096);
  compert::ReadAhead ahead(source, sampling, 301, 1, 2);
  const Cells order = ahead.order();
  CHECK(order == compert::epoch_order(source, sampling, 1, 2));
  CHECK(order != compert::epoch_order(source, sampling, 1, 3));
  for (const double number : screen.numbers(order)) CHECK(std::abs(number - static_cast<double>(n) / 4) < 1);
  // Those of few cells, which are one block of the file, are all over the epoch.
  for (std::size_t begin = 0; begin + window <= n; begin += window) {
    const double rare = screen.numbers(part(order, begin, window))[0] / static_cast<double>(window);
    CHECK(rare > 0.15);
    CHECK(rare < 0.35);
  }
  const auto read_all_but = [&](std::size_t left) {
    for (std::size_t begin = 0; begin + left < n; begin += 301) {
      const std::size_t size = std::min<std::size_t>(301, n - begin);
      CHECK(read(ahead, begin, size) == part(ahead.order(), begin, size));
    }
  };
  read_all_but(0);
  CellBatch batch;
  CHECK_THROWS_AS(ahead.fetch(order.data(), 10, batch), compert::Error);
  ahead.next_epoch();
  CHECK(ahead.order() == compert::epoch_order(source, sampling, 1, 3));
  read_all_but(2 * window);
  ahead.next_epoch();
  read_all_but(0);
  CHECK(source.most <= window);

  SECTION("a process reads its share of every batch") {
    for (const std::size_t rank : {0, 1, 2}) {
      compert::ReadAhead own(source, sampling, 301, 1, 2);
      for (std::size_t begin = 0; begin + 301 <= n; begin += 301)
        CHECK(read(own, begin + 100 * rank, 100) == part(order, begin + 100 * rank, 100));
      own.next_epoch();
      CHECK(read(own, 0, 7) == part(own.order(), 0, 7));
    }
  }
}
