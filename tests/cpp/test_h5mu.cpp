// Groups of a file that are laid out like a file, and .h5mu files, which are made of them.
#include <filesystem>
#include <string>
#include <vector>

#include "catch_compat.h"
#include "h5ad_sample.h"

using namespace h5ad_sample;

namespace {

// Copies the whole file `from` into the group "mod/`name`" of the file at `to`, which is created.
void add_modality(const std::string& from, const std::string& to, const std::string& name) {
  const bool there = std::filesystem::exists(to);
  hid_t in = H5Fopen(from.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  hid_t out = there ? H5Fopen(to.c_str(), H5F_ACC_RDWR, H5P_DEFAULT)
                    : H5Fcreate(to.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  H5Ocopy(in, "/", out, ("mod/" + name).c_str(), H5P_DEFAULT, links);
  H5Pclose(links);
  H5Fclose(out);
  H5Fclose(in);
}

}  // namespace

TEST_CASE("a group of a file is read like a file", "[h5ad]") {
  const TemporaryPath single, path;
  Contents given = sample();
  write(single.text(), given);
  CHECK(modalities(single.text()).empty());
  add_modality(single.text(), path.text(), "rna");
  given.obs.index = {"c3", "c4", "c5"};
  given.x = dense(3, 4);
  write(single.text(), given);
  add_modality(single.text(), path.text(), "adt");
  CHECK(modalities(path.text()) == std::vector<std::string>{"adt", "rna"});

  const Contents rna = read(path.text(), {}, "mod/rna");
  CHECK(rna.x->values == sparse().values);
  CHECK(rna.layers.at(0).matrix.values == dense(3, 4).values);
  CHECK(rna.obs.index == sample().obs.index);
  CHECK(rna.obs.columns.at(0).values.texts == std::vector<std::string>{"a", "b"});
  CHECK(rna.obsm.at(0).path == "X_pca");
  CHECK(rna.uns.at(0).path == "deep/er/title");
  CHECK(rna.skipped.empty());
  CHECK(read(path.text(), {}, "mod/adt").x->values == dense(3, 4).values);
  CHECK(outline(path.text(), "mod/rna").x);
  CHECK(outline(path.text(), "mod/rna").layers == std::vector<std::string>{"counts"});

  // Messages name the group.
  const auto reading = [&](const std::string& group) {
    return message([&] { read(path.text(), {}, group); });
  };
  CHECK(says(reading("mod/atac"), "the group \"mod/atac\""));
  CHECK(says(message([&] { outline(path.text(), "mod/atac"); }), "the group \"mod/atac\""));
  ReadOptions options;
  options.layers = {"spliced"};
  CHECK(says(message([&] { read(path.text(), options, "mod/rna"); }), "Group \"mod/rna\" of"));
  overwrite(path.text(), "mod/rna/X/indices", {1, 9, 0});
  CHECK(says(reading("mod/rna"), "\"mod/rna/X\" has the index 9"));
  remove(path.text(), "mod/adt/var");
  CHECK(says(reading("mod/adt"), "Group \"mod/adt\" of"));
  CHECK(says(reading("mod/adt"), "\"layers\""));
}

TEST_CASE("the root of an .h5mu file gives the table of all cells", "[h5ad]") {
  const TemporaryPath single, path;
  write(single.text(), sample());
  add_modality(single.text(), path.text(), "rna");
  add_modality(single.text(), path.text(), "adt");
  CHECK(says(message([&] { read(path.text()); }), "\"mod\""));  // which is all it holds
  {
    hid_t in = H5Fopen(single.text().c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t out = H5Fopen(path.text().c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    H5Ocopy(in, "obs", out, "obs", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(H5Gcreate2(out, "obsmap", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    const hsize_t n = 3;
    const std::int64_t at[] = {2, 0, 1};
    hid_t space = H5Screate_simple(1, &n, nullptr);
    hid_t data =
        H5Dcreate2(out, "obsmap/adt", H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(data, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, at);
    H5Dclose(data);
    // The order of the modalities, as h5py writes it.
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, 3);
    const hsize_t two = 2;
    hid_t pair = H5Screate_simple(1, &two, nullptr);
    hid_t order = H5Acreate_by_name(out, "mod", "mod-order", text, pair, H5P_DEFAULT, H5P_DEFAULT,
                                    H5P_DEFAULT);
    H5Awrite(order, text, "rnaadt");
    H5Aclose(order);
    H5Sclose(pair);
    H5Tclose(text);
    H5Sclose(space);
    H5Fclose(out);
    H5Fclose(in);
  }
  const Contents root = read(path.text());
  CHECK_FALSE(root.x);
  CHECK(root.obs.index == sample().obs.index);
  CHECK(root.obs.columns.size() == 4);
  CHECK(root.var.n_rows == 0);
  REQUIRE(root.skipped.size() == 1);
  CHECK(root.skipped[0].path == "mod");
  CHECK_FALSE(outline(path.text()).x);
  CHECK(modalities(path.text()) == std::vector<std::string>{"rna", "adt"});
  CHECK(obsmap(path.text(), "adt") == std::vector<std::int32_t>{2, 0, 1});
  CHECK(obsmap(path.text(), "rna").empty());
  CHECK(says(message([] { modalities("/nowhere/cells.h5mu"); }), "/nowhere/cells.h5mu"));
}
