#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace compert {

/// A block of cells in compressed sparse rows: row b holds `genes[offsets[b] .. offsets[b+1])`
/// (ascending, 0-based) with their `values`. Buffers are reused from block to block.
struct CellBatch {
  std::vector<int64_t> offsets{0};
  std::vector<int32_t> genes;
  std::vector<float> values;
  std::size_t n_genes = 0;

  std::size_t n_cells() const { return offsets.size() - 1; }
  std::size_t n_stored() const { return values.size(); }
};

/// Where cells come from. Nothing is promised about where the values live (memory, file), only
/// that any set of cells can be fetched, in the order asked, from several threads at once.
class CellSource {
 public:
  virtual ~CellSource() = default;
  virtual std::size_t n_cells() const = 0;
  virtual std::size_t n_genes() const = 0;
  /// Replaces `out` by the rows `cells[0 .. n)`. Stored zeros may be kept or dropped.
  virtual void fetch(const int64_t* cells, std::size_t n, CellBatch& out) const = 0;
  /// Share of stored values, an estimate that chooses between sparse and dense arithmetic.
  virtual double density() const = 0;
  /// How many neighbouring cells are best read together; 1: any cell is as near as any other. Sources
  /// on disk have blocks, which training reads in random order (see epoch_order()).
  virtual std::size_t block() const { return 1; }
};

/// A view of compressed columns of a genes x cells matrix (R's dgCMatrix): one column is one
/// cell, so nothing is copied or transposed. The memory must outlive the view.
class SparseCells final : public CellSource {
 public:
  SparseCells(const double* values, const int32_t* genes, const int32_t* offsets,
              std::size_t n_genes, std::size_t n_cells);
  std::size_t n_cells() const override { return n_cells_; }
  std::size_t n_genes() const override { return n_genes_; }
  void fetch(const int64_t* cells, std::size_t n, CellBatch& out) const override;
  double density() const override;

 private:
  const double* values_;
  const int32_t* genes_;
  const int32_t* offsets_;
  std::size_t n_genes_, n_cells_;
};

/// A view of a column-major genes x cells matrix of doubles (R's matrix). Zeros are dropped on
/// fetch. The memory must outlive the view.
class DenseCells final : public CellSource {
 public:
  DenseCells(const double* values, std::size_t n_genes, std::size_t n_cells);
  std::size_t n_cells() const override { return n_cells_; }
  std::size_t n_genes() const override { return n_genes_; }
  void fetch(const int64_t* cells, std::size_t n, CellBatch& out) const override;
  double density() const override;

 private:
  const double* values_;
  std::size_t n_genes_, n_cells_;
};

}  // namespace compert
