// Cells that stay in an HDF5 file.
#include "compert/stored_cells.h"

#include <algorithm>
#include <numeric>

#include "compert/error.h"
#include "h5ad_detail.h"
#include "stored_detail.h"

namespace compert {
namespace {

using h5ad::detail::join;

constexpr std::size_t kBlock = 256, kMostInBlock = 1024;  // cells; a read of some 100 kB
constexpr double kChunks = 4;  // of a block: those at its ends are read for its neighbours too
constexpr std::size_t kMostAtOnce = 1 << 22;  // values of one read
constexpr std::size_t kGap = 1 << 12;         // values that are read over rather than skipped

/// Whether genes ascend, each once, from 0 or more to fewer than `n_genes`.
bool is_row(const int32_t* genes, std::size_t n, std::size_t n_genes) {
  if (n == 0) return true;
  bool ascends = genes[0] >= 0 && static_cast<std::size_t>(genes[n - 1]) < n_genes;
  for (std::size_t i = 1; i < n; ++i) ascends &= genes[i - 1] < genes[i];
  return ascends;
}

/// Sorts a row's values by gene.
void sort_row(int32_t* genes, float* values, std::size_t n) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [genes](std::size_t a, std::size_t b) { return genes[a] < genes[b]; });
  const std::vector<int32_t> old_genes(genes, genes + n);
  const std::vector<float> old_values(values, values + n);
  for (std::size_t k = 0; k < n; ++k) {
    genes[k] = old_genes[order[k]];
    values[k] = old_values[order[k]];
  }
}

}  // namespace

struct StoredCells::Impl {
  /// What of a cell is not 0.
  struct Row {
    std::vector<int32_t> genes;
    std::vector<float> values;
  };

  explicit Impl(const StoredMatrix& w) : where(w), file(hdf5::File::open_read(w.path)) {
    // A chunk is read as a whole: so is what lies between two cells of one, and neighbours are read
    // together.
    std::size_t chunk = 1;
    if (where.sparse)
      for (const char* part : {"data", "indices"})
        chunk = std::max(chunk, file.keep_open(join(where.name, part)));
    else
      chunk = file.keep_open(where.name) * where.n_genes;
    gap = std::max(kGap, chunk);
    const std::size_t stored = std::max<std::size_t>(1, where.n_stored);
    block = std::clamp(static_cast<std::size_t>(kChunks * static_cast<double>(chunk) /
                                                static_cast<double>(stored) *
                                                static_cast<double>(where.n_cells)),
                       kBlock, kMostInBlock);
    if (!where.sparse) {
      // A chunk has some genes of many cells: all cells of a block at once, or it is inflated for each read.
      most = std::max(most, block * where.n_genes);
      return;
    }
    offsets = file.read<int64_t>(join(where.name, "indptr"));
    const bool rises = offsets.size() == where.n_cells + 1 && offsets.front() == 0 &&
                       offsets.back() == static_cast<int64_t>(where.n_stored) &&
                       std::is_sorted(offsets.begin(), offsets.end());
    if (!rises) damaged(where, "has offsets (indptr) that do not rise from 0 to the number of values");
  }

  /// Where the values of a cell begin among all that are stored.
  std::size_t begin_of(std::size_t cell) const {
    return where.sparse ? static_cast<std::size_t>(offsets[cell]) : cell * where.n_genes;
  }

  /// One read: cells order[first .. last), which lie close in the file, to their rows of `out`. Returns
  /// whether one of them has a gene more than once.
  bool read_run(const int64_t* cells, const std::vector<std::size_t>& order, std::size_t first,
                std::size_t last, CellBatch& out) const {
    const auto cell = [&](std::size_t k) { return static_cast<std::size_t>(cells[order[k]]); };
    const auto place = [&](std::size_t k) { return static_cast<std::size_t>(out.offsets[order[k]]); };
    const std::size_t begin = begin_of(cell(first)), end = begin_of(cell(last - 1) + 1);
    bool as_stored = true;  // neighbours in the file are neighbours in `out`
    for (std::size_t k = first + 1; k < last; ++k)
      as_stored = as_stored && cell(k) == cell(k - 1) + 1 && order[k] == order[k - 1] + 1;
    if (as_stored) {
      read(begin, end, out.genes.data() + place(first), out.values.data() + place(first));
    } else {
      std::vector<int32_t> genes(end - begin);
      std::vector<float> values(end - begin);
      read(begin, end, genes.data(), values.data());
      for (std::size_t k = first; k < last; ++k) {
        const std::size_t from = begin_of(cell(k)) - begin, n = begin_of(cell(k) + 1) - begin - from;
        std::copy_n(genes.data() + from, n, out.genes.data() + place(k));
        std::copy_n(values.data() + from, n, out.values.data() + place(k));
      }
    }
    bool repeats = false;
    for (std::size_t k = first; k < last; ++k) {
      const std::size_t n = begin_of(cell(k) + 1) - begin_of(cell(k));
      repeats = put_in_order(out.genes.data() + place(k), out.values.data() + place(k), n) || repeats;
    }
    return repeats;
  }

  void read(std::size_t begin, std::size_t end, int32_t* genes, float* values) const {
    file.read_into(join(where.name, "indices"), begin, end, genes);
    file.read_into(join(where.name, "data"), begin, end, values);
  }

  /// Sorts a row by gene. Returns whether it has one more than once.
  bool put_in_order(int32_t* genes, float* values, std::size_t n) const {
    if (is_row(genes, n, where.n_genes)) return false;
    for (std::size_t i = 0; i < n; ++i)
      if (genes[i] < 0 || static_cast<std::size_t>(genes[i]) >= where.n_genes)
        damaged(where, "has the gene " + std::to_string(genes[i]) + " where " +
                           std::to_string(where.n_genes) + " are all there are");
    sort_row(genes, values, n);
    return std::adjacent_find(genes, genes + n) != genes + n;
  }

  /// The same of a dense matrix, into rows of their own: how many values are not 0 is known after.
  void read_dense_run(const int64_t* cells, const std::vector<std::size_t>& order, std::size_t first,
                      std::size_t last, std::vector<Row>& rows) const {
    const auto cell = [&](std::size_t k) { return static_cast<std::size_t>(cells[order[k]]); };
    const std::size_t begin = cell(first);
    const std::vector<float> values =
        file.read_rows<float>(where.name, begin, cell(last - 1) + 1);
    for (std::size_t k = first; k < last; ++k) {
      const float* all = values.data() + (cell(k) - begin) * where.n_genes;
      Row& row = rows[order[k]];
      for (std::size_t g = 0; g < where.n_genes; ++g) {
        if (all[g] == 0) continue;
        row.genes.push_back(static_cast<int32_t>(g));
        row.values.push_back(all[g]);
      }
    }
  }

  /// Calls read(order, first, last) for every run of cells that lie close in the file.
  template <class Read>
  void by_runs(const int64_t* cells, std::size_t n, Read&& read) const {
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [cells](std::size_t a, std::size_t b) { return cells[a] < cells[b]; });
    std::size_t first = 0;
    while (first < n) {
      const std::size_t begin = begin_of(static_cast<std::size_t>(cells[order[first]]));
      std::size_t last = first, end = begin;
      while (last < n) {
        const auto cell = static_cast<std::size_t>(cells[order[last]]);
        const bool far = begin_of(cell) > end + gap || begin_of(cell + 1) - begin > most;
        if (far && last > first) break;
        end = begin_of(cell + 1);
        ++last;
      }
      read(order, first, last);
      first = last;
    }
  }

  StoredMatrix where;
  hdf5::File file;
  std::vector<int64_t> offsets;
  std::size_t gap = kGap, block = kBlock, most = kMostAtOnce;  // see above
};

StoredCells::StoredCells(const StoredMatrix& where) : impl_(std::make_unique<Impl>(where)) {}
StoredCells::~StoredCells() = default;
std::size_t StoredCells::n_cells() const { return impl_->where.n_cells; }
std::size_t StoredCells::n_genes() const { return impl_->where.n_genes; }
std::size_t StoredCells::block() const { return impl_->block; }

double StoredCells::density() const {
  const StoredMatrix& w = impl_->where;
  if (w.n_cells == 0 || w.n_genes == 0) return 0;
  if (w.sparse)
    return static_cast<double>(w.n_stored) / static_cast<double>(w.n_genes) /
           static_cast<double>(w.n_cells);
  CellBatch some;
  std::vector<int64_t> first(std::min<std::size_t>(w.n_cells, kBlock));
  std::iota(first.begin(), first.end(), 0);
  fetch(first.data(), first.size(), some);
  return static_cast<double>(some.n_stored()) / static_cast<double>(first.size() * w.n_genes);
}

void StoredCells::fetch(const int64_t* cells, std::size_t n, CellBatch& out) const {
  out.offsets.assign(1, 0);
  out.n_genes = n_genes();
  for (std::size_t b = 0; b < n; ++b)
    if (cells[b] < 0 || static_cast<std::size_t>(cells[b]) >= n_cells())
      throw Error("cells", "must be indices of cells in the data",
                  "cell " + std::to_string(cells[b]) + " of " + std::to_string(n_cells()));
  if (impl_->where.sparse) {
    for (std::size_t b = 0; b < n; ++b) {
      const auto cell = static_cast<std::size_t>(cells[b]);
      out.offsets.push_back(out.offsets.back() + impl_->offsets[cell + 1] - impl_->offsets[cell]);
    }
    out.genes.resize(static_cast<std::size_t>(out.offsets.back()));
    out.values.resize(out.genes.size());
    bool repeats = false;
    impl_->by_runs(cells, n, [&](const auto& order, std::size_t first, std::size_t last) {
      if (impl_->read_run(cells, order, first, last, out)) repeats = true;
    });
    if (repeats) h5ad::detail::add_up(out.offsets, out.genes, out.values);
    return;
  }
  std::vector<Impl::Row> rows(n);
  impl_->by_runs(cells, n, [&](const auto& order, std::size_t first, std::size_t last) {
    impl_->read_dense_run(cells, order, first, last, rows);
  });
  out.genes.clear();
  out.values.clear();
  for (const Impl::Row& row : rows) {
    out.genes.insert(out.genes.end(), row.genes.begin(), row.genes.end());
    out.values.insert(out.values.end(), row.values.begin(), row.values.end());
    out.offsets.push_back(static_cast<int64_t>(out.genes.size()));
  }
}

}  // namespace compert
