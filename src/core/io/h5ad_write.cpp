#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <random>
#include <unordered_map>

#include "compert/error.h"
#include "h5ad_detail.h"
#include "links.h"

namespace compert::h5ad {

namespace {

using detail::check_name;
using detail::join;
using detail::Target;
using hdf5::File;
using hdf5::Shape;

bool fits_single(const std::vector<double>& values) {
  constexpr double kMost = std::numeric_limits<float>::max();
  return std::all_of(values.begin(), values.end(), [](double v) {
    if (!std::isfinite(v)) return true;
    return std::fabs(v) <= kMost && static_cast<double>(static_cast<float>(v)) == v;
  });
}

void write_numbers(const Target& target, const std::string& path, const std::vector<double>& values,
                   const Shape& shape) {
  if (fits_single(values)) {
    const std::vector<float> single(values.begin(), values.end());
    target.file.write(path, single.data(), shape, target.deflate);
  } else {
    target.file.write(path, values.data(), shape, target.deflate);
  }
}

void write_matrix(const Target& target, const std::string& path, const Matrix& matrix) {
  if (matrix.layout == Layout::dense) {
    write_numbers(target, path, matrix.values, {matrix.n_rows, matrix.n_columns});
    target.encode(path, "array", "0.2.0");
    return;
  }
  const bool by_row = matrix.layout == Layout::csr;
  target.group(path, by_row ? "csr_matrix" : "csc_matrix", "0.1.0");
  target.file.set_attribute(path, "shape",
                            std::vector<std::int64_t>{static_cast<std::int64_t>(matrix.n_rows),
                                                      static_cast<std::int64_t>(matrix.n_columns)});
  write_numbers(target, join(path, "data"), matrix.values, {matrix.values.size()});
  target.file.write(join(path, "indices"), matrix.indices, target.deflate);
  if (matrix.offsets.back() > std::numeric_limits<std::int32_t>::max()) {
    target.file.write(join(path, "indptr"), matrix.offsets, target.deflate);
  } else {
    const std::vector<std::int32_t> narrow(matrix.offsets.begin(), matrix.offsets.end());
    target.file.write(join(path, "indptr"), narrow, target.deflate);
  }
}

template <typename T>
void write_codes(const Target& target, const std::string& path, const Values& values) {
  const std::vector<T> codes(values.integers.begin(), values.integers.end());
  target.file.write(path, codes.data(), values.shape, target.deflate);
}

void write_categorical(const Target& target, const std::string& path, const Values& values) {
  target.group(path, "categorical", "0.2.0");
  target.file.set_attribute(path, "ordered", values.ordered);
  const std::string codes = join(path, "codes");
  if (values.texts.size() < 128) {
    write_codes<std::int8_t>(target, codes, values);
  } else {
    write_codes<std::int32_t>(target, codes, values);
  }
  target.encode(codes, "array", "0.2.0");
  target.texts(join(path, "categories"), values.texts, {values.texts.size()});
}

// anndata 0.8 has no text without a value, but categoricals have.
Values as_categorical(const Values& values) {
  Values out;
  out.type = ValueType::categorical;
  out.shape = values.shape;
  for (std::size_t k = 0; k < values.texts.size(); ++k) {
    if (values.missing[k] == 0) out.texts.push_back(values.texts[k]);
  }
  std::sort(out.texts.begin(), out.texts.end());
  out.texts.erase(std::unique(out.texts.begin(), out.texts.end()), out.texts.end());
  std::unordered_map<std::string, std::int32_t> place;
  for (std::size_t k = 0; k < out.texts.size(); ++k) {
    place[out.texts[k]] = static_cast<std::int32_t>(k);
  }
  for (std::size_t k = 0; k < values.texts.size(); ++k) {
    out.integers.push_back(values.missing[k] != 0 ? -1 : place[values.texts[k]]);
  }
  return out;
}

void write_plain(const Target& target, const std::string& path, const Values& values) {
  if (values.type == ValueType::real) {
    target.file.write(path, values.numbers.data(), values.shape, target.deflate);
  } else if (values.type == ValueType::integer) {
    target.file.write(path, values.integers.data(), values.shape, target.deflate);
  } else {
    const std::vector<std::uint8_t> truth(values.integers.begin(), values.integers.end());
    target.file.write_booleans(path, truth.data(), values.shape, target.deflate);
  }
  target.encode(path, values.shape.empty() ? "numeric-scalar" : "array", "0.2.0");
}

void write_values(const Target& target, const std::string& path, const Values& values) {
  const bool holes = !values.missing.empty();
  if (values.type == ValueType::categorical) {
    write_categorical(target, path, values);
  } else if (values.type == ValueType::text && holes) {
    write_categorical(target, path, as_categorical(values));
  } else if (values.type == ValueType::text && values.shape.empty()) {
    target.file.write_string(path, values.texts.at(0));
    target.encode(path, "string", "0.2.0");
  } else if (values.type == ValueType::text) {
    target.texts(path, values.texts, values.shape);
  } else if (holes && values.type != ValueType::real) {
    const bool truth = values.type == ValueType::boolean;
    target.group(path, truth ? "nullable-boolean" : "nullable-integer", "0.1.0");
    Values filled = values;
    for (std::size_t k = 0; k < filled.missing.size(); ++k) {
      if (filled.missing[k] != 0) filled.integers[k] = truth ? 0 : 1;
    }
    write_plain(target, join(path, "values"), filled);
    target.file.write_booleans(join(path, "mask"), filled.missing.data(), values.shape,
                               target.deflate);
    target.encode(join(path, "mask"), "array", "0.2.0");
  } else {
    write_plain(target, path, values);
  }
}

void write_table(const Target& target, const std::string& path, const Table& table,
                 const std::vector<std::string>& index) {
  target.group(path, "dataframe", "0.2.0");
  std::vector<std::string> order;
  for (const Column& column : table.columns) {
    check_name(column.name, path);
    if (column.name == "_index" || std::count(order.begin(), order.end(), column.name) > 0) {
      throw Error("x", "must have column names that occur once and are not \"_index\"",
                  "In " + path + " there is the column \"" + column.name + "\".", "Rename it.");
    }
    order.push_back(column.name);
  }
  target.file.set_attribute(path, "column-order", order);
  target.file.set_attribute(path, "_index", "_index");
  target.texts(join(path, "_index"), index, {index.size()});
  for (const Column& column : table.columns) {
    if (column.values.size() != index.size()) {
      throw Error("x", "must have one value per row in every column",
                  "Column \"" + column.name + "\" of " + path + " has " +
                      std::to_string(column.values.size()) + " values for " +
                      std::to_string(index.size()) + " rows.");
    }
    write_values(target, join(path, column.name), column.values);
  }
}

void check_shape(const std::string& what, const Matrix& matrix, const Table& cells, const Table& genes) {
  if (matrix.n_rows == cells.n_rows && matrix.n_columns == genes.n_rows) return;
  throw Error("x", "must have assays with one row per gene and one column per cell",
              "\"" + what + "\" has " + std::to_string(matrix.n_columns) + " genes x " +
                  std::to_string(matrix.n_rows) + " cells, not " +
                  std::to_string(genes.n_rows) + " x " + std::to_string(cells.n_rows) + ".");
}

}  // namespace

namespace detail {

void check_name(const std::string& name, const std::string& where) {
  const bool good = !name.empty() && name != "." && name != ".." &&
                    name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
  if (good) return;
  throw Error("x", "must have names that an HDF5 file can hold",
              "In " + where + " there is the name \"" + name + "\".",
              "Rename it: names are not empty and have no \"/\".");
}

void Target::encode(const std::string& path, const char* type, const char* version) const {
  file.set_attribute(path, "encoding-type", type);
  file.set_attribute(path, "encoding-version", version);
}

void Target::group(const std::string& path, const char* type, const char* version) const {
  file.create_group(path);
  encode(path, type, version);
}

void Target::texts(const std::string& path, const std::vector<std::string>& values,
                   const Shape& shape) const {
  file.write_strings(path, values, shape, deflate);
  encode(path, "string-array", "0.2.0");
}

void write_item(const Target& target, const std::string& group, const Item& item,
                const std::vector<std::string>& names) {
  const std::string path = join(group, item.path);
  for (std::size_t end = path.find('/'); end != std::string::npos; end = path.find('/', end + 1)) {
    const std::string parent = path.substr(0, end);
    if (!target.file.exists(parent)) target.group(parent, "dict", "0.1.0");
  }
  if (const auto* matrix = std::get_if<Matrix>(&item.content)) {
    write_matrix(target, path, *matrix);
  } else if (const auto* table = std::get_if<Table>(&item.content)) {
    std::vector<std::string> index = names.empty() ? table->index : names;
    for (std::size_t k = index.size(); k < table->n_rows; ++k) index.push_back(std::to_string(k));
    write_table(target, path, *table, index);
  } else {
    write_values(target, path, std::get<Values>(item.content));
  }
}

void write_frame(const Target& target, const std::string& group, const char* type, const Table& obs,
                 const Table& var) {
  target.encode(group.empty() ? "/" : group, type, "0.1.0");
  write_table(target, join(group, "obs"), obs, obs.index);
  write_table(target, join(group, "var"), var, var.index);
  for (const char* name : {"obsm", "varm", "obsp", "varp", "uns"}) {
    target.group(join(group, name), "dict", "0.1.0");
  }
}

void write_structure(const Target& target, const std::string& group, const Contents& contents) {
  const auto at = [&](const std::string& name) { return join(group, name); };
  write_frame(target, group, "anndata", contents.obs, contents.var);
  target.group(at("layers"), "dict", "0.1.0");
  if (contents.x) {
    check_shape("X", *contents.x, contents.obs, contents.var);
    write_matrix(target, at("X"), *contents.x);
  }
  for (const NamedMatrix& layer : contents.layers) {
    check_name(layer.name, at("layers"));
    check_shape(layer.name, layer.matrix, contents.obs, contents.var);
    write_matrix(target, join(at("layers"), layer.name), layer.matrix);
  }
  for (const Item& item : contents.obsm) {
    check_name(item.path, at("obsm"));
    write_item(target, at("obsm"), item, contents.obs.index);
  }
  for (const Item& item : contents.uns) write_item(target, at("uns"), item, {});
  if (contents.raw_x) {
    check_shape("raw", *contents.raw_x, contents.obs, contents.raw_var);
    target.group(at("raw"), "raw", "0.1.0");
    write_matrix(target, at("raw/X"), *contents.raw_x);
    write_table(target, at("raw/var"), contents.raw_var, contents.raw_var.index);
    target.group(at("raw/varm"), "dict", "0.1.0");
  }
}

void write_beside(const std::string& path, const std::function<void(const std::string&)>& make) {
  namespace fs = std::filesystem;
  std::error_code code;
  const fs::path final = behind_links(path);
  if (fs::exists(final, code) && !fs::is_regular_file(final, code)) {
    throw Error("path", "must name a file that can be written", "\"" + path + "\" is there and is no file.",
                "Name a file, new or to be replaced.");
  }
  const fs::path part = final.string() + "." + std::to_string(std::random_device{}()) + ".part";
  try {
    make(part.string());
  } catch (...) {
    fs::remove(part, code);
    throw;
  }
  fs::rename(part, final, code);
  if (code) {
    const std::string reason = code.message();
    fs::remove(part, code);
    throw Error("path", "must name a file that can be written", "\"" + path + "\": " + reason + ".",
                "Check that it is no folder and that you may write there.");
  }
}

}  // namespace detail

void write(const std::string& path, const Contents& contents, int deflate) {
  detail::write_beside(path, [&](const std::string& part) {
    File file = File::create(part);
    detail::write_structure({file, deflate}, "", contents);
    file.close();
  });
}

}  // namespace compert::h5ad
