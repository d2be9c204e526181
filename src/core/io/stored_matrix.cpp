// Where matrices of cells lie in HDF5 files, found without reading their values.
#include <algorithm>

#include "compert/error.h"
#include "h5ad_detail.h"
#include "stored_detail.h"

namespace compert {
namespace {

using h5ad::detail::join;

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

}  // namespace

void damaged(const StoredMatrix& where, const std::string& problem) {
  throw Error("x", "must be an intact file",
              "In \"" + where.path + "\", \"" + where.name + "\" " + problem + ".",
              "The file may be damaged; copy or download it again.");
}

StoredMatrix stored_matrix(const std::string& path, const std::string& name) {
  hdf5::rehearse(path, [&] { look_up(path, name); });
  return look_up(path, name);
}

TenxLabels tenx_labels(const std::string& path) {
  hdf5::rehearse(path, [&] { read_labels(path); });
  return read_labels(path);
}

}  // namespace compert
