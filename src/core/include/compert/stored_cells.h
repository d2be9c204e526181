#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compert/cells.h"

namespace compert {

/// Whether another thread than this one is let into the HDF5 library. A call that an error of R's left midway
/// (rhdf5's do where a name is not found) keeps the library for its own thread, and others would wait for ever.
bool hdf5_serves_threads();

/// Where a matrix of cells lies in an HDF5 file.
struct StoredMatrix {
  std::string path;  ///< of the file
  /// Of a sparse matrix: the group of `data`, `indices` and `indptr`, one cell after the other (the
  /// csr matrices of .h5ad files, 10x files, TENxMatrix). Of a dense one: the dataset, cells x genes.
  std::string name;
  bool sparse = true;
  std::size_t n_cells = 0, n_genes = 0;
  std::size_t n_stored = 0;  ///< values in the file
};

/// Looks a matrix up without reading its values. Throws `Error` where there is none, and where genes
/// lie one after the other (csc): its cells could not be read without the whole.
StoredMatrix stored_matrix(const std::string& path, const std::string& name);

/// What a file of 10x Genomics' Cell Ranger (version 2 or 3) has beside its matrix.
struct TenxLabels {
  std::string group;  ///< of the matrix
  std::vector<std::string> cells, gene_ids, gene_names;
  std::vector<std::string> gene_types;  ///< "Gene Expression", "Antibody Capture" ...; empty in version 2
};
TenxLabels tenx_labels(const std::string& path);

/// Cells that stay in an HDF5 file. Any set of them can be fetched; neighbours in the file are read
/// together, so that a set which lies close is cheap. Needs 8 bytes of memory per cell.
class StoredCells final : public CellSource {
 public:
  explicit StoredCells(const StoredMatrix& where);
  ~StoredCells() override;
  std::size_t n_cells() const override;
  std::size_t n_genes() const override;
  void fetch(const int64_t* cells, std::size_t n, CellBatch& out) const override;
  double density() const override;
  std::size_t block() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Cells of another source: some of them, with genes in another order, on another scale.
class CellView final : public CellSource {
 public:
  struct Changes {
    std::optional<std::vector<int64_t>> cells;  ///< of the source, in the view's order; without: all
    std::vector<int32_t> genes;   ///< per gene of the source its place here, -1: left out; empty: as is
    std::size_t n_genes = 0;      ///< of the view, where `genes` is given
    /// Per cell of the view, values become log(1 + factor * value); empty: as they are.
    std::vector<double> log_factor;
    /// What stands for a missing value in the source: it becomes NaN.
    std::optional<float> missing;
  };
  CellView(std::unique_ptr<CellSource> source, Changes changes);
  std::size_t n_cells() const override;
  std::size_t n_genes() const override;
  void fetch(const int64_t* cells, std::size_t n, CellBatch& out) const override;
  double density() const override { return source_->density(); }
  std::size_t block() const override { return source_->block(); }

 private:
  std::unique_ptr<CellSource> source_;
  Changes changes_;
  bool ordered_ = true;  // whether genes keep their order
};

}  // namespace compert
