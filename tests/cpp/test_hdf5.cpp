#include <hdf5.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "catch_compat.h"
#include "compert/error.h"
#include "compert/stored_cells.h"
#include "io/hdf5.h"

using compert::Error;
using compert::hdf5::File;
using compert::hdf5::Kind;
using compert::hdf5::Shape;

namespace {

void fill(File& file) {
  const std::vector<double> numbers = {0.5, -1.25, 3.0, 1e300, 0.0, -0.0};
  file.write("group/deep/matrix", numbers.data(), Shape{3, 2}, 4);
  file.write("floats", std::vector<float>{1.5f, 2.5f});
  file.write("ints", std::vector<std::int32_t>{-7, 0, 2147483647}, 1);
  file.write("longs", std::vector<std::int64_t>{-7, std::int64_t{1} << 40});
  file.write("bytes", std::vector<std::uint8_t>{0, 255});
  file.write("none", std::vector<double>{}, 4);
  file.write_scalar("scalar", 42.0);
  file.write_strings("words", {"", "a", "\xC3\xA9t\xC3\xA9", "a long word"}, 4);
  file.write_string("word", "one");
  const std::vector<std::uint8_t> truth = {1, 0, 1};
  file.write_booleans("truth", truth.data(), Shape{3});
  file.set_attribute("/", "format", std::string("compert"));
  file.set_attribute("group", "version", 3);
  file.set_attribute("group", "rate", 0.25);
  file.set_attribute("group", "on", true);
  file.set_attribute("group", "names", std::vector<std::string>{"x", "", "y"});
  file.set_attribute("group", "shape", std::vector<std::int64_t>{2, 3});
  file.set_attribute("floats", "knots", std::vector<std::int64_t>{5});
  file.set_attribute("floats", "knots", std::vector<std::int64_t>{});
}

void check(const File& file) {
  Shape shape;
  CHECK(file.read<double>("group/deep/matrix", &shape) ==
        std::vector<double>{0.5, -1.25, 3.0, 1e300, 0.0, -0.0});
  CHECK(shape == Shape{3, 2});
  CHECK(file.shape("group/deep/matrix") == shape);
  CHECK(file.read_rows<double>("group/deep/matrix", 1, 3) ==
        std::vector<double>{3.0, 1e300, 0.0, -0.0});
  CHECK(file.read_rows<std::int32_t>("ints", 2, 2).empty());
  CHECK(file.read<double>("floats") == std::vector<double>{1.5, 2.5});
  CHECK(file.read<std::int64_t>("ints") == std::vector<std::int64_t>{-7, 0, 2147483647});
  CHECK(file.read<std::int64_t>("longs").at(1) == std::int64_t{1} << 40);
  CHECK(file.read<std::uint8_t>("bytes") == std::vector<std::uint8_t>{0, 255});
  CHECK(file.read<double>("none").empty());
  CHECK(file.shape("none") == Shape{0});
  CHECK(file.shape("scalar").empty());
  CHECK(file.read<double>("scalar") == std::vector<double>{42});
  CHECK(file.read_strings("words") ==
        std::vector<std::string>{"", "a", "\xC3\xA9t\xC3\xA9", "a long word"});
  CHECK(file.read_string("word") == "one");
  CHECK(file.read<std::uint8_t>("truth") == std::vector<std::uint8_t>{1, 0, 1});

  CHECK(file.type("floats").kind == Kind::real);
  CHECK(file.type("floats").size == 4);
  CHECK(file.type("ints").kind == Kind::integer);
  CHECK(file.type("ints").is_signed);
  CHECK(file.type("truth").kind == Kind::boolean);
  CHECK(file.type("words").kind == Kind::string);

  CHECK(file.exists("group/deep"));
  CHECK(file.exists("/group/deep/matrix"));
  CHECK_FALSE(file.exists("group/shallow/matrix"));
  CHECK_FALSE(file.exists("floats/inside"));
  CHECK(file.is_group("group"));
  CHECK(file.is_group("/"));
  CHECK_FALSE(file.is_dataset("group"));
  CHECK(file.is_dataset("floats"));
  CHECK(file.children("group") == std::vector<std::string>{"deep"});
  CHECK(file.children().front() == "bytes");

  CHECK(file.attribute_string("/", "format") == "compert");
  CHECK(file.attribute_int("group", "version") == 3);
  CHECK(file.attribute_number("group", "rate") == 0.25);
  CHECK(file.attribute_int("group", "on") == 1);
  CHECK(file.attribute_type("group", "on").kind == Kind::boolean);
  CHECK(file.attribute_strings("group", "names") == std::vector<std::string>{"x", "", "y"});
  CHECK(file.attribute_ints("group", "shape") == std::vector<std::int64_t>{2, 3});
  CHECK(file.attribute_ints("floats", "knots").empty());
  CHECK(file.has_attribute("group", "rate"));
  CHECK_FALSE(file.has_attribute("group", "rates"));
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

}  // namespace

TEST_CASE("a file in memory keeps everything and always has the same bytes", "[hdf5]") {
  File first = File::create_image();
  fill(first);
  check(first);
  const std::vector<std::uint8_t> bytes = first.image();
  check(File::from_image(bytes));
  File second = File::create_image();
  fill(second);
  CHECK(second.image() == bytes);
}

TEST_CASE("a file on disk keeps everything, also as an image", "[hdf5]") {
  const std::string path = (std::filesystem::temp_directory_path() /
                            ("compert-" + std::to_string(std::random_device{}()) + ".h5"))
                               .string();
  {
    File file = File::create(path);
    fill(file);
    file.close();
  }
  check(File::open_read(path));
  std::ifstream stream(path, std::ios::binary);
  const std::vector<std::uint8_t> bytes((std::istreambuf_iterator<char>(stream)),
                                        std::istreambuf_iterator<char>());
  check(File::from_image(bytes));
  std::remove(path.c_str());
}

TEST_CASE("large compressed arrays span several chunks", "[hdf5]") {
  std::vector<float> values(700 * 1000);
  for (std::size_t k = 0; k < values.size(); ++k) values[k] = static_cast<float>(k % 977);
  File file = File::create_image();
  file.write("wide", values.data(), Shape{7, 100000}, 4);
  file.write("tall", values.data(), Shape{700000}, 4);
  CHECK(file.read<float>("wide") == values);
  const std::vector<float> part = file.read_rows<float>("tall", 131000, 133000);
  REQUIRE(part.size() == 2000);
  CHECK(std::equal(part.begin(), part.end(), values.begin() + 131000));
}

TEST_CASE("a long array of one value is believed, whatever it is read into", "[hdf5]") {
  const std::vector<std::int8_t> zeros(std::size_t{9} << 20, 0);
  File file = File::create_image();
  file.write("codes", zeros, 9);
  CHECK(file.read<std::int64_t>("codes").size() == zeros.size());
  CHECK(file.read_rows<double>("codes", 0, zeros.size()).size() == zeros.size());
}

TEST_CASE("a compression that is not known here is named", "[hdf5]") {
  constexpr H5Z_filter_t kOwn = 300;  // of the range for testing
  const H5Z_class2_t copies = {H5Z_CLASS_T_VERS, kOwn, 1, 1, "shrinker", nullptr, nullptr,
                               [](unsigned, std::size_t, const unsigned*, std::size_t n, std::size_t*,
                                  void**) { return n; }};
  REQUIRE(H5Zregister(&copies) >= 0);
  File file = File::create_image();
  const hsize_t n = 4;
  const std::vector<double> values = {1, 2, 3, 4};
  const hid_t space = H5Screate_simple(1, &n, nullptr), creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, 1, &n);
  H5Pset_filter(creation, kOwn, H5Z_FLAG_MANDATORY, 0, nullptr);
  const hid_t data = H5Dcreate2(file.id(), "x", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, creation,
                                H5P_DEFAULT);
  H5Dwrite(data, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  H5Dclose(data);
  H5Pclose(creation);
  H5Sclose(space);
  CHECK(file.read<double>("x") == values);
  const File copy = File::from_image(file.image());
  file.close();
  REQUIRE(H5Zunregister(kOwn) >= 0);
  CHECK(says(message([&] { copy.read<double>("x"); }), "\"x\" is compressed with \"shrinker\""));
  CHECK(says(message([&] { copy.read_rows<double>("x", 0, 2); }), "shrinker"));
}

TEST_CASE("what fails names the file and the path", "[hdf5]") {
  File file = File::create_image();
  fill(file);
  CHECK(says(message([&] { file.read<double>("group/nothing"); }), "group/nothing"));
  CHECK(says(message([&] { file.read<double>("words"); }), "words"));
  CHECK(says(message([&] { file.read_strings("ints"); }), "ints"));
  CHECK(says(message([&] { file.read_rows<double>("floats", 1, 3); }), "has 2 rows"));
  CHECK(says(message([&] { file.attribute_string("group", "rate"); }), "rate"));
  CHECK(says(message([&] { file.attribute_string("group", "rates"); }), "rates"));
  CHECK(says(message([&] { file.attribute_string("nowhere", "rates"); }), "nowhere"));
  CHECK(says(message([&] { file.children("floats"); }), "floats"));
  CHECK(says(message([&] { file.write("floats", std::vector<float>{1}); }), "floats"));
  CHECK(says(message([] { File::open_read("/nowhere/x.h5"); }), "/nowhere/x.h5"));
  CHECK(says(message([] { File::create("/nowhere/x.h5"); }), "/nowhere/x.h5"));
  CHECK(says(message([] { File::from_image({}); }), "HDF5"));
  CHECK(says(message([] { File::from_image({1, 2, 3}); }), "HDF5"));
  // Still usable afterwards.
  check(file);
}

TEST_CASE("a cut image is refused wherever it is cut", "[hdf5]") {
  File file = File::create_image();
  fill(file);
  const std::vector<std::uint8_t> bytes = file.image();
  for (std::size_t n = 0; n < bytes.size(); n += 37) {
    const std::vector<std::uint8_t> cut(bytes.begin(), bytes.begin() + static_cast<long>(n));
    CHECK_THROWS_AS(File::from_image(cut), Error);
  }
}

TEST_CASE("a call that is left midway keeps other threads out of HDF5", "[hdf5]") {
  hbool_t threadsafe = false;
  H5is_library_threadsafe(&threadsafe);
  double value = 0;
  const hsize_t one = 1;
  const hid_t space = H5Screate_simple(1, &one, nullptr);
  bool served = true;
  const H5D_operator_t within = [](void*, hid_t, unsigned, const hsize_t*, void* out) -> herr_t {
    *static_cast<bool*>(out) = compert::hdf5_serves_threads();
    return 0;
  };
  H5Diterate(&value, H5T_NATIVE_DOUBLE, space, within, &served);
  H5Sclose(space);
  CHECK(served != static_cast<bool>(threadsafe));
  CHECK(compert::hdf5_serves_threads());
}
