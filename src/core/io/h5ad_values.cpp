// Arrays of .h5ad files: plain, categorical and nullable.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <unordered_set>
#include <utility>

#include "h5ad_detail.h"

namespace compert::h5ad {

std::size_t Values::size() const {
  switch (type) {
    case ValueType::real:
      return numbers.size();
    case ValueType::text:
      return texts.size();
    default:
      return integers.size();
  }
}

namespace detail {

namespace {

// Length of the UTF-8 sequence at `at`, or 0 when there is none.
std::size_t sequence_length(const std::string& text, std::size_t at) {
  const auto byte = [&](std::size_t k) {
    return k < text.size() ? static_cast<unsigned char>(text[k]) : 0U;
  };
  const unsigned lead = byte(at);
  if (lead < 0x80) return 1;
  const std::size_t n = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  for (std::size_t k = 1; k < n; ++k) {
    if ((byte(at + k) & 0xC0U) != 0x80) return 0;
  }
  const unsigned second = byte(at + 1);
  const bool bad = (lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
                   (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F);
  return bad ? 0 : n;
}

bool is_utf8(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t n = sequence_length(text, at);
    if (n == 0) return false;
    at += n;
  }
  return true;
}

std::string from_latin1(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xC0U | (byte >> 6U));
      out += static_cast<char>(0x80U | (byte & 0x3FU));
    }
  }
  return out;
}

// The number with `bits` bits of precision that is nearest to `value`.
double rounded(double value, int bits) {
  int exponent = 0;
  const double part = std::frexp(value, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(part, bits)), exponent - bits);
}

// The number of the fewest decimal places that gives `value` back in `bits` bits of precision.
double fewest_decimals(double value, int bits) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  double scale = 1;
  for (int places = 0; places <= 22 && std::abs(value) * scale < kExact; ++places, scale *= 10) {
    const double candidate = std::nearbyint(value * scale) / scale;
    if (rounded(candidate, bits) == value) return candidate;
  }
  return value;
}

// The fewest digits that give the number back.
std::string number_text(double value) {
  char text[32];
  for (const int digits : {15, 16, 17}) {
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    if (std::strtod(text, nullptr) == value) break;
  }
  return text;
}

/// Of identifiers, which may be too large for a double.
template <typename T>
std::vector<std::string> whole_numbers(const Source& source, const std::string& path) {
  std::vector<std::string> out;
  for (const T number : source.file.read<T>(path)) out.push_back(std::to_string(number));
  return out;
}

void read_integers(const Source& source, const std::string& path, Values& out) {
  const std::vector<std::int64_t> wide = source.file.read<std::int64_t>(path, &out.shape);
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  const auto within = [&](std::int64_t most) {
    return std::all_of(wide.begin(), wide.end(),
                       [most](std::int64_t v) { return v >= -most && v <= most; });
  };
  if (within(kMost)) {
    out.type = ValueType::integer;
    out.integers.assign(wide.begin(), wide.end());
    return;
  }
  if (!within(kExact)) source.skip(path, "whole numbers beyond 2^53 are rounded, but kept");
  out.type = ValueType::real;
  out.numbers = source.file.read<double>(path);
}

void read_enumeration(const Source& source, const std::string& path, const hdf5::Type& type,
                      Values& out) {
  const std::vector<std::int64_t> codes = source.file.read<std::int64_t>(path, &out.shape);
  out.type = ValueType::categorical;
  out.texts = type.levels;
  for (const std::int64_t code : codes) {
    const auto at = std::find(type.values.begin(), type.values.end(), code);
    out.integers.push_back(at == type.values.end() ? -1
                                                   : static_cast<int>(at - type.values.begin()));
  }
}

std::optional<Values> read_array(const Source& source, const std::string& path) {
  Values out;
  const hdf5::Type type = source.file.type(path);
  switch (type.kind) {
    case hdf5::Kind::string:
      out.type = ValueType::text;
      out.texts = source.file.read_strings(path, &out.shape);
      repair_texts(source, path, out.texts);
      break;
    case hdf5::Kind::integer:
      read_integers(source, path, out);
      break;
    case hdf5::Kind::real:
      out.type = ValueType::real;
      out.numbers = source.file.read<double>(path, &out.shape);
      as_written(out.numbers, type.size);
      break;
    case hdf5::Kind::boolean:
      out.type = ValueType::boolean;
      out.integers = source.file.read<std::int32_t>(path, &out.shape);
      for (std::int32_t& value : out.integers) value = value != 0 ? 1 : 0;
      break;
    case hdf5::Kind::enumeration:
      read_enumeration(source, path, type, out);
      break;
    default:
      source.skip(path, "an array of values that are neither numbers, truth values nor text");
      return std::nullopt;
  }
  return out;
}

Values read_categorical(const Source& source, const std::string& path,
                        const std::string& codes_path, const std::string& categories_path) {
  Values out;
  out.type = ValueType::categorical;
  const auto codes = source.file.read<std::int64_t>(codes_path, &out.shape);
  out.texts = read_texts(source, categories_path);
  for (const std::int64_t code : codes) {
    if (code < -1 || code >= static_cast<std::int64_t>(out.texts.size())) {
      source.damaged(path, "has the code " + std::to_string(code) + " for " +
                               std::to_string(out.texts.size()) + " categories");
    }
  }
  out.integers.assign(codes.begin(), codes.end());
  if (std::unordered_set<std::string>(out.texts.begin(), out.texts.end()).size() !=
      out.texts.size()) {
    source.damaged(path, "has a category twice");
  }
  return out;
}

bool read_flag(const Source& source, const std::string& path, const std::string& name) {
  return source.file.has_attribute(path, name) && source.file.attribute_int(path, name) != 0;
}

bool is_nullable(const Source& source, const std::string& path) {
  if (!source.file.is_group(path)) return false;
  const std::string type = encoding(source, path);
  const auto has = [&](const char* name) { return source.file.is_dataset(join(path, name)); };
  return type.compare(0, 9, "nullable-") == 0 || (type.empty() && has("values") && has("mask"));
}

/// 1 for each of the `size` values that is missing; empty where none is.
std::vector<std::uint8_t> read_mask(const Source& source, const std::string& path, std::size_t size) {
  if (!source.file.exists(join(path, "mask"))) return {};
  std::vector<std::uint8_t> mask = source.file.read<std::uint8_t>(join(path, "mask"));
  if (mask.size() != size)
    source.damaged(path, "has " + std::to_string(size) + " values but a mask of " + std::to_string(mask.size()));
  if (std::none_of(mask.begin(), mask.end(), [](std::uint8_t m) { return m != 0; })) mask.clear();
  return mask;
}

std::optional<Values> read_nullable(const Source& source, const std::string& path) {
  std::optional<Values> out = read_array(source, join(path, "values"));
  if (out) out->missing = read_mask(source, path, out->size());
  return out;
}

// Where anndata 0.7 keeps the categories of the column at `path`, or "".
std::string old_categories(const Source& source, const std::string& path) {
  if (source.file.has_attribute(path, "categories")) {
    return source.file.attribute_target(path, "categories");
  }
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return "";
  const std::string kept = path.substr(0, slash) + "/__categories" + path.substr(slash);
  return source.file.exists(kept) ? kept : "";
}

}  // namespace

void as_written(std::vector<double>& numbers, std::size_t size) {
  if (size > 4) return;
  for (double& number : numbers) number = fewest_decimals(number, size == 4 ? 24 : 11);
}

void repair_texts(const Source& source, const std::string& path, std::vector<std::string>& texts) {
  bool repaired = false;
  for (std::string& text : texts) {
    if (is_utf8(text)) continue;
    text = from_latin1(text);
    repaired = true;
  }
  if (repaired) source.skip(path, "text that is not UTF-8 was read as Latin-1");
}

std::vector<std::string> read_texts(const Source& source, const std::string& path) {
  if (is_nullable(source, path)) {
    std::vector<std::string> out = read_texts(source, join(path, "values"));
    if (!read_mask(source, path, out.size()).empty()) source.damaged(path, "lacks some of its names");
    return out;
  }
  if (source.file.is_dataset(path) && old_categories(source, path).empty()) {
    const hdf5::Type type = source.file.type(path);
    if (type.kind == hdf5::Kind::integer)
      return type.is_signed ? whole_numbers<std::int64_t>(source, path) : whole_numbers<std::uint64_t>(source, path);
  }
  std::optional<Values> values = read_values(source, path);
  if (!values) source.damaged(path, "holds no text");
  if (values->type == ValueType::text) return std::move(values->texts);
  std::vector<std::string> out;
  for (const double number : values->numbers) out.push_back(number_text(number));
  for (const std::int32_t number : values->integers) {
    if (values->type == ValueType::boolean) {
      out.emplace_back(number != 0 ? "TRUE" : "FALSE");
    } else {
      out.push_back(number < 0 ? "NA" : values->texts[static_cast<std::size_t>(number)]);
    }
  }
  return out;
}

std::optional<Values> read_values(const Source& source, const std::string& path) {
  if (source.file.is_dataset(path)) {
    const std::string categories = old_categories(source, path);
    if (categories.empty()) return read_array(source, path);
    Values out = read_categorical(source, path, path, categories);
    out.ordered = read_flag(source, categories, "ordered");
    return out;
  }
  const std::string type = encoding(source, path);
  if (type == "categorical" || (type.empty() && source.file.is_dataset(join(path, "codes")) &&
                                source.file.exists(join(path, "categories")))) {
    Values out = read_categorical(source, path, join(path, "codes"), join(path, "categories"));
    out.ordered = read_flag(source, path, "ordered");
    return out;
  }
  if (is_nullable(source, path)) return read_nullable(source, path);
  source.skip(path, type.empty() ? "neither an array nor a known group"
                                 : "encoding \"" + type + "\" is not known");
  return std::nullopt;
}

}  // namespace detail

}  // namespace compert::h5ad
