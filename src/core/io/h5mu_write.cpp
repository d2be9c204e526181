#include <fstream>

#include "compert/error.h"
#include "h5ad_detail.h"

namespace compert::h5ad {

namespace {

// Readers of .h5mu files look for "MuData" in the bytes before those of HDF5.
constexpr std::size_t kUserBlock = 512;

void sign(const std::string& path, const std::string& creator) {
  std::string note = "MuData (format-version=0.1.0;creator=" + creator + ")";
  note.resize(kUserBlock, '\0');
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.write(note.data(), static_cast<std::streamsize>(note.size()));
  file.close();
  if (file.fail())
    throw Error("path", "must name a file that can be written", "\"" + path + "\" could not be signed",
                "Check that there is room on the disk");
}

// Which rows of the tables of all the modality has: as truth values and as positions.
void write_places(const detail::Target& target, const std::string& name, const char* mask, const char* map,
                  const std::vector<std::int32_t>& places) {
  Values values;
  values.type = ValueType::integer;
  values.shape = {places.size()};
  values.integers = places;
  detail::write_item(target, map, {name, values}, {});
  values.type = ValueType::boolean;
  for (std::int32_t& place : values.integers) place = place != 0 ? 1 : 0;
  detail::write_item(target, mask, {name, values}, {});
}

void write_all(const detail::Target& target, const Table& obs, const Table& var,
               const std::vector<Modality>& modalities) {
  detail::write_frame(target, "", "MuData", obs, var);
  target.file.set_attribute("/", "axis", 0);
  for (const char* name : {"obsmap", "varmap"}) target.group(name, "dict", "0.1.0");
  target.file.create_group("mod");
  std::vector<std::string> order;
  for (const Modality& modality : modalities) {
    detail::check_name(modality.name, "mod");
    order.push_back(modality.name);
    const std::string group = detail::join("mod", modality.name);
    target.file.create_group(group);
    detail::write_structure(target, group, modality.contents);
    write_places(target, modality.name, "obsm", "obsmap", modality.cells);
    write_places(target, modality.name, "varm", "varmap", modality.features);
  }
  target.file.set_attribute("mod", "mod-order", order);
}

}  // namespace

void write_modalities(const std::string& path, const Table& obs, const Table& var,
                      const std::vector<Modality>& modalities, const std::string& creator, int deflate) {
  detail::write_beside(path, [&](const std::string& part) {
    hdf5::File file = hdf5::File::create(part, kUserBlock);
    write_all({file, deflate}, obs, var, modalities);
    file.close();
    sign(part, creator);
  });
}

}  // namespace compert::h5ad
