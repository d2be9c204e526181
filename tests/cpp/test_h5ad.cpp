#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "catch_compat.h"
#include "compert/error.h"
#include "compert/h5ad.h"
#include "io/hdf5.h"

using compert::Error;
using compert::hdf5::File;
using namespace compert::h5ad;

namespace {

// A path that is free, and is removed at the end of the scope.
class TemporaryPath {
 public:
  TemporaryPath()
      : text_((std::filesystem::temp_directory_path() /
               ("compert-" + std::to_string(std::random_device{}()) + ".h5ad"))
                  .string()) {}
  ~TemporaryPath() {
    std::error_code ignored;
    std::filesystem::remove(text_, ignored);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

Matrix sparse() {
  Matrix m;  // 3 x 4: (0, 1) = 5, (0, 3) = 0.1, (2, 0) = -2
  m.layout = Layout::csr;
  m.n_rows = 3;
  m.n_columns = 4;
  m.values = {5, 0.1, -2};
  m.indices = {1, 3, 0};
  m.offsets = {0, 2, 2, 3};
  return m;
}

Matrix dense(std::size_t n_rows, std::size_t n_columns) {
  Matrix m;
  m.n_rows = n_rows;
  m.n_columns = n_columns;
  for (std::size_t k = 0; k < n_rows * n_columns; ++k) m.values.push_back(0.5 * double(k));
  return m;
}

Values integers(std::vector<std::int32_t> values, ValueType type = ValueType::integer) {
  Values out;
  out.type = type;
  out.shape = {values.size()};
  out.integers = std::move(values);
  return out;
}

Contents sample() {
  Contents out;
  out.x = sparse();
  out.layers.push_back({"counts", dense(3, 4)});
  out.obs.n_rows = 3;
  out.obs.index = {"c1", "c2", "c3"};
  Values group = integers({1, -1, 0}, ValueType::categorical);
  group.texts = {"a", "b"};
  group.ordered = true;
  Values text;
  text.type = ValueType::text;
  text.texts = {"", "x", "\xC3\xA9"};
  text.shape = {3};
  Values holes = integers({1, 2, 3});
  holes.missing = {0, 1, 0};
  out.obs.columns = {{"group", group},
                     {"text", text},
                     {"holes", holes},
                     {"truth", integers({1, 0, 1}, ValueType::boolean)}};
  out.var.n_rows = 4;
  out.var.index = {"g1", "g2", "g3", "g4"};
  out.obsm.push_back({"X_pca", dense(3, 2)});
  Values title;
  title.type = ValueType::text;
  title.texts = {"a title"};
  out.uns.push_back({"deep/er/title", title});
  return out;
}

std::string message(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Writes the sample, changes the file, and returns what reading it says.
std::string message_after(const std::function<void(const std::string&)>& change) {
  const TemporaryPath path;
  write(path.text(), sample());
  change(path.text());
  return message([&] { read(path.text()); });
}

void overwrite(const std::string& path, const std::string& dataset,
               const std::vector<std::int32_t>& values) {
  hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  hid_t data = H5Dopen2(file, dataset.c_str(), H5P_DEFAULT);
  H5Dwrite(data, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  H5Dclose(data);
  H5Fclose(file);
}

void remove(const std::string& path, const std::string& object) {
  hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  H5Ldelete(file, object.c_str(), H5P_DEFAULT);
  H5Fclose(file);
}

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

TEST_CASE("what is written to an .h5ad file comes back", "[h5ad]") {
  const TemporaryPath path;
  const Contents given = sample();
  write(path.text(), given);
  const Contents found = read(path.text());
  REQUIRE(found.x);
  CHECK(found.x->layout == Layout::csr);
  CHECK(found.x->values == given.x->values);  // 0.1 needs double precision and got it
  CHECK(found.x->indices == given.x->indices);
  CHECK(found.x->offsets == given.x->offsets);
  REQUIRE(found.layers.size() == 1);
  CHECK(found.layers[0].matrix.values == given.layers[0].matrix.values);
  CHECK(File::open_read(path.text()).type("layers/counts").size == 4);
  CHECK(File::open_read(path.text()).type("X/data").size == 8);
  CHECK(found.obs.index == given.obs.index);
  REQUIRE(found.obs.columns.size() == 4);
  for (std::size_t k = 0; k < 4; ++k) {
    const Values& was = given.obs.columns[k].values;
    const Values& is = found.obs.columns[k].values;
    CHECK(found.obs.columns[k].name == given.obs.columns[k].name);
    CHECK(is.type == was.type);
    CHECK(is.texts == was.texts);
    CHECK(is.missing == was.missing);
    CHECK(is.ordered == was.ordered);
    if (was.missing.empty()) CHECK(is.integers == was.integers);
  }
  CHECK(found.obsm.at(0).path == "X_pca");
  CHECK(std::get<Matrix>(found.obsm[0].content).values == dense(3, 2).values);
  CHECK(found.uns.at(0).path == "deep/er/title");
  CHECK(std::get<Values>(found.uns[0].content).texts == std::vector<std::string>{"a title"});
  CHECK(found.skipped.empty());
  CHECK(outline(path.text()).layers == std::vector<std::string>{"counts"});
}

TEST_CASE("any layout becomes sorted rows, entries of one place added up", "[h5ad]") {
  Matrix columns;  // 2 x 3
  columns.layout = Layout::csc;
  columns.n_rows = 2;
  columns.n_columns = 3;
  columns.values = {1, 2, 3, 4};
  columns.indices = {1, 0, 0, 0};
  columns.offsets = {0, 2, 2, 4};
  const Matrix rows = to_csr(columns);
  CHECK(rows.layout == Layout::csr);
  CHECK(rows.offsets == std::vector<std::int64_t>{0, 2, 3});
  CHECK(rows.indices == std::vector<std::int32_t>{0, 2, 0});
  CHECK(rows.values == std::vector<double>{2, 7, 1});

  Matrix unsorted = sparse();
  std::swap(unsorted.indices[0], unsorted.indices[1]);
  std::swap(unsorted.values[0], unsorted.values[1]);
  CHECK(to_csr(unsorted).indices == sparse().indices);
  CHECK(to_csr(unsorted).values == sparse().values);

  CHECK(to_csr(dense(2, 2)).values == std::vector<double>{0.5, 1, 1.5});
  CHECK(to_csr(dense(0, 3)).offsets == std::vector<std::int64_t>{0});
}

TEST_CASE("contradictions in an .h5ad file are named", "[h5ad]") {
  CHECK(says(message_after([](const std::string& p) {
               overwrite(p, "X/indices", {1, 9, 0});
             }),
             "index 9"));
  CHECK(says(message_after([](const std::string& p) {
               overwrite(p, "X/indices", {1, -1, 0});
             }),
             "index -1"));
  CHECK(says(message_after([](const std::string& p) {
               overwrite(p, "X/indptr", {0, 3, 2, 3});
             }),
             "rise"));
  CHECK(says(message_after([](const std::string& p) {
               overwrite(p, "X/indptr", {0, 2, 2, 4});
             }),
             "rise"));
  CHECK(says(message_after([](const std::string& p) {
               overwrite(p, "obs/group/codes", {0, 2, 0});
             }),
             "code 2"));
  CHECK(says(message_after([](const std::string& p) { remove(p, "obs/text"); }), "obs/text"));
  CHECK(says(message_after([](const std::string& p) { remove(p, "obs/_index"); }), "_index"));
  CHECK(says(message_after([](const std::string& p) { remove(p, "obs"); }), "var"));
  CHECK(says(message_after([](const std::string& p) { remove(p, "X/indptr"); }), "indptr"));
  CHECK(says(message([] { read("/nowhere/cells.h5ad"); }), "/nowhere/cells.h5ad"));

  const TemporaryPath path;
  write(path.text(), sample());
  ReadOptions options;
  options.layers = {"spliced"};
  const std::string text = message([&] { read(path.text(), options); });
  CHECK(says(text, "spliced"));
  CHECK(says(text, "counts"));
}

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

TEST_CASE("numbers of tables are those that were written, in any precision", "[h5ad]") {
  struct Row {
    char index[4];
    std::uint32_t large;
    std::int32_t least;
    float dose;
  };
  const std::vector<Row> rows = {{"a", 4000000000U, 1, 0.1F}, {"b", 7, INT32_MIN, 1e-9F}};
  const TemporaryPath path;
  Contents contents = sample();
  write(path.text(), contents);
  {
    const hid_t out = H5Fopen(path.text().c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    const hsize_t n = rows.size();
    const hid_t space = H5Screate_simple(1, &n, nullptr), text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, sizeof(Row::index));
    const hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(Row));
    H5Tinsert(type, "index", HOFFSET(Row, index), text);
    H5Tinsert(type, "large", HOFFSET(Row, large), H5T_NATIVE_UINT32);
    H5Tinsert(type, "least", HOFFSET(Row, least), H5T_NATIVE_INT32);
    H5Tinsert(type, "dose", HOFFSET(Row, dose), H5T_NATIVE_FLOAT);
    const auto put = [&](const char* name, hid_t stored, hid_t memory, const void* data) {
      const hid_t set = H5Dcreate2(out, name, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
      H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
      H5Dclose(set);
    };
    put("uns/records", type, type, rows.data());
    const std::vector<float> single = {0.3F, 16777217.0F};
    put("uns/single", H5T_NATIVE_FLOAT, H5T_NATIVE_FLOAT, single.data());
    // Half precision, as numpy lays it out.
    const hid_t half = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(half, 15, 10, 5, 0, 10);
    H5Tset_size(half, 2);
    H5Tset_ebias(half, 15);
    const std::vector<float> rounded = {0.1F, 2.5F};
    put("uns/half", half, H5T_NATIVE_FLOAT, rounded.data());
    for (const hid_t t : {half, type, text}) H5Tclose(t);
    H5Sclose(space);
    H5Fclose(out);
  }
  const Contents back = read(path.text());
  const auto item = [&](const std::string& name) -> const auto& {
    return std::find_if(back.uns.begin(), back.uns.end(),
                        [&](const Item& one) { return one.path == name; })->content;
  };
  const auto& columns = std::get<Table>(item("records")).columns;
  REQUIRE(columns.size() == 4);
  CHECK(columns[1].values.numbers == std::vector<double>{4000000000, 7});
  CHECK(columns[2].values.numbers == std::vector<double>{1, -2147483648.0});
  CHECK(columns[3].values.numbers == std::vector<double>{0.1, 1e-9});
  CHECK(std::get<Values>(item("single")).numbers == std::vector<double>{0.3, 16777216});
  CHECK(std::get<Values>(item("half")).numbers == std::vector<double>{0.1, 2.5});
}

TEST_CASE("nothing is left of a file that could not be written", "[h5ad]") {
  namespace fs = std::filesystem;
  const TemporaryPath folder;
  fs::create_directory(folder.text());
  const std::string path = folder.text() + "/cells.h5ad";
  write(path, sample());
  const auto before = fs::file_size(path);
  Contents wrong = sample();
  wrong.obs.columns[1].name = "a/b";
  CHECK(says(message([&] { write(path, wrong); }), "a/b"));
  wrong = sample();
  wrong.layers[0].matrix = dense(4, 3);
  CHECK(says(message([&] { write(path, wrong); }), "counts"));
  CHECK(fs::file_size(path) == before);
  CHECK(std::distance(fs::directory_iterator(folder.text()), fs::directory_iterator()) == 1);
  CHECK(read(path).obs.n_rows == 3);
  fs::remove_all(folder.text());
}

#ifndef _WIN32
TEST_CASE("a file that is cut or damaged anywhere is refused or read, without a crash", "[h5ad]") {
  const TemporaryPath path;
  write(path.text(), sample());
  std::ifstream in(path.text(), std::ios::binary);
  std::ostringstream copied;
  copied << in.rdbuf();
  const std::string bytes = copied.str();
  const auto outcome = [&](const std::string& content) {
    std::ofstream(path.text(), std::ios::binary) << content;
    return message([&] { read(path.text()); });
  };
  std::size_t accepted = 0;
  for (std::size_t n = 0; n < bytes.size(); n += n < 2048 ? 1 : 97) {
    if (outcome(bytes.substr(0, n)).empty()) ++accepted;
  }
  CHECK(accepted == 0);
  std::mt19937 random(3);
  std::size_t refused = 0;
  for (int round = 0; round < 200; ++round) {
    std::string damaged = bytes;
    for (int k = 0; k < 3; ++k) damaged[random() % damaged.size()] = static_cast<char>(random());
    if (!outcome(damaged).empty()) ++refused;
  }
  CHECK(refused > 0);
  CHECK(outcome(bytes).empty());
}

TEST_CASE("a crash or an error in the rehearsal becomes an Error here", "[hdf5]") {
  const TemporaryPath path;
  write(path.text(), sample());
  bool ran = false;
  compert::hdf5::rehearse(path.text(), [&] {
    ran = true;
    read(path.text());  // the lock works in the copy, and copies can be made of copies
  });
  CHECK_FALSE(ran);  // in the copy only
  const auto rehearse = [&](const std::function<void()>& act) {
    return message([&] { compert::hdf5::rehearse(path.text(), act); });
  };
  CHECK(says(rehearse([] { std::raise(SIGSEGV); }), "crash"));
  CHECK(says(rehearse([] { std::abort(); }), "crash"));
  CHECK(says(rehearse([] {
               for (volatile unsigned k = 0;; k = k + 1) {
               }
             }),
             "loop"));
  CHECK(rehearse([] { throw Error("a", "b", "c", "d"); }) == Error("a", "b", "c", "d").what());
  CHECK(rehearse([] { throw Error("a", "b"); }) == Error("a", "b").what());
  CHECK(says(rehearse([] { throw std::runtime_error("odd"); }), "odd"));
}
#endif
