// Agreement of the metrics with golden files metrics_fb*.h5: what facebookresearch/CPA
// (cpa/train.py evaluate_r2, cpa/helper.py) computed from the arrays in the same file. The
// predictions of its evaluate_r2 are taken from the file; the model behind them is another test.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "catch_compat.h"
#include "compert/cells.h"
#include "compert/metrics.h"
#include "compert/statistics.h"
#include "golden_file.h"

namespace {

using golden::Array;
using golden::Tally;
using Vector = std::vector<double>;

constexpr double kDouble = 1e-9;       // computed by the reference in double precision
constexpr double kSingle = 1e-5;       // computed by the reference in single precision
constexpr double kSingleUlp = 1.2e-7;  // spacing of single precision numbers around 1
constexpr std::size_t kMinCells = 30;  // evaluate_r2 leaves out conditions that do not exceed this

/// What all groups of one file share.
struct Screen {
  std::vector<std::string> categories;      // in the order of the file
  std::vector<std::vector<int64_t>> cells;  // of each condition
  std::vector<std::vector<int64_t>> degs;

  explicit Screen(const golden::File& file) {
    categories = file.read_strings("inputs/categories");
    const std::vector<std::string> of_cell = file.read_strings("inputs/pert_category");
    const Array index = file.read("inputs/de_gene_index");
    cells.resize(categories.size());
    for (std::size_t k = 0; k < categories.size(); ++k) {
      for (std::size_t c = 0; c < of_cell.size(); ++c) {
        if (of_cell[c] == categories[k]) cells[k].push_back(static_cast<int64_t>(c));
      }
      std::vector<int64_t> genes;
      for (std::size_t j = 0; j < index.cols(); ++j) {
        genes.push_back(static_cast<int64_t>(index.at(k, j)));
      }
      degs.push_back(genes);
    }
  }

  std::size_t position(const std::string& category) const {
    const auto at = std::find(categories.begin(), categories.end(), category);
    REQUIRE(at != categories.end());
    return static_cast<std::size_t>(at - categories.begin());
  }
};

/// Mean and population variance over cells (rows of a cells x genes array, which is the memory
/// of a genes x cells matrix).
compert::GroupStats stats(const Array& x, const std::vector<int64_t>& cells) {
  return compert::stats_of(compert::DenseCells(x.values.data(), x.cols(), x.rows()), cells);
}

/// Chosen cells and genes, one cell after the other.
Vector cut(const Array& x, const std::vector<int64_t>& cells, const std::vector<int64_t>& genes) {
  Vector out;
  for (int64_t c : cells) {
    for (int64_t g : genes) {
      out.push_back(x.at(static_cast<std::size_t>(c), static_cast<std::size_t>(g)));
    }
  }
  return out;
}

/// The reference's way with its own predictions: -1 for a condition that is left out.
void check_evaluate_r2(const golden::File& file, const Screen& screen,
                       const std::string& precision, double tolerance, Tally& tally) {
  const Array genes = file.read("inputs/genes");
  Vector by_category;
  std::vector<compert::R2Scores> kept;
  for (std::size_t k = 0; k < screen.categories.size(); ++k) {
    if (screen.cells[k].size() <= kMinCells) {
      by_category.insert(by_category.end(), 4, -1.0);
      continue;
    }
    const std::string at = precision + "/prediction_mean_over_controls/" + screen.categories[k];
    const compert::GroupStats truth = stats(genes, screen.cells[k]);
    const compert::R2Scores s =
        compert::r2_scores(truth.mean, truth.variance, file.read(at + "/mean").values,
                           file.read(at + "/variance").values, screen.degs[k]);
    kept.push_back(s);
    by_category.insert(by_category.end(), {s.mean, s.mean_deg, s.variance, s.variance_deg});
  }
  tally.add("evaluate_r2_per_category " + precision, file.stem(), by_category,
            file.read(precision + "/evaluate_r2_per_category").values, tolerance);
  Vector all(4, -1.0);
  if (!kept.empty()) {
    const compert::R2Scores mean = compert::average(kept);
    all = {mean.mean, mean.mean_deg, mean.variance, mean.variance_deg};
  }
  tally.add("evaluate_r2 " + precision, file.stem(), all,
            file.read(precision + "/evaluate_r2").values, tolerance);
}

/// The r2 of helper.py for one condition: predicted variance = variance over cells of the sampled
/// predictions, or (not sampled) of the layer of predicted variances, as the reference has it.
Vector adata_r2(const golden::File& file, const Screen& screen, std::size_t k, bool sampled) {
  const compert::GroupStats truth = stats(file.read("adata_metrics/truth"), screen.cells[k]);
  const compert::GroupStats predicted =
      stats(file.read("adata_metrics/prediction"), screen.cells[k]);
  const compert::GroupStats layer =
      stats(file.read("adata_metrics/variance_layer"), screen.cells[k]);
  const compert::R2Scores s =
      compert::r2_scores(truth.mean, truth.variance, predicted.mean,
                         sampled ? predicted.variance : layer.variance, screen.degs[k]);
  return {s.mean, s.mean_deg, s.variance, s.variance_deg};
}

void check_adata_r2(const golden::File& file, const Screen& screen, Tally& tally) {
  const std::vector<std::string> rows = file.read_strings("adata_metrics/row_order");
  for (const bool sampled : {true, false}) {
    const std::string name = sampled ? "evaluate_r2__sampled" : "evaluate_r2__notsampled";
    std::vector<Vector> columns(4);
    for (const std::string& row : rows) {
      const Vector one = adata_r2(file, screen, screen.position(row), sampled);
      for (std::size_t j = 0; j < 4; ++j) columns[j].push_back(one[j]);
    }
    const std::vector<std::string> names = {"r2_mean", "r2_mean_deg", "r2_var", "r2_var_deg"};
    for (std::size_t j = 0; j < 4; ++j) {
      tally.add("adata " + name, file.stem() + " " + names[j], columns[j],
                file.read("adata_metrics/values/" + name + "/" + names[j]).values, kSingle);
    }
  }
}

/// The reference's MMD is a difference of three means held in single precision, each near the
/// number of kernels. Their rounding does not shrink with the difference, so the tolerance is
/// never below one unit in the last place of their sum.
double mmd_tolerance(const Vector& x, const Vector& y, std::size_t dim, double largest) {
  const compert::Points px{x.data(), x.size() / dim, dim}, py{y.data(), y.size() / dim, dim};
  const Vector zero(dim, 0.0);
  double held = 0;
  for (const compert::Points& side : {px, py}) {
    double sum = 0;
    for (std::size_t i = 0; i < side.n; ++i) {
      for (std::size_t j = 0; j < side.n; ++j) {
        double squared = 0;
        for (std::size_t d = 0; d < dim; ++d) {
          const double e = side.values[i * dim + d] - side.values[j * dim + d];
          squared += e * e;
        }
        sum += compert::mixture_kernel(squared, compert::mmd_bandwidths());
      }
    }
    held += 2 * sum / static_cast<double>(side.n * side.n);
  }
  return std::max(kSingle, kSingleUlp * held / largest);
}

void check_adata_distances(const golden::File& file, const Screen& screen, Tally& tally) {
  const Array truth = file.read("adata_metrics/truth");
  const Array prediction = file.read("adata_metrics/prediction");
  const std::vector<std::string> rows = file.read_strings("adata_metrics/row_order");
  std::vector<int64_t> every_gene(truth.cols());
  for (std::size_t g = 0; g < every_gene.size(); ++g) every_gene[g] = static_cast<int64_t>(g);
  for (const bool deg : {false, true}) {
    const std::string suffix = deg ? "_deg" : "";
    const Array mmd = file.read("adata_metrics/values/evaluate_mmd/mmd" + suffix);
    const Array emd = file.read("adata_metrics/values/evaluate_emd/emd" + suffix);
    const double largest = *std::max_element(mmd.values.begin(), mmd.values.end());
    REQUIRE(mmd.size() == rows.size());
    Vector ours;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const std::size_t k = screen.position(rows[r]);
      const std::vector<int64_t>& genes = deg ? screen.degs[k] : every_gene;
      const Vector x = cut(truth, screen.cells[k], genes);
      const Vector y = cut(prediction, screen.cells[k], genes);
      const compert::Points px{x.data(), screen.cells[k].size(), genes.size()};
      const compert::Points py{y.data(), screen.cells[k].size(), genes.size()};
      ours.push_back(compert::wasserstein(px, py));
      tally.add("adata evaluate_mmd", file.stem() + " mmd" + suffix + " " + rows[r],
                std::fabs(compert::mmd(px, py) - mmd.values[r]) / largest,
                mmd_tolerance(x, y, genes.size(), largest));
    }
    tally.add("adata evaluate_emd", file.stem() + " emd" + suffix, ours, emd.values, kSingle);
  }
}

void check_kernel(const golden::File& file, Tally& tally) {
  const Array x = file.read("mmd_kernel/x"), y = file.read("mmd_kernel/y");
  const Vector alphas = file.read("mmd_kernel/alphas").values;
  const Array squared = file.read("mmd_kernel/pairwise_sq");
  Vector kernel, distance;
  for (std::size_t j = 0; j < y.rows(); ++j) {
    for (std::size_t i = 0; i < x.rows(); ++i) {
      // The energy distance of two single points is twice their distance.
      const compert::Points a{&x.values[i * x.cols()], 1, x.cols()};
      const compert::Points b{&y.values[j * y.cols()], 1, y.cols()};
      distance.push_back(std::pow(compert::energy_distance(a, b) / 2, 2));
      kernel.push_back(compert::mixture_kernel(distance.back(), alphas));
    }
  }
  tally.add("mmd_kernel", file.stem() + " pairwise_sq", distance, squared.values, kDouble);
  tally.add("mmd_kernel", file.stem() + " kernel", kernel, file.read("mmd_kernel/kernel").values,
            kDouble);
  // mmd() of two single points: 2 k(0) - 2 k(distance), with the same kernels.
  for (std::size_t j = 0; j < y.rows(); ++j) {
    const compert::Points a{&x.values[0], 1, x.cols()}, b{&y.values[j * y.cols()], 1, y.cols()};
    const double k = file.read("mmd_kernel/kernel").at(j, 0);
    tally.add("mmd_kernel", file.stem() + " mmd", {compert::mmd(a, b, alphas)},
              {2 * static_cast<double>(alphas.size()) - 2 * k}, kDouble);
  }
}

}  // namespace

TEST_CASE("metrics agree with every golden file metrics_fb*.h5", "[golden][metrics]") {
  const std::vector<std::string> paths = golden::files("metrics_fb");
  INFO("directory: " << golden::directory());
  REQUIRE_FALSE(paths.empty());
  Tally tally;
  for (const std::string& path : paths) {
    const golden::File file(path);
    const Screen screen(file);
    check_evaluate_r2(file, screen, "f64", kDouble, tally);
    if (file.has("f32")) check_evaluate_r2(file, screen, "f32", kSingle, tally);
    check_adata_r2(file, screen, tally);
    check_adata_distances(file, screen, tally);
    check_kernel(file, tally);
  }
  std::cout << "metrics, " << paths.size() << " golden file(s)\n" << tally.table() << std::flush;
  CHECK(tally.count() >= 8 * paths.size());
  CHECK(tally.failures() == 0);
}
