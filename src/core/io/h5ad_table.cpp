// Data frames of .h5ad files.

#include <algorithm>
#include <set>
#include <utility>

#include "h5ad_detail.h"

namespace compert::h5ad::detail {

namespace {

// The columns in their order. One that is listed may also be the index.
std::vector<std::string> column_names(const Source& source, const std::string& path,
                                      const std::string& index) {
  std::vector<std::string> names;
  if (source.file.has_attribute(path, "column-order")) {
    // Without columns, anndata writes an empty array of numbers.
    const bool any = source.file.attribute_type(path, "column-order").kind == hdf5::Kind::string;
    if (any) names = source.file.attribute_strings(path, "column-order");
  } else {
    names = source.file.children(path);
    for (const std::string& other : {std::string("__categories"), index}) {
      names.erase(std::remove(names.begin(), names.end(), other), names.end());
    }
  }
  if (std::set<std::string>(names.begin(), names.end()).size() != names.size()) {
    source.damaged(path, "lists a column twice");
  }
  return names;
}

std::string index_name(const Source& source, const std::string& path) {
  if (source.file.has_attribute(path, "_index")) {
    return source.file.attribute_string(path, "_index");
  }
  for (const char* name : {"_index", "index"}) {
    if (source.file.exists(join(path, name))) return name;
  }
  source.damaged(path, "has no index");
}

void add_member(const Source& source, const std::string& path, const hdf5::Type& member, Table& out,
                std::vector<Item>* matrices) {
  const std::string where = join(path, member.name);
  const bool numeric = member.kind == hdf5::Kind::integer || member.kind == hdf5::Kind::real ||
                       member.kind == hdf5::Kind::boolean;
  if (!member.dims.empty()) {
    if (!numeric || member.dims.size() != 1 || matrices == nullptr) {
      source.skip(where, "a member of more than one dimension");
      return;
    }
    Matrix matrix;
    matrix.n_rows = out.n_rows;
    matrix.n_columns = member.dims[0];
    matrix.values = source.file.read_member<double>(path, member.name);
    matrices->push_back({member.name, std::move(matrix)});
    return;
  }
  Values values;
  values.shape = {out.n_rows};
  if (member.kind == hdf5::Kind::string) {
    values.type = ValueType::text;
    values.texts = source.file.read_member_strings(path, member.name);
    repair_texts(source, where, values.texts);
  } else if (member.kind == hdf5::Kind::real || (numeric && member.size >= 4)) {
    values.type = ValueType::real;
    values.numbers = source.file.read_member<double>(path, member.name);
    if (member.kind == hdf5::Kind::real) as_written(values.numbers, member.size);
    const bool whole = member.kind == hdf5::Kind::integer &&
                       std::all_of(values.numbers.begin(), values.numbers.end(),
                                   [](double v) { return v > -2147483648.0 && v < 2147483648.0; });
    if (whole) {
      values.type = ValueType::integer;
      values.integers.assign(values.numbers.begin(), values.numbers.end());
      values.numbers.clear();
    }
  } else if (numeric) {
    const bool truth = member.kind == hdf5::Kind::boolean;
    values.type = truth ? ValueType::boolean : ValueType::integer;
    values.integers = source.file.read_member<std::int32_t>(path, member.name);
  } else {
    source.skip(where, "neither numbers, truth values nor text");
    return;
  }
  out.columns.push_back({member.name, std::move(values)});
}

Table read_frame(const Source& source, const std::string& path) {
  Table out;
  const std::string index = index_name(source, path);
  out.index = read_texts(source, join(path, index));
  out.n_rows = out.index.size();
  for (const std::string& name : column_names(source, path, index)) {
    const std::string where = join(path, name);
    if (!source.file.exists(where)) source.damaged(where, "is listed as a column but not there");
    std::optional<Values> values = read_values(source, where);
    if (!values) continue;
    if (values->shape.size() == 2 && values->shape[1] == 1) values->shape.pop_back();
    if (values->shape.size() != 1) {
      source.skip(where, "a column of more than one dimension");
      continue;
    }
    if (values->size() != out.n_rows) {
      source.damaged(where, "has " + std::to_string(values->size()) + " values for " +
                                std::to_string(out.n_rows) + " rows");
    }
    out.columns.push_back({name, std::move(*values)});
  }
  return out;
}

}  // namespace

bool is_table(const Source& source, const std::string& path) {
  if (source.file.is_group(path)) {
    return encoding(source, path) == "dataframe" || source.file.has_attribute(path, "column-order");
  }
  return source.file.is_dataset(path) && source.file.type(path).kind == hdf5::Kind::compound &&
         source.file.shape(path).size() == 1;
}

Table read_records(const Source& source, const std::string& path, std::vector<Item>* matrices) {
  const hdf5::Type type = source.file.type(path);
  const hdf5::Shape shape = source.file.shape(path);
  if (type.kind != hdf5::Kind::compound || shape.size() != 1) {
    source.damaged(path, "is no table");
  }
  Table out;
  out.n_rows = shape[0];
  for (const hdf5::Type& member : type.members) add_member(source, path, member, out, matrices);
  return out;
}

Table read_table(const Source& source, const std::string& path) {
  if (source.file.is_group(path)) return read_frame(source, path);
  Table out = read_records(source, path, nullptr);
  const auto is_index = [](const Column& c) { return c.name == "index" || c.name == "_index"; };
  const auto at = std::find_if(out.columns.begin(), out.columns.end(), is_index);
  if (at == out.columns.end() || at->values.type != ValueType::text) {
    source.damaged(path, "has no index");
  }
  out.index = std::move(at->values.texts);
  out.columns.erase(at);
  return out;
}

}  // namespace compert::h5ad::detail
