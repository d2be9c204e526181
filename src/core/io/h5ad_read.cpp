#include <algorithm>
#include <new>
#include <stdexcept>
#include <utility>

#include "compert/error.h"
#include "h5ad_detail.h"

namespace compert::h5ad {

namespace detail {

void Source::skip(const std::string& path, const std::string& reason) const {
  skipped.push_back({path, reason});
}

void Source::damaged(const std::string& path, const std::string& problem) const {
  throw Error("path", "must name an intact .h5ad file",
              "In \"" + file.name() + "\", \"" + path + "\" " + problem + ".",
              "The file may be damaged; copy or download it again.");
}

std::string join(const std::string& group, const std::string& name) {
  return group.empty() ? name : group + "/" + name;
}

std::string encoding(const Source& source, const std::string& path) {
  const bool known = source.file.has_attribute(path, "encoding-type") &&
                     source.file.attribute_type(path, "encoding-type").kind == hdf5::Kind::string;
  return known ? source.file.attribute_string(path, "encoding-type") : "";
}

}  // namespace detail

namespace {

using detail::join;
using detail::Source;

std::string listed(const std::vector<std::string>& names) {
  if (names.empty()) return "nothing";
  std::string out;
  for (std::size_t k = 0; k < names.size() && k < 12; ++k) {
    out += (k == 0 ? "\"" : ", \"") + names[k] + "\"";
  }
  return names.size() > 12 ? out + " and more" : out;
}

Matrix checked(const Source& source, const std::string& path, std::optional<Matrix> matrix,
               std::size_t n_rows, std::size_t n_columns) {
  if (!matrix) source.damaged(path, "is no matrix of numbers");
  // A single gene may be stored as a vector.
  if (matrix->layout == Layout::dense && matrix->n_columns == 1 && n_rows == 1 &&
      matrix->n_rows == n_columns) {
    std::swap(matrix->n_rows, matrix->n_columns);
  }
  if (matrix->n_rows != n_rows || matrix->n_columns != n_columns) {
    source.damaged(path, "has " + std::to_string(matrix->n_rows) + " x " +
                             std::to_string(matrix->n_columns) + " values for " +
                             std::to_string(n_rows) + " observations x " +
                             std::to_string(n_columns) + " variables");
  }
  return std::move(*matrix);
}

// anndata < 0.7 stores codes in the table and the categories in uns.
void restore_categories(const Source& source, Table& table, std::vector<std::string>& used) {
  for (Column& column : table.columns) {
    const std::string path = "uns/" + column.name + "_categories";
    if (column.values.type != ValueType::integer || !source.file.is_dataset(path)) continue;
    column.values.type = ValueType::categorical;
    column.values.texts = detail::read_texts(source, path);
    const auto n = static_cast<std::int32_t>(column.values.texts.size());
    for (const std::int32_t code : column.values.integers) {
      if (code < -1 || code >= n) source.damaged(path, "lacks the category of a code");
    }
    used.push_back(path);
  }
}

void read_layers(const Source& source, const ReadOptions& options, Contents& out) {
  std::vector<std::string> names;
  if (source.file.is_group("layers")) names = source.file.children("layers");
  if (options.layers) {
    for (const std::string& name : *options.layers) {
      if (std::find(names.begin(), names.end(), name) != names.end()) continue;
      throw Error("assays", "must be \"X\" or layers that the file has",
                  "\"" + source.file.name() + "\" has no layer \"" + name + "\".",
                  "Its layers: " + listed(names) + ".");
    }
    names = *options.layers;
  }
  for (const std::string& name : names) {
    const std::string path = join("layers", name);
    out.layers.push_back({name, checked(source, path, detail::read_matrix(source, path),
                                        out.obs.n_rows, out.var.n_rows)});
  }
}

void read_obsm(const Source& source, Contents& out) {
  if (source.file.is_dataset("obsm")) {
    Table rest = detail::read_records(source, "obsm", &out.obsm);
    for (Column& column : rest.columns) {
      out.obsm.push_back({column.name, std::move(column.values)});
    }
  } else if (source.file.is_group("obsm")) {
    for (const std::string& name : source.file.children("obsm")) {
      const std::string path = join("obsm", name);
      if (detail::is_table(source, path)) {
        out.obsm.push_back({name, detail::read_table(source, path)});
      } else if (std::optional<Matrix> matrix = detail::read_matrix(source, path)) {
        out.obsm.push_back({name, std::move(*matrix)});
      }
    }
  }
  for (const Item& item : out.obsm) {
    std::size_t n = 0;
    if (const auto* matrix = std::get_if<Matrix>(&item.content)) n = matrix->n_rows;
    if (const auto* table = std::get_if<Table>(&item.content)) n = table->n_rows;
    if (const auto* values = std::get_if<Values>(&item.content)) n = values->size();
    if (n == out.obs.n_rows) continue;
    source.damaged(join("obsm", item.path), "has " + std::to_string(n) + " rows for " +
                                                std::to_string(out.obs.n_rows) + " observations");
  }
}

void read_uns(const Source& source, const std::string& path, const std::vector<std::string>& used,
              int depth, std::vector<Item>& out) {
  if (std::find(used.begin(), used.end(), path) != used.end()) return;
  const std::string name = path.size() > 4 ? path.substr(4) : "";  // without "uns/"
  if (depth > 32) {
    source.skip(path, "nested too deeply");
  } else if (detail::is_table(source, path)) {
    const bool records = source.file.is_dataset(path);
    out.push_back({name, records ? detail::read_records(source, path, nullptr)
                                 : detail::read_table(source, path)});
  } else if (detail::is_sparse(source, path)) {
    if (auto matrix = detail::read_matrix(source, path)) out.push_back({name, std::move(*matrix)});
  } else if (source.file.is_group(path)) {
    const std::string type = detail::encoding(source, path);
    if (type.empty() || type == "dict") {
      for (const std::string& child : source.file.children(path)) {
        read_uns(source, join(path, child), used, depth + 1, out);
      }
    } else if (auto values = detail::read_values(source, path)) {
      out.push_back({name, std::move(*values)});
    }
  } else if (detail::encoding(source, path) == "null") {
    source.skip(path, "has no value");
  } else if (auto values = detail::read_values(source, path)) {
    out.push_back({name, std::move(*values)});
  }
}

void read_raw(const Source& source, Contents& out) {
  const bool old = !source.file.exists("raw");
  const std::string x = old ? "raw.X" : "raw/X", var = old ? "raw.var" : "raw/var";
  if (!source.file.exists(x)) return;
  if (!source.file.exists(var)) source.damaged(x, "has no table of variables beside it");
  out.raw_var = detail::read_table(source, var);
  out.raw_x =
      checked(source, x, detail::read_matrix(source, x), out.obs.n_rows, out.raw_var.n_rows);
}

void note_the_rest(const Source& source) {
  for (const char* name : {"varm", "obsp", "varp"}) {
    if (!source.file.is_group(name)) continue;
    const std::vector<std::string> inside = source.file.children(name);
    if (!inside.empty()) source.skip(name, "not read; it holds " + listed(inside));
  }
}

hdf5::File open_h5ad(const std::string& path) {
  hdf5::File file = hdf5::File::open_read(path);
  if (file.exists("obs") && file.exists("var")) return file;
  throw Error("path", "must name an .h5ad file",
              "\"" + path + "\" has no tables \"obs\" and \"var\"; it holds " +
                  listed(file.children()) + ".",
              "Other HDF5 formats (10x, loom) are converted by anndata or their own packages.");
}

bool has_x(const Source& source) {
  return source.file.exists("X") && detail::encoding(source, "X") != "null";
}

Contents read_all(const std::string& path, const ReadOptions& options, bool sketch) {
  const hdf5::File file = open_h5ad(path);
  Contents out;
  const Source source{file, out.skipped, sketch};
  out.obs = detail::read_table(source, "obs");
  out.var = detail::read_table(source, "var");
  std::vector<std::string> used;
  if (file.is_dataset("obs")) restore_categories(source, out.obs, used);
  if (file.is_dataset("var")) restore_categories(source, out.var, used);
  if (options.x && has_x(source)) {
    out.x = checked(source, "X", detail::read_matrix(source, "X"), out.obs.n_rows, out.var.n_rows);
  }
  read_layers(source, options, out);
  if (options.obsm) read_obsm(source, out);
  if (options.uns && file.is_group("uns")) read_uns(source, "uns", used, 0, out.uns);
  if (options.raw) read_raw(source, out);
  note_the_rest(source);
  return out;
}

Contents read_or_explain(const std::string& path, const ReadOptions& options, bool sketch) {
  try {
    return read_all(path, options, sketch);
  } catch (const std::bad_alloc&) {
    throw Error("path", "must name a file that fits into memory", "\"" + path + "\" does not.",
                "Read fewer layers, or keep the variable genes only.");
  } catch (const std::length_error&) {
    throw Error("path", "must name an intact .h5ad file",
                "\"" + path + "\" claims more values than there can be.",
                "The file may be damaged; copy or download it again.");
  }
}

Outline read_outline(const std::string& path) {
  const hdf5::File file = open_h5ad(path);
  std::vector<Skipped> ignored;
  Outline out;
  out.x = has_x(Source{file, ignored});
  out.raw = file.exists("raw/X") || file.exists("raw.X");
  if (file.is_group("layers")) out.layers = file.children("layers");
  if (file.is_group("obsm")) out.obsm = file.children("obsm");
  return out;
}

}  // namespace

Outline outline(const std::string& path) {
  hdf5::rehearse(path, [&] { read_outline(path); });
  return read_outline(path);
}

Contents read(const std::string& path, const ReadOptions& options) {
  hdf5::rehearse(path, [&] { read_or_explain(path, options, true); });
  return read_or_explain(path, options, false);
}

}  // namespace compert::h5ad
