// Matrices of .h5ad files.

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "compert/error.h"
#include "h5ad_detail.h"

namespace compert::h5ad {

namespace {

// Swaps rows and columns of a compressed matrix. Entries come out sorted.
Matrix turn(const Matrix& in, std::size_t n_lines, std::size_t n_across) {
  Matrix out;
  out.n_rows = in.n_rows;
  out.n_columns = in.n_columns;
  out.layout = in.layout == Layout::csr ? Layout::csc : Layout::csr;
  out.offsets.assign(n_across + 1, 0);
  out.indices.resize(in.indices.size());
  out.values.resize(in.values.size());
  for (const std::int32_t across : in.indices) ++out.offsets[static_cast<std::size_t>(across) + 1];
  std::partial_sum(out.offsets.begin(), out.offsets.end(), out.offsets.begin());
  std::vector<std::int64_t> next(out.offsets.begin(), out.offsets.end() - 1);
  for (std::size_t line = 0; line < n_lines; ++line) {
    for (auto k = in.offsets[line]; k < in.offsets[line + 1]; ++k) {
      const auto from = static_cast<std::size_t>(k);
      const auto to = static_cast<std::size_t>(next[static_cast<std::size_t>(in.indices[from])]++);
      out.indices[to] = static_cast<std::int32_t>(line);
      out.values[to] = in.values[from];
    }
  }
  return out;
}

bool is_sorted_by_row(const Matrix& m) {
  for (std::size_t row = 0; row < m.n_rows; ++row) {
    for (auto k = m.offsets[row] + 1; k < m.offsets[row + 1]; ++k) {
      const auto at = static_cast<std::size_t>(k);
      if (m.indices[at - 1] >= m.indices[at]) return false;
    }
  }
  return true;
}

}  // namespace

Matrix to_csr(Matrix matrix) {
  if (matrix.layout == Layout::dense) {
    Matrix out;
    out.layout = Layout::csr;
    out.n_rows = matrix.n_rows;
    out.n_columns = matrix.n_columns;
    out.offsets.push_back(0);
    for (std::size_t row = 0; row < matrix.n_rows; ++row) {
      for (std::size_t column = 0; column < matrix.n_columns; ++column) {
        const double value = matrix.values[row * matrix.n_columns + column];
        if (value == 0) continue;
        out.indices.push_back(static_cast<std::int32_t>(column));
        out.values.push_back(value);
      }
      out.offsets.push_back(static_cast<std::int64_t>(out.values.size()));
    }
    return out;
  }
  if (matrix.layout == Layout::csc) {
    matrix = turn(matrix, matrix.n_columns, matrix.n_rows);
  } else if (!is_sorted_by_row(matrix)) {
    matrix = turn(matrix, matrix.n_rows, matrix.n_columns);
    matrix = turn(matrix, matrix.n_columns, matrix.n_rows);
  }
  if (!is_sorted_by_row(matrix)) detail::add_up(matrix.offsets, matrix.indices, matrix.values);
  return matrix;
}

namespace detail {

namespace {

bool is_numeric(hdf5::Kind kind) {
  return kind == hdf5::Kind::real || kind == hdf5::Kind::integer || kind == hdf5::Kind::boolean;
}

// Reads the first and the last row.
void touch_ends(const Source& source, const std::string& path) {
  const hdf5::Shape shape = source.file.shape(path);
  const std::size_t n = shape.empty() ? 0 : shape[0];
  if (n == 0) return;
  source.file.read_rows<double>(path, 0, 1);
  source.file.read_rows<double>(path, n - 1, n);
}

std::optional<Matrix> read_dense(const Source& source, const std::string& path) {
  const hdf5::Shape shape = source.file.shape(path);
  if (!is_numeric(source.file.type(path).kind) || shape.empty() || shape.size() > 2) {
    source.skip(path, "not a matrix of numbers");
    return std::nullopt;
  }
  Matrix out;
  out.n_rows = shape[0];
  out.n_columns = shape.size() == 2 ? shape[1] : 1;
  if (source.sketch) {
    touch_ends(source, path);
  } else {
    out.values = source.file.read<double>(path);
  }
  return out;
}

Layout sparse_layout(const Source& source, const std::string& path) {
  std::string format = encoding(source, path);
  if (format.empty() && source.file.has_attribute(path, "h5sparse_format")) {
    format = source.file.attribute_string(path, "h5sparse_format");
  }
  if (format == "csr_matrix" || format == "csr") return Layout::csr;
  if (format == "csc_matrix" || format == "csc") return Layout::csc;
  source.damaged(path, "has the unknown sparse format \"" + format + "\"");
}

void check_sparse(const Source& source, const std::string& path, const Matrix& m) {
  const bool by_row = m.layout == Layout::csr;
  const std::size_t n_lines = by_row ? m.n_rows : m.n_columns;
  const std::size_t n_across = by_row ? m.n_columns : m.n_rows;
  if (m.indices.size() != m.values.size()) {
    source.damaged(path, "has " + std::to_string(m.values.size()) + " values but " +
                             std::to_string(m.indices.size()) + " indices");
  }
  if (m.offsets.size() != n_lines + 1) {
    source.damaged(path, "has " + std::to_string(m.offsets.size()) + " offsets for " +
                             std::to_string(n_lines) + (by_row ? " rows" : " columns"));
  }
  if (m.offsets.front() != 0 || m.offsets.back() != static_cast<std::int64_t>(m.values.size()) ||
      !std::is_sorted(m.offsets.begin(), m.offsets.end())) {
    source.damaged(path, "has offsets (indptr) that do not rise from 0 to the number of values");
  }
  for (const std::int32_t index : m.indices) {
    if (index < 0 || static_cast<std::size_t>(index) >= n_across) {
      source.damaged(path, "has the index " + std::to_string(index) + " where " +
                               std::to_string(n_across) + (by_row ? " columns" : " rows") +
                               " are all there are");
    }
  }
}

Matrix read_sparse(const Source& source, const std::string& path) {
  Matrix out;
  out.layout = sparse_layout(source, path);
  const bool old = !source.file.has_attribute(path, "shape");
  const auto shape = source.file.attribute_ints(path, old ? "h5sparse_shape" : "shape");
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  if (shape.size() != 2 || shape[0] < 0 || shape[1] < 0 || shape[0] > kMost || shape[1] > kMost) {
    source.damaged(path, "has no valid shape");
  }
  out.n_rows = static_cast<std::size_t>(shape[0]);
  out.n_columns = static_cast<std::size_t>(shape[1]);
  if (source.sketch) {
    for (const char* part : {"indptr", "indices", "data"}) touch_ends(source, join(path, part));
    return out;
  }
  out.offsets = source.file.read<std::int64_t>(join(path, "indptr"));
  // Larger values are clipped to the largest index, which check_sparse() refuses.
  out.indices = source.file.read<std::int32_t>(join(path, "indices"));
  if (!is_numeric(source.file.type(join(path, "data")).kind)) {
    source.damaged(path, "has entries that are not numbers");
  }
  out.values = source.file.read<double>(join(path, "data"));
  check_sparse(source, path, out);
  return out;
}

}  // namespace

bool is_sparse(const Source& source, const std::string& path) {
  if (!source.file.is_group(path)) return false;
  const std::string type = encoding(source, path);
  return type == "csr_matrix" || type == "csc_matrix" ||
         source.file.has_attribute(path, "h5sparse_format");
}

std::optional<Matrix> read_matrix(const Source& source, const std::string& path) {
  if (is_sparse(source, path)) return read_sparse(source, path);
  if (source.file.is_dataset(path)) return read_dense(source, path);
  source.skip(path, "not a matrix of numbers");
  return std::nullopt;
}

}  // namespace detail

}  // namespace compert::h5ad
