#include "sampling.h"

#include <algorithm>
#include <cmath>

#include "row_groups.h"

namespace compert {

Sampling::Sampling(const std::vector<int64_t>& train, const Design& design, int64_t batch, double balance)
    : train_(train) {
  if (balance == 0) return;
  Design rows = design.rows(train.data(), train.size());
  if (batch >= 0)
    for (auto at = static_cast<std::size_t>(batch); at < rows.covariate.size(); at += rows.n_covariates)
      rows.covariate[at] = -1;
  const RowGroups groups = row_groups(rows);
  cells_.resize(groups.first.size());
  for (std::size_t i = 0; i < train.size(); ++i)
    cells_[static_cast<std::size_t>(groups.condition[i])].push_back(train[i]);
  double total = 0;
  for (const auto& cells : cells_) {
    expected_.push_back(std::pow(static_cast<double>(cells.size()), 1 - balance));
    total += expected_.back();
  }
  for (double& n : expected_) n *= static_cast<double>(train.size()) / total;
}

std::vector<int64_t> Sampling::draw(Random& random) const {
  if (cells_.empty()) return train_;
  std::vector<int64_t> out;
  out.reserve(train_.size());
  // Systematic sampling: numbers of cells add up to the epoch's, are less than 1 off what is expected, and
  // that on average.
  const double start = random.uniform();
  double reached = 0;
  for (std::size_t g = 0; g < cells_.size(); ++g) {
    reached += expected_[g];
    const std::size_t end = g + 1 == cells_.size()
                                ? train_.size()
                                : std::min(train_.size(), static_cast<std::size_t>(reached + start));
    std::vector<int64_t> cells = cells_[g];
    while (end - out.size() >= cells.size()) out.insert(out.end(), cells.begin(), cells.end());
    random.shuffle(cells);
    out.insert(out.end(), cells.begin(), cells.begin() + static_cast<std::ptrdiff_t>(end - out.size()));
  }
  return out;
}

}  // namespace compert
