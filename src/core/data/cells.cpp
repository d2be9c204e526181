#include "compert/cells.h"

#include <algorithm>
#include <string>

#include "compert/error.h"

namespace compert {
namespace {

void check_cell(int64_t cell, std::size_t n_cells) {
  if (cell < 0 || static_cast<std::size_t>(cell) >= n_cells)
    throw Error("cells", "must be indices of cells in the data",
                "cell " + std::to_string(cell) + " of " + std::to_string(n_cells));
}

void start(CellBatch& out, std::size_t n, std::size_t n_genes) {
  out.offsets.assign(1, 0);
  out.offsets.reserve(n + 1);
  out.genes.clear();
  out.values.clear();
  out.n_genes = n_genes;
}

}  // namespace

SparseCells::SparseCells(const double* values, const int32_t* genes, const int32_t* offsets,
                         std::size_t n_genes, std::size_t n_cells)
    : values_(values), genes_(genes), offsets_(offsets), n_genes_(n_genes), n_cells_(n_cells) {}

void SparseCells::fetch(const int64_t* cells, std::size_t n, CellBatch& out) const {
  start(out, n, n_genes_);
  std::size_t stored = 0;
  for (std::size_t b = 0; b < n; ++b) {
    check_cell(cells[b], n_cells_);
    stored += static_cast<std::size_t>(offsets_[cells[b] + 1] - offsets_[cells[b]]);
    out.offsets.push_back(static_cast<int64_t>(stored));
  }
  out.genes.resize(stored);
  out.values.resize(stored);
  for (std::size_t b = 0; b < n; ++b) {
    const int32_t begin = offsets_[cells[b]], end = offsets_[cells[b] + 1];
    std::copy(genes_ + begin, genes_ + end, out.genes.begin() + out.offsets[b]);
    std::transform(values_ + begin, values_ + end, out.values.begin() + out.offsets[b],
                   [](double v) { return static_cast<float>(v); });
  }
}

double SparseCells::density() const {
  if (n_cells_ == 0 || n_genes_ == 0) return 0;
  return static_cast<double>(offsets_[n_cells_]) / static_cast<double>(n_genes_) /
         static_cast<double>(n_cells_);
}

DenseCells::DenseCells(const double* values, std::size_t n_genes, std::size_t n_cells)
    : values_(values), n_genes_(n_genes), n_cells_(n_cells) {}

void DenseCells::fetch(const int64_t* cells, std::size_t n, CellBatch& out) const {
  start(out, n, n_genes_);
  for (std::size_t b = 0; b < n; ++b) {
    check_cell(cells[b], n_cells_);
    const double* column = values_ + static_cast<std::size_t>(cells[b]) * n_genes_;
    for (std::size_t g = 0; g < n_genes_; ++g) {
      if (column[g] == 0) continue;
      out.genes.push_back(static_cast<int32_t>(g));
      out.values.push_back(static_cast<float>(column[g]));
    }
    out.offsets.push_back(static_cast<int64_t>(out.values.size()));
  }
}

double DenseCells::density() const {
  const std::size_t total = n_cells_ * n_genes_;
  if (total == 0) return 0;
  const std::size_t looked_at = std::min<std::size_t>(total, 1000000);
  const std::size_t stride = total / looked_at;
  std::size_t filled = 0, seen = 0;
  for (std::size_t k = 0; k < total; k += stride, ++seen) filled += values_[k] != 0;
  return static_cast<double>(filled) / static_cast<double>(seen);
}

}  // namespace compert
