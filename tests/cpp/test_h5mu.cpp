// Groups of a file that are laid out like a file, and .h5mu files, which are made of them.
#include <filesystem>
#include <fstream>
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

TEST_CASE("an .h5mu file is written as its modalities, signed, or not at all", "[h5ad]") {
  const TemporaryPath path;
  Table obs, var;
  obs.n_rows = 4;
  obs.index = {"c0", "c1", "c2", "c3"};
  var.n_rows = 5;
  var.index = {"g1", "g2", "g3", "g4", "p"};
  Modality rna{"rna", sample(), {0, 1, 2, 3}, {1, 2, 3, 4, 0}};
  Modality adt{"adt", {}, {2, 1, 0, 0}, {0, 0, 0, 0, 1}};
  adt.contents.obs.n_rows = 2;
  adt.contents.obs.index = {"c1", "c0"};
  adt.contents.var.n_rows = 1;
  adt.contents.var.index = {"p"};
  adt.contents.x = dense(2, 1);
  write_modalities(path.text(), obs, var, {rna, adt}, "a test");
  CHECK(modalities(path.text()) == std::vector<std::string>{"rna", "adt"});  // not as sorted
  CHECK(obsmap(path.text(), "adt") == adt.cells);
  const Contents back = read(path.text(), {}, "mod/rna");
  CHECK(back.x->values == sparse().values);
  CHECK(back.obs.columns.size() == sample().obs.columns.size());
  CHECK(back.uns.at(0).path == "deep/er/title");
  CHECK(back.skipped.empty());
  CHECK(read(path.text(), {}, "mod/adt").x->values == dense(2, 1).values);
  const Contents root = read(path.text());
  CHECK(root.obs.index == obs.index);
  CHECK(root.obsm.size() == 2);
  const File file = File::open_read(path.text());
  CHECK(file.attribute_string("/", "encoding-type") == "MuData");
  CHECK(file.read<std::int32_t>("varmap/rna") == rna.features);
  CHECK(file.type("varm/rna").kind == compert::hdf5::Kind::boolean);

  std::ifstream bytes(path.text(), std::ios::binary);
  std::string block(520, ' ');
  bytes.read(&block[0], 520);
  CHECK(block.substr(0, 47) == "MuData (format-version=0.1.0;creator=a test)" + std::string(3, '\0'));
  CHECK(block.substr(512, 4) == "\x89HDF");

  rna.name = "r/na";
  CHECK(says(message([&] { write_modalities(path.text(), obs, var, {rna}, "a test"); }), "\"r/na\""));
  CHECK(modalities(path.text()).size() == 2);  // the old file
}
