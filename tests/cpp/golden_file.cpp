#include "golden_file.h"

#include <hdf5.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <stdexcept>

namespace golden {
namespace {

/// Closes an HDF5 identifier of any kind (file, group, data set, type, space, attribute).
class Id {
 public:
  explicit Id(hid_t id) : id_(id) {}
  ~Id() {
    if (id_ >= 0) H5Idec_ref(id_);
  }
  Id(const Id&) = delete;
  Id& operator=(const Id&) = delete;
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
};

std::vector<std::size_t> extent_of(hid_t space) {
  const int rank = H5Sget_simple_extent_ndims(space);
  std::vector<hsize_t> dims(static_cast<std::size_t>(std::max(rank, 0)));
  if (rank > 0) H5Sget_simple_extent_dims(space, dims.data(), nullptr);
  return std::vector<std::size_t>(dims.begin(), dims.end());
}

std::size_t count_of(const std::vector<std::size_t>& shape) {
  std::size_t n = 1;
  for (std::size_t d : shape) n *= d;
  return n;
}

/// Text of `n` fixed or variable strings, read by `get(memory_type, buffer)`.
template <class Get>
std::vector<std::string> strings_of(hid_t type, hid_t space, std::size_t n, Get get) {
  std::vector<std::string> out;
  if (H5Tis_variable_str(type) > 0) {
    Id memory(H5Tcopy(type));
    std::vector<char*> text(n, nullptr);
    if (get(memory, static_cast<void*>(text.data())) < 0) return out;
    for (const char* s : text) out.emplace_back(s == nullptr ? "" : s);
    H5Dvlen_reclaim(memory, space, H5P_DEFAULT, text.data());
    return out;
  }
  const std::size_t width = H5Tget_size(type);
  std::vector<char> text(n * width + 1, '\0');
  if (get(type, static_cast<void*>(text.data())) < 0) return out;
  for (std::size_t i = 0; i < n; ++i) {
    const char* begin = text.data() + i * width;
    out.emplace_back(begin, std::find(begin, begin + width, '\0'));
  }
  return out;
}

herr_t collect_name(hid_t, const char* name, const H5L_info_t*, void* into) {
  static_cast<std::vector<std::string>*>(into)->emplace_back(name);
  return 0;
}

}  // namespace

File::File(const std::string& path)
    : path_(path), stem_(std::filesystem::path(path).stem().string()) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  id_ = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (id_ < 0) fail("/", "cannot be opened");
}

File::~File() {
  if (id_ >= 0) H5Fclose(id_);
}

void File::fail(const std::string& path, const std::string& what) const {
  throw std::runtime_error(path_ + ": " + path + " " + what);
}

bool File::has(const std::string& path) const {
  // H5Lexists needs every link on the way to exist, so each is asked in turn.
  std::size_t end = 0;
  while (end != std::string::npos) {
    end = path.find('/', end + 1);
    const std::string part = path.substr(0, end);
    if (part.empty() || part == "/") continue;
    if (H5Lexists(id_, part.c_str(), H5P_DEFAULT) <= 0) return false;
  }
  return true;
}

bool File::is_group(const std::string& path) const {
  if (!has(path)) return false;
  Id object(H5Oopen(id_, path.c_str(), H5P_DEFAULT));
  return object >= 0 && H5Iget_type(object) == H5I_GROUP;
}

std::vector<std::string> File::children(const std::string& path) const {
  std::vector<std::string> names;
  if (!is_group(path)) return names;
  Id group(H5Gopen2(id_, path.c_str(), H5P_DEFAULT));
  if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect_name, &names) < 0) {
    fail(path, "cannot be listed");
  }
  return names;
}

Array File::read(const std::string& path) const {
  Id data(H5Dopen2(id_, path.c_str(), H5P_DEFAULT));
  if (data < 0) fail(path, "is not a data set");
  Id type(H5Dget_type(data));
  const H5T_class_t kind = H5Tget_class(type);
  if (kind != H5T_FLOAT && kind != H5T_INTEGER) fail(path, "is not numeric");
  Id space(H5Dget_space(data));
  Array out;
  out.shape = extent_of(space);
  out.values.resize(count_of(out.shape));
  if (!out.values.empty() &&
      H5Dread(data, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, out.values.data()) < 0) {
    fail(path, "cannot be read");
  }
  return out;
}

std::vector<std::string> File::read_strings(const std::string& path) const {
  Id data(H5Dopen2(id_, path.c_str(), H5P_DEFAULT));
  if (data < 0) fail(path, "is not a data set");
  Id type(H5Dget_type(data));
  if (H5Tget_class(type) != H5T_STRING) fail(path, "is not text");
  Id space(H5Dget_space(data));
  const std::size_t n = count_of(extent_of(space));
  std::vector<std::string> out = strings_of(type, space, n, [&](hid_t memory, void* buffer) {
    return H5Dread(data, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer);
  });
  if (out.size() != n) fail(path, "cannot be read");
  return out;
}

bool File::has_attribute(const std::string& name) const {
  return H5Aexists(id_, name.c_str()) > 0;
}

std::string File::attribute(const std::string& name) const {
  if (!has_attribute(name)) fail("attribute " + name, "does not exist");
  Id attr(H5Aopen(id_, name.c_str(), H5P_DEFAULT));
  Id type(H5Aget_type(attr));
  Id space(H5Aget_space(attr));
  if (H5Tget_class(type) == H5T_STRING) {
    const std::vector<std::string> text = strings_of(
        type, space, 1, [&](hid_t memory, void* buffer) { return H5Aread(attr, memory, buffer); });
    if (text.size() != 1) fail("attribute " + name, "cannot be read");
    return text[0];
  }
  double value = 0;
  if (H5Sget_simple_extent_npoints(space) != 1 || H5Aread(attr, H5T_NATIVE_DOUBLE, &value) < 0) {
    fail("attribute " + name, "is neither text nor one number");
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

std::string directory() {
  const char* named = std::getenv("COMPERT_GOLDEN");
  if (named != nullptr && *named != '\0') return named;
#ifdef COMPERT_GOLDEN_DEFAULT
  return COMPERT_GOLDEN_DEFAULT;
#else
  return "golden";
#endif
}

std::vector<std::string> files(const std::string& prefix) {
  std::vector<std::string> found;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(directory(), failed)) {
    const std::string name = entry.path().filename().string();
    if (name.compare(0, prefix.size(), prefix) == 0 && entry.path().extension() == ".h5") {
      found.push_back(entry.path().string());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

double relative_error(const std::vector<double>& ours, const std::vector<double>& reference) {
  const double inf = std::numeric_limits<double>::infinity();
  if (ours.size() != reference.size()) return inf;
  double worst = 0;
  double scale = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const double a = ours[i];
    const double b = reference[i];
    if (std::isfinite(a) && std::isfinite(b)) {
      worst = std::max(worst, std::fabs(a - b));
      scale = std::max(scale, std::fabs(b));
    } else if (!(a == b || (std::isnan(a) && std::isnan(b)))) {
      return inf;
    }
  }
  return scale > 0 ? worst / scale : worst;
}

double single_tolerance(double tolerance, const std::vector<double>& reference_single,
                        const std::vector<double>& reference_double) {
  constexpr double kMost = 0.1;
  return std::max(tolerance, std::min(kMost, 10 * relative_error(reference_single, reference_double)));
}

bool Tally::add(const std::string& group, const std::string& item, double error,
                double tolerance) {
  Entry& entry = groups_[group];
  const bool good = error <= tolerance;  // false for NaN
  const bool first = entry.count == 0;
  ++entry.count;
  if (!good) ++entry.failed;
  // Worst = nearest to, or furthest beyond, its own tolerance.
  if (first || !(error * entry.tolerance <= entry.error * tolerance)) {
    entry.error = error;
    entry.tolerance = tolerance;
    entry.where = item;
  }
  return good;
}

bool Tally::add(const std::string& group, const std::string& item, const std::vector<double>& ours,
                const std::vector<double>& reference, double tolerance) {
  return add(group, item, relative_error(ours, reference), tolerance);
}

std::string Tally::table() const {
  std::string out;
  char line[400];
  std::snprintf(line, sizeof line, "%-34s %6s %6s %10s %10s  %s\n", "group", "arrays", "failed",
                "worst", "tolerance", "where");
  out += line;
  for (const auto& [group, e] : groups_) {
    std::snprintf(line, sizeof line, "%-34s %6zu %6zu %10.2e %10.1e  %s\n", group.c_str(), e.count,
                  e.failed, e.error, e.tolerance, e.where.c_str());
    out += line;
  }
  return out;
}

std::size_t Tally::count() const {
  std::size_t n = 0;
  for (const auto& entry : groups_) n += entry.second.count;
  return n;
}

std::size_t Tally::failures() const {
  std::size_t n = 0;
  for (const auto& entry : groups_) n += entry.second.failed;
  return n;
}

}  // namespace golden
