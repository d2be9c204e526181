#include "matching.h"

#include <algorithm>
#include <map>

#include "../data/row_groups.h"
#include "compert/statistics.h"
#include "product.h"
#include "shared_rows.h"

namespace compert {
namespace {

constexpr double kPseudoCount = 0.05;    // in logarithms of mean counts
constexpr double kSmallVariance = 0.01;  // added to a gene's variance
constexpr double kNoVariance = 1e-12;    // of the largest: rounding of what is constant
constexpr int64_t kGroupsAtATime = 8;
constexpr double kHalfWeight = 100;      // cells at which a difference weighs half

/// Means of the continuous covariates over the cells of each group, groups x covariates.
std::vector<double> group_means(const Design& design, const std::vector<int64_t>& cells,
                                const std::vector<int64_t>& group, std::size_t n_groups) {
  const std::size_t k = design.n_continuous;
  std::vector<double> sum(n_groups * k), size(n_groups);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto g = static_cast<std::size_t>(group[i]), cell = static_cast<std::size_t>(cells[i]);
    ++size[g];
    for (std::size_t v = 0; v < k; ++v) sum[g * k + v] += design.continuous[cell * k + v];
  }
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] /= size[i / k];
  return sum;
}

}  // namespace

void NormalisedCells::fetch(const int64_t* cells, std::size_t n, CellBatch& out) const {
  cells_.fetch(cells, n, out);
  for (std::size_t b = 0; b < n; ++b) {
    // Rows are in ascending order.
    const auto first = out.genes.begin() + out.offsets[b], last = out.genes.begin() + out.offsets[b + 1];
    const auto begin = out.values.begin() + out.offsets[b];
    const auto end = begin + (std::lower_bound(first, last, n_genes_) - first);
    double total = 0;
    for (auto v = begin; v != end; ++v) total += *v;
    if (total <= 0) continue;
    const double factor = goal_ / total;
    std::transform(begin, end, begin, [factor](float v) { return static_cast<float>(v * factor); });
  }
}

EffectMatching::EffectMatching(const Network& network, const CellSource& cells,
                               const Design& design, const std::vector<int64_t>& train,
                               int64_t targets, bool shrinkage)
    : network_(network), targets_(targets), shrinkage_(shrinkage), group_(cells.n_cells(), -1) {
  const RowGroups groups = row_groups(design.rows(train.data(), train.size()), true);
  for (std::size_t i = 0; i < train.size(); ++i)
    group_[static_cast<std::size_t>(train[i])] = static_cast<int32_t>(groups.condition[i]);
  stratum_of_.assign(groups.stratum_of.begin(), groups.stratum_of.end());
  std::vector<int64_t> first;  // a cell of each group
  for (const std::size_t row : groups.first) first.push_back(train[row]);
  conditions_ = design.rows(first.data(), first.size());
  conditions_.continuous = group_means(design, train, groups.condition, first.size());
  in_stratum_.resize(static_cast<std::size_t>(groups.n_strata));
  for (std::size_t g = 0; g < first.size(); ++g)
    in_stratum_[static_cast<std::size_t>(stratum_of_[g])].push_back(static_cast<int32_t>(g));
  inverse_size_.resize(first.size());
  for (const int64_t g : groups.condition) ++inverse_size_[static_cast<std::size_t>(g)];
  for (double& n : inverse_size_) n = 1 / n;
  genes_ = observe(cells, design, train, kRna);
  if (network.proteins() != nullptr) proteins_ = observe(cells, design, train, kProteins);
}

EffectMatching::Observed EffectMatching::observe(const CellSource& cells, const Design& design,
                                                 const std::vector<int64_t>& train,
                                                 uint8_t modality) const {
  const int64_t genes = network_.architecture().n_genes, groups = static_cast<int64_t>(conditions_.n),
                rows = static_cast<int64_t>(cells.n_genes());
  const bool rna = modality == kRna;
  const bool log = rna ? network_.head().counts() : network_.proteins()->counts();
  const double pseudo_count = rna ? kPseudoCount : 1;
  std::vector<int32_t> group = group_;
  for (std::size_t i = 0; i < design.measured.size(); ++i)
    if (!(design.measured[i] & modality)) group[i] = -1;
  const NormalisedCells even(
      cells, log && rna ? network_.mean_library().item<double>() : 1, genes);
  const CellSource& scaled = log && rna ? static_cast<const CellSource&>(even) : cells;
  const GroupStats by_group = group_stats(scaled, group, conditions_.n),
                   overall = stats_of(scaled, measured_in(train, design, modality));
  const int64_t begin = rna ? 0 : genes, n = rna ? genes : rows - genes;
  // What does not vary says nothing of effects; genes' scale is known, and their weight bounded by it.
  const double most = rna || log ? 0 : *std::max_element(overall.variance.begin() + begin,
                                                         overall.variance.begin() + begin + n);
  std::vector<double> weight;
  for (auto g = static_cast<std::size_t>(begin); g < static_cast<std::size_t>(begin + n); ++g) {
    const double m = log ? overall.mean[g] + (rna ? 0 : pseudo_count) : 1;
    // Proteins may be on any scale.
    const double small = rna ? 1 : log ? m * m : overall.variance[g];
    const bool varies = rna || log || overall.variance[g] > kNoVariance * most;
    weight.push_back(varies ? m * m / (overall.variance[g] + kSmallVariance * small + 1e-12) : 0);
  }
  Observed out;
  const std::vector<double> mean =
      shrinkage_ ? shrunken_means(by_group, stratum_of_) : by_group.mean;
  out.mean = to_tensor({{groups, rows}, mean}).narrow(1, begin, n);
  out.unknown = out.mean.isnan().any(1, true).to(network_.options());
  if (log) out.mean = (out.mean + pseudo_count).log();
  out.mean = out.mean.nan_to_num(0).contiguous().to(network_.options());
  out.weight = to_tensor({{n}, weight}).to(network_.options());
  return out;
}

std::vector<int64_t> measured_in(const std::vector<int64_t>& cells, const Design& design,
                                 uint8_t modality) {
  if (design.measured.empty()) return cells;
  std::vector<int64_t> out;
  for (const int64_t i : cells)
    if (design.measured[static_cast<std::size_t>(i)] & modality) out.push_back(i);
  return out;
}

void EffectMatching::draw(const int64_t* which, std::size_t n, Random& random, Draw& out) const {
  out.any = false;
  // Up to `targets_` conditions of each stratum in the batch, drawn when its first cell is met.
  std::map<int32_t, std::vector<int32_t>> drawn;
  std::vector<int64_t> other(n);              // group that a cell is decoded under
  std::map<int32_t, std::vector<int64_t>> members;
  for (std::size_t i = 0; i < n; ++i) {
    const int32_t own = group_[static_cast<std::size_t>(which[i])];
    if (own < 0) continue;
    const int32_t stratum = stratum_of_[static_cast<std::size_t>(own)];
    auto found = drawn.find(stratum);
    if (found == drawn.end()) {
      std::vector<int32_t> choice = in_stratum_[static_cast<std::size_t>(stratum)];
      random.shuffle(choice);
      if (static_cast<int64_t>(choice.size()) > targets_)
        choice.resize(static_cast<std::size_t>(targets_));
      found = drawn.emplace(stratum, std::move(choice)).first;
    }
    const int32_t target = found->second[random.below(found->second.size())];
    other[i] = target;
    members[target].push_back(static_cast<int64_t>(i));
  }
  std::vector<int64_t> targets, own_groups;
  for (const auto& [target, cells] : members)
    if (cells.size() >= 2) targets.push_back(target);
  if (targets.empty()) return;
  std::map<int32_t, int64_t> column;  // of the groups that the batch's cells belong to
  for (std::size_t i = 0; i < n; ++i) {
    const int32_t own = group_[static_cast<std::size_t>(which[i])];
    if (own >= 0 && column.emplace(own, static_cast<int64_t>(column.size())).second)
      own_groups.push_back(own);
  }
  // On a device with empty rows and columns to full steps, so that batches have few different sizes.
  const auto device = network_.options().device();
  const auto padded = [&](std::size_t size) {
    return device.is_cpu() ? static_cast<int64_t>(size)
                           : (static_cast<int64_t>(size) + kGroupsAtATime - 1) / kGroupsAtATime * kGroupsAtATime;
  };
  const auto cells = static_cast<int64_t>(n);
  const int64_t rows = padded(targets.size()), columns = padded(own_groups.size());
  std::vector<double> average(static_cast<std::size_t>(rows * cells)),
      mixture(static_cast<std::size_t>(rows * columns)), size(static_cast<std::size_t>(rows));
  for (std::size_t k = 0; k < targets.size(); ++k) {
    const auto& list = members[static_cast<int32_t>(targets[k])];
    const double share = 1 / static_cast<double>(list.size());
    for (const int64_t i : list) {
      const int32_t own = group_[static_cast<std::size_t>(which[i])];
      average[k * n + static_cast<std::size_t>(i)] = share;
      mixture[k * static_cast<std::size_t>(columns) + static_cast<std::size_t>(column[own])] += share;
    }
    const auto count = static_cast<double>(list.size());
    size[k] = count;
    if (!shrinkage_) continue;
    double inverse = inverse_size_[static_cast<std::size_t>(targets[k])];
    for (const int64_t i : list)
      inverse += share * inverse_size_[static_cast<std::size_t>(group_[static_cast<std::size_t>(which[i])])];
    size[k] = count / (inverse * kHalfWeight + 1);
  }
  targets.resize(static_cast<std::size_t>(rows));
  own_groups.resize(static_cast<std::size_t>(columns));
  // A cell that no group of the draw has is decoded under the first condition, and counts for nothing:
  // its column of `average` is 0.
  Upload& upload = out.upload;
  const Design others = conditions_.rows(other.data(), n);
  network_.describe_slots(others, out.slots, upload);
  network_.describe_continuous(others, out.continuous, upload);
  const auto type = c10::typeMetaToScalarType(network_.options().dtype());
  upload.add(to_tensor({{rows, cells}, average}).to(type), out.average);
  upload.add(to_tensor({{rows, columns}, mixture}).to(type), out.mixture);
  upload.add(to_tensor({{rows, 1}, size}).to(type), out.size);
  upload.add(targets, out.target);
  upload.add(own_groups, out.own);
  out.any = true;
  if (!device.is_cpu()) return;
  send(out);
  out.truth = truth_of(out);
}

EffectMatching::Truth EffectMatching::truth_of(const Draw& draw) const {
  const auto observed = [&](const Observed& of, Tensor& truth, Tensor& known) {
    truth = of.mean.index_select(0, draw.target) -
            at::matmul(draw.mixture, of.mean.index_select(0, draw.own));
    const Tensor missing = of.unknown.index_select(0, draw.target) +
                           at::matmul(draw.mixture, of.unknown.index_select(0, draw.own));
    known = (missing == 0).to(missing.scalar_type());
  };
  Truth out;
  observed(genes_, out.genes, out.known);
  if (proteins_.mean.defined()) observed(proteins_, out.proteins, out.proteins_known);
  return out;
}

Tensor EffectMatching::loss(const Tensor& difference, const Tensor& protein_difference,
                            const Draw& draw, const ProcessGroup* group) const {
  // The output weight that means (or their logarithms) come from.
  const Tensor& weight = network_.decoder().last().weight->value;
  const int64_t genes = network_.architecture().n_genes;
  const Truth truth = draw.truth.genes.defined() ? draw.truth : truth_of(draw);
  const Tensor shift = exact_product(draw.average, difference);
  Tensor error =
      (group == nullptr
           ? exact_product_of_leaf(shift, weight, genes)
           : exact_product(shift, share_of_gradient(weight.narrow(0, 0, genes), *group).t())) -
      truth.genes;
  if (network_.head().counts())
    error = error - at::matmul(error, genes_.weight.unsqueeze(1)) / genes_.weight.sum();
  Tensor each = (error.square() * genes_.weight).mean(1, true) * truth.known;
  if (protein_difference.defined()) {
    const Tensor off = exact_product(draw.average, protein_difference) - truth.proteins;
    each = each + (off.square() * proteins_.weight).mean(1, true) * truth.proteins_known;
  }
  return (each * draw.size).sum() / draw.size.sum();
}

}  // namespace compert
