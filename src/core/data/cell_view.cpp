// Cells of another source: some of them, with genes in another order, on another scale.
#include <algorithm>
#include <cmath>
#include <limits>

#include "compert/error.h"
#include "compert/stored_cells.h"

namespace compert {

CellView::CellView(std::unique_ptr<CellSource> source, Changes changes)
    : source_(std::move(source)), changes_(std::move(changes)) {
  int32_t last = -1;
  for (const int32_t g : changes_.genes) {
    if (g < 0) continue;
    ordered_ = ordered_ && g > last;
    last = g;
  }
  const bool fits =
      (changes_.genes.empty() || changes_.genes.size() == source_->n_genes()) &&
      (changes_.log_factor.empty() || changes_.log_factor.size() == n_cells());
  if (!fits)
    throw Error("x", "must have one place per gene and one factor per cell",
                std::to_string(changes_.genes.size()) + " and " +
                    std::to_string(changes_.log_factor.size()) + " given");
}

std::size_t CellView::n_cells() const {
  return changes_.cells ? changes_.cells->size() : source_->n_cells();
}

std::size_t CellView::n_genes() const {
  return changes_.genes.empty() ? source_->n_genes() : changes_.n_genes;
}

void CellView::fetch(const int64_t* cells, std::size_t n, CellBatch& out) const {
  if (!changes_.cells) {
    source_->fetch(cells, n, out);
  } else {
    std::vector<int64_t> which;
    for (std::size_t b = 0; b < n; ++b)
      which.push_back(changes_.cells->at(static_cast<std::size_t>(cells[b])));
    source_->fetch(which.data(), n, out);
  }
  if (changes_.missing)
    std::replace(out.values.begin(), out.values.end(), *changes_.missing,
                 std::numeric_limits<float>::quiet_NaN());
  if (!changes_.log_factor.empty()) {
    for (std::size_t b = 0; b < n; ++b) {
      const double factor = changes_.log_factor.at(static_cast<std::size_t>(cells[b]));
      for (auto k = static_cast<std::size_t>(out.offsets[b]);
           k < static_cast<std::size_t>(out.offsets[b + 1]); ++k)
        out.values[k] = static_cast<float>(std::log1p(factor * out.values[k]));
    }
  }
  if (changes_.genes.empty()) return;
  out.n_genes = n_genes();
  std::size_t kept = 0;
  std::vector<std::pair<int32_t, float>> row;
  for (std::size_t b = 0; b < n; ++b) {
    row.clear();
    // The offsets from here on are still the source's: each is overwritten once it has been read.
    const auto begin = static_cast<std::size_t>(out.offsets[b]);
    const auto end = static_cast<std::size_t>(out.offsets[b + 1]);
    for (std::size_t k = begin; k < end; ++k) {
      const int32_t place = changes_.genes[static_cast<std::size_t>(out.genes[k])];
      if (place >= 0) row.emplace_back(place, out.values[k]);
    }
    if (!ordered_) std::sort(row.begin(), row.end());
    out.offsets[b] = static_cast<int64_t>(kept);
    for (const auto& [gene, value] : row) {
      out.genes[kept] = gene;
      out.values[kept++] = value;
    }
  }
  out.offsets[n] = static_cast<int64_t>(kept);
  out.genes.resize(kept);
  out.values.resize(kept);
}

}  // namespace compert
