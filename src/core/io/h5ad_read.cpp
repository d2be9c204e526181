#include <algorithm>
#include <new>
#include <stdexcept>
#include <utility>

#include "compert/error.h"
#include "h5ad_detail.h"

namespace compert::h5ad {

namespace detail {

std::string Source::at(const std::string& name) const { return join(group, name); }

void Source::skip(const std::string& path, const std::string& reason) const {
  skipped.push_back({path, reason});
}

void Source::damaged(const std::string& path, const std::string& problem) const {
  throw Error("path",
              std::string("must name an intact ") + (group.empty() ? ".h5ad" : ".h5mu") + " file",
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

// What messages call the file, or the group of it that is read.
std::string called(const std::string& path, const std::string& group) {
  return (group.empty() ? "\"" : "Group \"" + group + "\" of \"") + path + "\"";
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
    const std::string path = source.at("uns/" + column.name + "_categories");
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
  const std::string group = source.at("layers");
  std::vector<std::string> names;
  if (source.file.is_group(group)) names = source.file.children(group);
  if (options.layers) {
    for (const std::string& name : *options.layers) {
      if (std::find(names.begin(), names.end(), name) != names.end()) continue;
      throw Error("assays", "must be \"X\" or layers that the file has",
                  called(source.file.name(), source.group) + " has no layer \"" + name + "\".",
                  "Its layers: " + listed(names) + ".");
    }
    names = *options.layers;
  }
  for (const std::string& name : names) {
    const std::string path = join(group, name);
    out.layers.push_back({name, checked(source, path, detail::read_matrix(source, path),
                                        out.obs.n_rows, out.var.n_rows)});
  }
}

void read_obsm(const Source& source, Contents& out) {
  const std::string obsm = source.at("obsm");
  if (source.file.is_dataset(obsm)) {
    Table rest = detail::read_records(source, obsm, &out.obsm);
    for (Column& column : rest.columns) {
      out.obsm.push_back({column.name, std::move(column.values)});
    }
  } else if (source.file.is_group(obsm)) {
    for (const std::string& name : source.file.children(obsm)) {
      const std::string path = join(obsm, name);
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
    source.damaged(join(obsm, item.path), "has " + std::to_string(n) + " rows for " +
                                              std::to_string(out.obs.n_rows) + " observations");
  }
}

void read_uns(const Source& source, const std::string& path, const std::vector<std::string>& used,
              int depth, std::vector<Item>& out) {
  if (std::find(used.begin(), used.end(), path) != used.end()) return;
  const std::size_t before = source.at("uns/").size();
  const std::string name = path.size() > before ? path.substr(before) : "";
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
  const bool old = !source.file.exists(source.at("raw"));
  const std::string x = source.at(old ? "raw.X" : "raw/X");
  const std::string var = source.at(old ? "raw.var" : "raw/var");
  if (!source.file.exists(x)) return;
  if (!source.file.exists(var)) source.damaged(x, "has no table of variables beside it");
  out.raw_var = detail::read_table(source, var);
  out.raw_x =
      checked(source, x, detail::read_matrix(source, x), out.obs.n_rows, out.raw_var.n_rows);
}

bool is_mudata(const hdf5::File& file, const std::string& group) {
  return file.is_group(join(group, "mod"));
}

bool lacks_var(const hdf5::File& file, const std::string& group) {
  const std::vector<std::string> names = file.children(group);
  return std::find(names.begin(), names.end(), "var") == names.end();
}

// In varm and the like, MuData says of each modality which variables are its own.
void note_the_rest(const Source& source) {
  std::vector<std::string> own;
  if (is_mudata(source.file, source.group)) own = source.file.children(source.at("mod"));
  for (const char* name : {"varm", "obsp", "varp", "mod"}) {
    const std::string path = source.at(name);
    if (!source.file.is_group(path)) continue;
    std::vector<std::string> inside = source.file.children(path);
    const auto known = [&](const std::string& child) {
      return std::find(own.begin(), own.end(), child) != own.end();
    };
    if (name != std::string("mod")) {
      inside.erase(std::remove_if(inside.begin(), inside.end(), known), inside.end());
    }
    if (!inside.empty()) source.skip(path, "not read; it holds " + listed(inside));
  }
}

hdf5::File open_h5ad(const std::string& path, const std::string& group) {
  hdf5::File file = hdf5::File::open_read(path);
  const bool has_var = file.exists(join(group, "var"));
  const bool needs_none = !has_var && is_mudata(file, group) && lacks_var(file, group);
  if ((has_var || needs_none) && file.exists(join(group, "obs"))) return file;
  if (!file.is_group(group)) {
    throw Error("path", "must name a file that has the group \"" + group + "\"",
                "\"" + path + "\" has none; it holds " + listed(file.children()) + ".",
                "The modalities of an .h5mu file are the groups in \"mod\".");
  }
  throw Error("path", group.empty() ? "must name an .h5ad file" : "must name an .h5mu file",
              called(path, group) + " has no tables \"obs\" and \"var\"; it holds " +
                  listed(file.children(group)) + ".",
              "Other HDF5 formats (10x, loom) are converted by anndata or their own packages.");
}

bool has_x(const Source& source) {
  const std::string x = source.at("X");
  return source.file.exists(x) && detail::encoding(source, x) != "null";
}

Contents read_all(const std::string& path, const ReadOptions& options, const std::string& group,
                  bool sketch) {
  const hdf5::File file = open_h5ad(path, group);
  Contents out;
  const Source source{file, out.skipped, sketch, group};
  const std::string x = source.at("X"), obs = source.at("obs"), var = source.at("var");
  const std::string uns = source.at("uns");
  out.obs = detail::read_table(source, obs);
  if (file.exists(var)) out.var = detail::read_table(source, var);
  std::vector<std::string> used;
  if (file.is_dataset(obs)) restore_categories(source, out.obs, used);
  if (file.is_dataset(var)) restore_categories(source, out.var, used);
  if (options.x && has_x(source)) {
    out.x = checked(source, x, detail::read_matrix(source, x), out.obs.n_rows, out.var.n_rows);
  }
  read_layers(source, options, out);
  if (options.obsm) read_obsm(source, out);
  if (options.uns && file.is_group(uns)) read_uns(source, uns, used, 0, out.uns);
  if (options.raw) read_raw(source, out);
  note_the_rest(source);
  return out;
}

Contents read_or_explain(const std::string& path, const ReadOptions& options,
                         const std::string& group, bool sketch) {
  try {
    return read_all(path, options, group, sketch);
  } catch (const std::bad_alloc&) {
    throw Error("path", "must name a file that fits into memory", "\"" + path + "\" does not.",
                "Read fewer layers, or keep the variable genes only.");
  } catch (const std::length_error&) {
    throw Error("path", "must name an intact .h5ad file",
                "\"" + path + "\" claims more values than there can be.",
                "The file may be damaged; copy or download it again.");
  }
}

Outline read_outline(const std::string& path, const std::string& group) {
  const hdf5::File file = open_h5ad(path, group);
  std::vector<Skipped> ignored;
  const Source source{file, ignored, false, group};
  const auto children = [&](const char* name) {
    const std::string inside = source.at(name);
    return file.is_group(inside) ? file.children(inside) : std::vector<std::string>();
  };
  Outline out;
  out.x = has_x(source);
  out.raw = file.exists(source.at("raw/X")) || file.exists(source.at("raw.X"));
  out.layers = children("layers");
  out.obsm = children("obsm");
  return out;
}

}  // namespace

Outline outline(const std::string& path, const std::string& group) {
  hdf5::rehearse(path, [&] { read_outline(path, group); });
  return read_outline(path, group);
}

Contents read(const std::string& path, const ReadOptions& options, const std::string& group) {
  hdf5::rehearse(path, [&] { read_or_explain(path, options, group, true); });
  return read_or_explain(path, options, group, false);
}

}  // namespace compert::h5ad
