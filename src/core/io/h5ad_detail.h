#pragma once

// What the translation units of the .h5ad reader and writer share; nobody else includes this.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compert/h5ad.h"
#include "hdf5.h"

namespace compert::h5ad::detail {

/// An open file and what was left out of it so far.
struct Source {
  const hdf5::File& file;
  std::vector<Skipped>& skipped;
  /// Read everything but the values of matrices, of which the first and the last do.
  bool sketch = false;
  /// The group that is read; empty: the root.
  std::string group = {};

  /// The path of something in that group.
  std::string at(const std::string& name) const;
  void skip(const std::string& path, const std::string& reason) const;
  [[noreturn]] void damaged(const std::string& path, const std::string& problem) const;
};

/// An open file that is written, and how it is compressed.
struct Target {
  hdf5::File& file;
  int deflate;

  void encode(const std::string& path, const char* type, const char* version) const;
  void group(const std::string& path, const char* type, const char* version) const;
  void texts(const std::string& path, const std::vector<std::string>& values,
             const hdf5::Shape& shape) const;
};

/// Throws where HDF5 could not have something of that name in the group `where`.
void check_name(const std::string& name, const std::string& where);
/// One array, matrix or table in `group`; `names` are those of a table's rows, where they are known.
void write_item(const Target& target, const std::string& group, const Item& item,
                const std::vector<std::string>& names);
/// What every structure has: the tables of its rows and columns and groups for what goes with these.
void write_frame(const Target& target, const std::string& group, const char* type, const Table& obs,
                 const Table& var);
/// A whole structure in `group` (empty: the root).
void write_structure(const Target& target, const std::string& group, const Contents& contents);
/// `make` writes the file of the name that it is given, which takes the place of `path` when it is complete.
void write_beside(const std::string& path, const std::function<void(const std::string&)>& make);

std::string join(const std::string& group, const std::string& name);

/// The attribute "encoding-type", or "" where there is none.
std::string encoding(const Source& source, const std::string& path);

/// A dense or sparse matrix; nothing (and a note) where `path` is no matrix of numbers.
std::optional<Matrix> read_matrix(const Source& source, const std::string& path);
bool is_sparse(const Source& source, const std::string& path);

/// Entries of one place of a row, next to each other after sorting, become their sum.
template <typename T>
void add_up(std::vector<std::int64_t>& offsets, std::vector<std::int32_t>& indices, std::vector<T>& values) {
  std::size_t to = 0, from = 0;
  for (std::size_t row = 0; row + 1 < offsets.size(); ++row) {
    const std::size_t first = to;
    for (; from < static_cast<std::size_t>(offsets[row + 1]); ++from) {
      if (to > first && indices[to - 1] == indices[from]) {
        values[to - 1] += values[from];
        continue;
      }
      indices[to] = indices[from];
      values[to++] = values[from];
    }
    offsets[row + 1] = static_cast<std::int64_t>(to);
  }
  indices.resize(to);
  values.resize(to);
}

/// An array, categorical or nullable array; nothing (and a note) where it is none of these.
std::optional<Values> read_values(const Source& source, const std::string& path);

/// A data frame in any encoding, the record arrays of anndata < 0.7 included.
Table read_table(const Source& source, const std::string& path);
bool is_table(const Source& source, const std::string& path);

/// The record array at `path`; members that are arrays are returned in `matrices` if given.
Table read_records(const Source& source, const std::string& path, std::vector<Item>* matrices);

/// Numbers of a table that were stored in `size` bytes, as they were before they were rounded to that:
/// a dose of 0.1 in single precision is 0.1, not 0.10000000149011612.
void as_written(std::vector<double>& numbers, std::size_t size);

/// Texts that are valid UTF-8; others are taken as Latin-1, with a note.
std::vector<std::string> read_texts(const Source& source, const std::string& path);
void repair_texts(const Source& source, const std::string& path, std::vector<std::string>& texts);

}  // namespace compert::h5ad::detail
