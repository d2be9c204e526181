#include <algorithm>

#include "h5ad_detail.h"

namespace compert::h5ad {

namespace {

bool lists(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::string> read_modalities(const std::string& path) {
  const hdf5::File file = hdf5::File::open_read(path);
  // What is listed is opened: damage is an error, not a modality that is not there.
  std::vector<std::string> out;
  if (!lists(file.children(), "mod")) return out;
  for (const std::string& name : file.children("mod")) {
    const std::string group = detail::join("mod", name);
    file.has_attribute(group, "encoding-type");
    if (file.is_group(group)) out.push_back(name);
  }
  if (!file.has_attribute("mod", "mod-order") ||
      file.attribute_type("mod", "mod-order").kind != hdf5::Kind::string) {
    return out;
  }
  const std::vector<std::string> order = file.attribute_strings("mod", "mod-order");
  const auto rank = [&](const std::string& name) {
    return std::find(order.begin(), order.end(), name) - order.begin();
  };
  std::stable_sort(out.begin(), out.end(),
                   [&](const std::string& a, const std::string& b) { return rank(a) < rank(b); });
  return out;
}

std::vector<std::int32_t> read_obsmap(const std::string& path, const std::string& modality) {
  const hdf5::File file = hdf5::File::open_read(path);
  const std::string where = detail::join("obsmap", modality);
  if (!file.exists(where)) return {};
  return file.read<std::int32_t>(where);
}

}  // namespace

std::vector<std::string> modalities(const std::string& path) {
  hdf5::rehearse(path, [&] { read_modalities(path); });
  return read_modalities(path);
}

std::vector<std::int32_t> obsmap(const std::string& path, const std::string& modality) {
  hdf5::rehearse(path, [&] { read_obsmap(path, modality); });
  return read_obsmap(path, modality);
}

}  // namespace compert::h5ad
