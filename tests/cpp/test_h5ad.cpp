// What is written to .h5ad files comes back, and files of other programs are read.
#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include "catch_compat.h"
#include "h5ad_sample.h"

using namespace h5ad_sample;

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

TEST_CASE("names and categories that are large numbers keep every digit", "[h5ad]") {
  const TemporaryPath path;
  write(path.text(), sample());
  const std::vector<std::int64_t> cells = {3087301500023100194, 3087301500023100195, 1000000000000000};
  replace(path.text(), "obs/_index", H5T_NATIVE_INT64, cells);
  const std::vector<std::uint64_t> groups = {18446744073709551614U, 18446744073709551615U};
  replace(path.text(), "obs/group/categories", H5T_NATIVE_UINT64, groups);
  const Contents found = read(path.text());
  CHECK(found.obs.index ==
        std::vector<std::string>{"3087301500023100194", "3087301500023100195", "1000000000000000"});
  CHECK(found.obs.columns.at(0).values.texts ==
        std::vector<std::string>{"18446744073709551614", "18446744073709551615"});
  CHECK(found.skipped.empty());
}
