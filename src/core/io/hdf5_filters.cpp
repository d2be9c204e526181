// Filters of datasets: what compression says about their size, and whether it can be undone here.
#include <algorithm>
#include <limits>

#include "compert/error.h"
#include "hdf5.h"
#include "hdf5_detail.h"

namespace compert::hdf5 {

namespace {

struct Filter {
  H5Z_filter_t id;
  std::string name;
};

std::vector<Filter> filters(hid_t dataset) {
  const Handle creation(H5Dget_create_plist(dataset), H5Pclose);
  std::vector<Filter> out;
  const int n = H5Pget_nfilters(creation.id());
  for (int k = 0; k < n; ++k) {
    unsigned flags = 0, config = 0;
    std::size_t n_values = 0;
    char name[64] = "";
    const H5Z_filter_t id = H5Pget_filter2(creation.id(), static_cast<unsigned>(k), &flags, &n_values,
                                           nullptr, sizeof name, name, &config);
    if (id < 0) continue;
    name[sizeof name - 1] = '\0';
    out.push_back({id, name[0] == '\0' ? "filter " + std::to_string(id) : name});
  }
  return out;
}

}  // namespace

namespace detail {

bool is_plausible(hid_t dataset, std::size_t n) {
  constexpr std::size_t kAlways = std::size_t{1} << 26;
  const Handle type(H5Dget_type(dataset), H5Tclose);
  const std::size_t size = H5Tget_size(type.id());
  if (size == 0 || n > std::numeric_limits<std::size_t>::max() / 2 / size) return false;
  if (n * size <= kAlways) return true;
  const std::vector<Filter> all = filters(dataset);
  const bool bounded = std::all_of(all.begin(), all.end(), [](const Filter& f) {
    return f.id == H5Z_FILTER_DEFLATE || f.id == H5Z_FILTER_SHUFFLE || f.id == H5Z_FILTER_FLETCHER32 ||
           f.id == kLzf;
  });
  return !bounded || n * size / 1100 <= H5Dget_storage_size(dataset);
}

}  // namespace detail

void File::check_filters(hid_t dataset, const std::string& path) const {
  detail::add_lzf();
  for (const Filter& filter : filters(dataset)) {
    if (H5Zfilter_avail(filter.id) > 0) continue;
    throw Error("path", "must name a file whose compression the HDF5 library here can read",
                "In \"" + name_ + "\", \"" + path + "\" is compressed with \"" + filter.name +
                    "\", which it cannot",
                "Write the file anew, in Python with compression=\"gzip\"");
  }
}

}  // namespace compert::hdf5
