// Agreement of the metrics with golden files metrics_chem*.h5: what theislab/chemCPA
// (chemCPA/train.py) computed from the cells and parameters in the same file.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include "catch_compat.h"
#include "compert/cells.h"
#include "compert/metrics.h"
#include "compert/statistics.h"
#include "golden_chem.h"
#include "golden_file.h"

namespace {

using golden::Array;
using golden::Tally;
using Vector = std::vector<double>;

constexpr double kDouble = 1e-9;
constexpr double kLimit = 3e12;       // predictions are cut here
constexpr std::size_t kMinCells = 5;  // conditions that do not exceed this are left out
constexpr double kFlat = compert::kTorchmetricsFlat;

/// One condition with its cells, its DEGs and what it is.
struct Condition {
  std::vector<int64_t> cells, degs;
  std::size_t drug = 0, cell_type = 0;
  double dose = 0;
};

struct Screen {
  Array genes, controls;
  std::vector<int64_t> control_type;
  std::vector<Condition> conditions;

  explicit Screen(const golden::File& file)
      : genes(file.read("inputs/genes")), controls(file.read("inputs/genes_control")) {
    for (double type : file.read("inputs/control_cell_type").values) {
      control_type.push_back(static_cast<int64_t>(type));
    }
    const std::vector<std::string> of_cell = file.read_strings("inputs/pert_category");
    const Array degs = file.read("inputs/de_gene_index"), drug = file.read("inputs/drugs_idx"),
                dose = file.read("inputs/dosages"), type = file.read("inputs/cell_type");
    const std::vector<std::string> names = file.read_strings("inputs/categories");
    for (std::size_t k = 0; k < names.size(); ++k) {
      Condition one;
      for (std::size_t c = 0; c < of_cell.size(); ++c) {
        if (of_cell[c] == names[k]) one.cells.push_back(static_cast<int64_t>(c));
      }
      REQUIRE_FALSE(one.cells.empty());
      const std::size_t first = static_cast<std::size_t>(one.cells[0]);
      one.drug = static_cast<std::size_t>(drug.values[first]);
      one.dose = dose.values[first];
      one.cell_type = static_cast<std::size_t>(type.values[first]);
      for (std::size_t j = 0; j < degs.cols(); ++j) {
        one.degs.push_back(static_cast<int64_t>(degs.at(k, j)));
      }
      conditions.push_back(one);
    }
  }

  /// Controls of one cell type, cells x genes.
  Vector controls_of(std::size_t type) const {
    Vector out;
    for (std::size_t c = 0; c < control_type.size(); ++c) {
      if (control_type[c] != static_cast<int64_t>(type)) continue;
      for (std::size_t g = 0; g < controls.cols(); ++g) out.push_back(controls.at(c, g));
    }
    return out;
  }

  /// The condition's own cells, cells x genes.
  Vector cells_of(const Condition& one) const {
    Vector out;
    for (int64_t c : one.cells) {
      for (std::size_t g = 0; g < genes.cols(); ++g) {
        out.push_back(genes.at(static_cast<std::size_t>(c), g));
      }
    }
    return out;
  }
};

/// Means per gene of cells x genes. In double precision throughout: predictions are no cells,
/// which are read in single precision.
Vector means(const Vector& x, std::size_t n_genes) {
  Vector out(n_genes);
  for (std::size_t i = 0; i < x.size(); ++i) out[i % n_genes] += x[i];
  for (double& v : out) v *= static_cast<double>(n_genes) / static_cast<double>(x.size());
  return out;
}

/// Variances of observed cells with denominator n - 1.
Vector variances(const Vector& x, std::size_t n_genes) {
  const std::size_t n = x.size() / n_genes;
  Vector v =
      compert::group_stats(compert::DenseCells(x.data(), n_genes, n), std::vector<int32_t>(n, 0), 1)
          .variance;
  for (double& value : v) value *= static_cast<double>(n) / static_cast<double>(n - 1);
  return v;
}

Vector pick(const Vector& x, const std::vector<int64_t>& genes) {
  Vector out;
  for (int64_t g : genes) out.push_back(x[static_cast<std::size_t>(g)]);
  return out;
}

Vector cut(Vector x) {
  for (double& v : x) v = std::max(-kLimit, std::min(kLimit, v));
  return x;
}

/// Mean of each of the `width` entries over conditions, NaN left out.
Vector average(const Vector& values, std::size_t width) {
  Vector sum(width), n(width);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) continue;
    sum[i % width] += values[i];
    n[i % width] += 1;
  }
  for (std::size_t j = 0; j < width; ++j) sum[j] /= n[j];
  return sum;
}

/// compute_prediction: the controls under the perturbation of the first cell.
void check_prediction(const golden::File& file, const Screen& screen, const golden::ChemModel& network,
                      Tally& tally) {
  const golden::Prediction ours = network.predict(
      screen.controls.values, static_cast<std::size_t>(file.read("inputs/drugs_idx").values[0]),
      file.read("inputs/dosages").values[0],
      static_cast<std::size_t>(file.read("inputs/cell_type").values[0]));
  tally.add("compute_prediction", file.stem() + " mean", ours.mean,
            file.read("f64/compute_prediction_row0_mean").values, kDouble);
  tally.add("compute_prediction", file.stem() + " variance", ours.variance,
            file.read("f64/compute_prediction_row0_variance").values, kDouble);
}

/// Four scores per condition, negative ones set to 0; all controls are fed in. The lists of DEGs
/// are the same under both kinds of keys.
void check_r2(const golden::File& file, const Screen& screen, const golden::ChemModel& network,
              Tally& tally) {
  const std::size_t n_genes = screen.genes.cols();
  Vector rows;  // condition after condition
  for (const Condition& one : screen.conditions) {
    if (one.cells.size() <= kMinCells) {
      rows.insert(rows.end(), 4, std::numeric_limits<double>::quiet_NaN());
      continue;
    }
    const golden::Prediction p =
        network.predict(screen.controls.values, one.drug, one.dose, one.cell_type);
    const Vector truth = screen.cells_of(one);
    const compert::R2Scores s = compert::r2_scores(
        means(truth, n_genes), variances(truth, n_genes), cut(means(p.mean, n_genes)),
        cut(means(p.variance, n_genes)), one.degs, kFlat);
    for (double v : {s.mean, s.mean_deg, s.variance, s.variance_deg}) {
      rows.push_back(std::max(v, 0.0));
    }
  }
  tally.add("evaluate_r2 per category", file.stem(), rows,
            file.read("f64/evaluate_r2_per_category").values, kDouble);
  for (const std::string keys : {"full", "celldrug"}) {
    tally.add("evaluate_r2", file.stem() + " " + keys, average(rows, 4),
              file.read("f64/evaluate_r2_" + keys + "_keys").values, kDouble);
  }
}

/// Controls of the same cell type are fed in and are the folds' base.
void check_log_fold(const golden::File& file, const Screen& screen, const golden::ChemModel& network,
                    Tally& tally) {
  const std::size_t n_genes = screen.genes.cols();
  Vector rows;
  for (const Condition& one : screen.conditions) {
    if (one.cells.size() <= kMinCells) continue;
    const Vector controls = screen.controls_of(one.cell_type);
    const Vector base = pick(means(controls, n_genes), one.degs);
    const Vector predicted =
        means(network.predict(controls, one.drug, one.dose, one.cell_type).mean, n_genes);
    const Vector truth =
        compert::log_fold(pick(means(screen.cells_of(one), n_genes), one.degs), base);
    const Vector fold = compert::log_fold(pick(predicted, one.degs), base);
    rows.push_back(compert::r2(truth, fold, kFlat));
    rows.push_back(compert::sign_agreement(truth, fold));
  }
  tally.add("evaluate_logfold_r2", file.stem(), average(rows, 2),
            file.read("f64/evaluate_logfold_r2").values, kDouble);
}

/// The treated cells pass through the network themselves and are compared one by one.
void check_cells(const golden::File& file, const Screen& screen, const golden::ChemModel& network,
                 Tally& tally) {
  const std::size_t n_genes = screen.genes.cols();
  std::vector<int64_t> every(n_genes);
  for (std::size_t g = 0; g < n_genes; ++g) every[g] = static_cast<int64_t>(g);
  Vector rows;
  for (const Condition& one : screen.conditions) {
    if (one.cells.size() <= kMinCells) continue;
    const Vector truth = screen.cells_of(one);
    const golden::Prediction p = network.predict(truth, one.drug, one.dose, one.cell_type);
    const compert::Points observed{truth.data(), one.cells.size(), n_genes};
    const compert::Points predicted{p.mean.data(), one.cells.size(), n_genes};
    const Vector v = variances(truth, n_genes), q = means(p.variance, n_genes);
    rows.push_back(compert::cell_r2(observed, predicted, every, kFlat));
    rows.push_back(compert::cell_r2(observed, predicted, one.degs, kFlat));
    rows.push_back(compert::r2(v, q, kFlat));
    rows.push_back(compert::r2(pick(v, one.degs), pick(q, one.degs), kFlat));
  }
  tally.add("evaluate_r2_sc", file.stem(), average(rows, 4), file.read("f64/evaluate_r2_sc").values,
            kDouble);
}

/// compute_r2: predictions cut, sums of squares near 0 taken for 0.
void check_pairs(const golden::File& file, Tally& tally) {
  const Vector expected = file.read("f64/compute_r2").values;
  const std::vector<std::string> pairs = file.children("compute_r2_pairs");
  REQUIRE(pairs.size() == expected.size());
  for (std::size_t k = 0; k < pairs.size(); ++k) {
    const std::string at = "compute_r2_pairs/" + pairs[k];
    const double ours =
        compert::r2(file.read(at + "/y_true").values, cut(file.read(at + "/y_pred").values), kFlat);
    tally.add("compute_r2", file.stem() + " " + pairs[k], {ours}, {expected[k]}, kDouble);
  }
}

}  // namespace

TEST_CASE("metrics agree with every golden file metrics_chem*.h5", "[golden][metrics]") {
  const std::vector<std::string> paths = golden::files("metrics_chem");
  INFO("directory: " << golden::directory());
  REQUIRE_FALSE(paths.empty());
  Tally tally;
  for (const std::string& path : paths) {
    const golden::File file(path);
    const Screen screen(file);
    const golden::ChemModel network(file);
    check_prediction(file, screen, network, tally);
    check_r2(file, screen, network, tally);
    check_log_fold(file, screen, network, tally);
    check_cells(file, screen, network, tally);
    check_pairs(file, tally);
  }
  std::cout << "chemCPA's metrics, " << paths.size() << " golden file(s)\n"
            << tally.table() << std::flush;
  CHECK(tally.count() >= 15 * paths.size());
  CHECK(tally.failures() == 0);
}
