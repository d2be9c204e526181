#pragma once

// Reading and writing .h5ad, the file format of annotated matrices (Python package anndata):
// observations (cells) are rows, variables (genes) are columns. Everything that anndata 0.6 to 0.12
// writes is read, but for what `Contents::skipped` names; what is written follows anndata 0.8.
// An .h5mu file (Python package mudata) holds one such structure per modality, in a group like
// "mod/rna", and at its root the table of the cells of all of them.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace compert::h5ad {

enum class Layout { dense, csr, csc };

/// A matrix as it is stored.
struct Matrix {
  Layout layout = Layout::dense;
  std::size_t n_rows = 0;
  std::size_t n_columns = 0;
  std::vector<double> values;         ///< dense: row-major; else one per stored entry
  std::vector<std::int32_t> indices;  ///< columns (csr) or rows (csc) of the entries
  std::vector<std::int64_t>
      offsets;  ///< first entry of each row (csr) or column (csc), and the end
};

/// The same matrix by rows, columns increasing within each, entries of one place added up.
Matrix to_csr(Matrix matrix);

enum class ValueType { real, integer, boolean, text, categorical };

/// An array of one type. A column of a table has one dimension.
struct Values {
  ValueType type = ValueType::real;
  std::vector<double> numbers;         ///< of reals
  std::vector<std::int32_t> integers;  ///< of integers; 0 and 1 of booleans; codes, -1: no value
  std::vector<std::string> texts;      ///< texts (UTF-8), or the categories
  std::vector<std::uint8_t> missing;   ///< 1: no value. Empty when there is none (and for codes)
  bool ordered = false;                ///< of categories
  std::vector<std::size_t> shape;      ///< row-major; empty: a single value

  std::size_t size() const;
};

struct Column {
  std::string name;
  Values values;
};

struct Table {
  std::size_t n_rows = 0;
  std::vector<std::string> index;  ///< names of the rows; empty where there are none
  std::vector<Column> columns;
};

/// Something with a name: "X_pca" of obsm, or "neighbors/params/method" of uns.
struct Item {
  std::string path;
  std::variant<Values, Matrix, Table> content;
};

struct NamedMatrix {
  std::string name;
  Matrix matrix;
};

struct Skipped {
  std::string path;
  std::string reason;
};

struct Contents {
  std::optional<Matrix> x;
  std::vector<NamedMatrix> layers;
  Table obs;
  Table var;
  std::vector<Item> obsm;
  std::vector<Item> uns;
  std::optional<Matrix> raw_x;
  Table raw_var;
  std::vector<Skipped> skipped;  ///< what the file has and these structures hold not, or changed
};

struct ReadOptions {
  bool x = true;
  std::optional<std::vector<std::string>> layers;  ///< names to read; unset: all
  bool obsm = true;
  bool uns = true;
  bool raw = false;
};

/// What a file, or a group of it, has, without reading it.
struct Outline {
  bool x = false;
  bool raw = false;
  std::vector<std::string> layers;
  std::vector<std::string> obsm;
};

/// `group`: the path of the group in the file that holds the structure; empty: the root.
Outline outline(const std::string& path, const std::string& group = "");

/// Throws compert::Error when the file is missing, damaged, no .h5ad file, or without a layer that
/// was asked for. The root of an .h5mu file has no `x`.
Contents read(const std::string& path, const ReadOptions& options = {},
              const std::string& group = "");

/// Names of the modalities of an .h5mu file (the groups in "mod"), in the order that the file gives
/// them, else sorted; none where the file is no .h5mu file.
std::vector<std::string> modalities(const std::string& path);

/// Of each cell of an .h5mu file, its position (from 1) in the modality, 0 where it is missing;
/// empty where the file does not say.
std::vector<std::int32_t> obsmap(const std::string& path, const std::string& modality);

/// Writes a file beside `path` and moves it there when it is complete. Numbers of matrices are
/// stored in single precision when nothing is lost by it. `skipped` is ignored.
/// deflate: gzip level 1-9, 0 for none.
void write(const std::string& path, const Contents& contents, int deflate = 4);

/// A modality of an .h5mu file. `cells` and `features` are for each row of the tables of all modalities its
/// position (from 1) in this one, 0 where it is missing.
struct Modality {
  std::string name;
  Contents contents;
  std::vector<std::int32_t> cells;
  std::vector<std::int32_t> features;
};

/// Writes an .h5mu file, like write(). `obs` and `var` are the tables of the cells and features of all
/// modalities; `creator` tells in the file who wrote it.
void write_modalities(const std::string& path, const Table& obs, const Table& var,
                      const std::vector<Modality>& modalities, const std::string& creator, int deflate = 4);

}  // namespace compert::h5ad
