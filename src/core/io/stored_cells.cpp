// Cells that stay in an HDF5 file.
#include "compert/stored_cells.h"

#include <algorithm>
#include <numeric>

#include "compert/error.h"
#include "h5ad_detail.h"

namespace compert {
namespace {

using h5ad::detail::join;

constexpr std::size_t kBlock = 256, kMostInBlock = 1024;  // cells; a read of some 100 kB
constexpr std::size_t kMostAtOnce = 1 << 22;  // values of one read
constexpr std::size_t kGap = 1 << 12;         // values that are read over rather than skipped

[[noreturn]] void damaged(const StoredMatrix& where, const std::string& problem) {
  throw Error("x", "must be an intact file",
              "In \"" + where.path + "\", \"" + where.name + "\" " + problem + ".",
              "The file may be damaged; copy or download it again.");
}

/// Genes and cells of a sparse matrix; files say them as cells x genes (.h5ad) or genes x cells
/// (10x), so that the number of offsets tells which.
void measure_sparse(const hdf5::File& file, StoredMatrix& out) {
  for (const char* part : {"data", "indices", "indptr"})
    if (!file.is_dataset(join(out.name, part))) damaged(out, "has no \"" + std::string(part) + "\"");
  std::vector<int64_t> shape;
  for (const char* attribute : {"shape", "h5sparse_shape"})
    if (shape.empty() && file.has_attribute(out.name, attribute))
      shape = file.attribute_ints(out.name, attribute);
  const bool by_attribute = !shape.empty();
  if (!by_attribute && file.is_dataset(join(out.name, "shape"))) {
    shape = file.read<int64_t>(join(out.name, "shape"));
    std::reverse(shape.begin(), shape.end());
  }
  if (shape.size() != 2 || shape[0] < 0 || shape[1] < 0) damaged(out, "has no valid shape");
  for (const char* attribute : {"encoding-type", "h5sparse_format"}) {
    if (!file.has_attribute(out.name, attribute)) continue;
    if (file.attribute_string(out.name, attribute).rfind("csc", 0) == 0)
      throw Error("x", "must be stored cell by cell (csr) to be read from its file",
                  "\"" + out.name + "\" of \"" + out.path + "\" is stored gene by gene (csc)",
                  "In Python: adata.X = scipy.sparse.csr_matrix(adata.X), and write it anew");
  }
  out.n_cells = static_cast<std::size_t>(shape[0]);
  out.n_genes = static_cast<std::size_t>(shape[1]);
  const hdf5::Shape n = file.shape(join(out.name, "data")), offsets = file.shape(join(out.name, "indptr"));
  if (n.size() != 1 || offsets.size() != 1 || offsets[0] != out.n_cells + 1 ||
      file.shape(join(out.name, "indices")) != n)
    damaged(out, "has arrays whose lengths contradict its shape");
  out.n_stored = n[0];
}

StoredMatrix look_up(const std::string& path, const std::string& name) {
  const hdf5::File file = hdf5::File::open_read(path);
  StoredMatrix out{path, name};
  if (file.is_group(name)) {
    measure_sparse(file, out);
  } else if (file.is_dataset(name)) {
    const hdf5::Shape shape = file.shape(name);
    if (shape.size() != 2) damaged(out, "is no matrix");
    out.sparse = false;
    out.n_cells = shape[0];
    out.n_genes = shape[1];
    out.n_stored = out.n_cells * out.n_genes;
  } else {
    damaged(out, "is not there");
  }
  return out;
}

TenxLabels read_labels(const std::string& path) {
  const hdf5::File file = hdf5::File::open_read(path);
  TenxLabels out;
  // Version 3 has "matrix"; version 2 a group that is named after the genome.
  std::vector<std::string> groups;
  for (const std::string& name : file.children())
    if (file.is_dataset(join(name, "barcodes")) && file.is_dataset(join(name, "indptr")))
      groups.push_back(name);
  if (groups.size() > 1)
    throw Error("x", "must be a file of one matrix",
                "\"" + path + "\" has " + std::to_string(groups.size()) + ", of the genomes \"" +
                    groups[0] + "\", \"" + groups[1] + "\"" + (groups.size() > 2 ? " and more" : ""),
                "Read the one that is meant and give it as a matrix: x <- HDF5Array::TENxMatrix(path, \"" +
                    groups[0] + "\")");
  if (groups.empty())
    throw Error("x", "must be a file of Cell Ranger (a group with barcodes and a matrix)",
                "\"" + path + "\" has no such group", "Read it with the package that wrote it");
  out.group = groups[0];
  const bool third = file.is_group(join(out.group, "features"));
  const std::string features = third ? join(out.group, "features") : out.group;
  out.cells = file.read_strings(join(out.group, "barcodes"));
  out.gene_ids = file.read_strings(join(features, third ? "id" : "genes"));
  out.gene_names = file.read_strings(join(features, third ? "name" : "gene_names"));
  if (third && file.is_dataset(join(features, "feature_type")))
    out.gene_types = file.read_strings(join(features, "feature_type"));
  return out;
}

/// Values of the same gene of a cell, next to each other, become their sum.
void add_up(CellBatch& out) {
  std::size_t to = 0, from = 0;
  for (std::size_t b = 0; b < out.n_cells(); ++b) {
    const std::size_t first = to, end = static_cast<std::size_t>(out.offsets[b + 1]);
    for (; from < end; ++from) {
      if (to > first && out.genes[to - 1] == out.genes[from]) {
        out.values[to - 1] += out.values[from];
        continue;
      }
      out.genes[to] = out.genes[from];
      out.values[to++] = out.values[from];
    }
    out.offsets[b + 1] = static_cast<int64_t>(to);
  }
  out.genes.resize(to);
  out.values.resize(to);
}

/// Sorts a row's values by gene, where they are not.
void sort_row(int32_t* genes, float* values, std::size_t n) {
  if (std::is_sorted(genes, genes + n)) return;
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

StoredMatrix stored_matrix(const std::string& path, const std::string& name) {
  hdf5::rehearse(path, [&] { look_up(path, name); });
  return look_up(path, name);
}

TenxLabels tenx_labels(const std::string& path) {
  hdf5::rehearse(path, [&] { read_labels(path); });
  return read_labels(path);
}

struct StoredCells::Impl {
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
    block = std::clamp(static_cast<std::size_t>(static_cast<double>(chunk) / static_cast<double>(stored) *
                                                static_cast<double>(where.n_cells)),
                       kBlock, kMostInBlock);
    if (!where.sparse) return;
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
    const std::size_t begin = begin_of(cell(first)), end = begin_of(cell(last - 1) + 1);
    const std::vector<float> values = file.read_rows<float>(join(where.name, "data"), begin, end);
    const std::vector<int32_t> genes =
        file.read_rows<int32_t>(join(where.name, "indices"), begin, end);
    bool repeats = false;
    for (std::size_t k = first; k < last; ++k) {
      const std::size_t from = begin_of(cell(k)) - begin, n = begin_of(cell(k) + 1) - begin - from;
      const auto to = static_cast<std::size_t>(out.offsets[order[k]]);
      std::copy_n(genes.data() + from, n, out.genes.data() + to);
      std::copy_n(values.data() + from, n, out.values.data() + to);
      sort_row(out.genes.data() + to, out.values.data() + to, n);
      for (std::size_t i = to; i < to + n; ++i)
        if (out.genes[i] < 0 || static_cast<std::size_t>(out.genes[i]) >= where.n_genes)
          damaged(where, "has the gene " + std::to_string(out.genes[i]) + " where " +
                             std::to_string(where.n_genes) + " are all there are");
      const int32_t* row = out.genes.data() + to;
      repeats = repeats || std::adjacent_find(row, row + n) != row + n;
    }
    return repeats;
  }

  /// The same of a dense matrix, into rows of their own: how many values are not 0 is known after.
  void read_dense_run(const int64_t* cells, const std::vector<std::size_t>& order, std::size_t first,
                      std::size_t last, std::vector<std::vector<float>>& rows) const {
    const auto cell = [&](std::size_t k) { return static_cast<std::size_t>(cells[order[k]]); };
    const std::size_t begin = cell(first);
    const std::vector<float> values =
        file.read_rows<float>(where.name, begin, cell(last - 1) + 1);
    for (std::size_t k = first; k < last; ++k) {
      const auto row = values.begin() + static_cast<std::ptrdiff_t>((cell(k) - begin) * where.n_genes);
      rows[order[k]].assign(row, row + static_cast<std::ptrdiff_t>(where.n_genes));
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
        const bool far = begin_of(cell) > end + gap || begin_of(cell + 1) - begin > kMostAtOnce;
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
  std::size_t gap = kGap, block = kBlock;  // see above
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
    if (repeats) add_up(out);
    return;
  }
  std::vector<std::vector<float>> rows(n);
  impl_->by_runs(cells, n, [&](const auto& order, std::size_t first, std::size_t last) {
    impl_->read_dense_run(cells, order, first, last, rows);
  });
  out.genes.clear();
  out.values.clear();
  for (const std::vector<float>& row : rows) {
    for (std::size_t g = 0; g < row.size(); ++g) {
      if (row[g] == 0) continue;
      out.genes.push_back(static_cast<int32_t>(g));
      out.values.push_back(row[g]);
    }
    out.offsets.push_back(static_cast<int64_t>(out.genes.size()));
  }
}

}  // namespace compert
