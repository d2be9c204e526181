// A small .h5ad file for tests: contents of every kind, a place for it, and what errors say.
#pragma once
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "compert/error.h"
#include "compert/h5ad.h"
#include "io/hdf5.h"

namespace h5ad_sample {

using compert::Error;
using compert::hdf5::File;
using namespace compert::h5ad;

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

inline Matrix sparse() {
  Matrix m;  // 3 x 4: (0, 1) = 5, (0, 3) = 0.1, (2, 0) = -2
  m.layout = Layout::csr;
  m.n_rows = 3;
  m.n_columns = 4;
  m.values = {5, 0.1, -2};
  m.indices = {1, 3, 0};
  m.offsets = {0, 2, 2, 3};
  return m;
}

inline Matrix dense(std::size_t n_rows, std::size_t n_columns) {
  Matrix m;
  m.n_rows = n_rows;
  m.n_columns = n_columns;
  for (std::size_t k = 0; k < n_rows * n_columns; ++k) m.values.push_back(0.5 * double(k));
  return m;
}

inline Values integers(std::vector<std::int32_t> values, ValueType type = ValueType::integer) {
  Values out;
  out.type = type;
  out.shape = {values.size()};
  out.integers = std::move(values);
  return out;
}

inline Contents sample() {
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

inline std::string message(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

inline bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline void overwrite(const std::string& path, const std::string& dataset,
               const std::vector<std::int32_t>& values) {
  hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  hid_t data = H5Dopen2(file, dataset.c_str(), H5P_DEFAULT);
  H5Dwrite(data, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  H5Dclose(data);
  H5Fclose(file);
}

inline void remove(const std::string& path, const std::string& object) {
  hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  H5Ldelete(file, object.c_str(), H5P_DEFAULT);
  H5Fclose(file);
}

template <class T>
void create(const std::string& path, const std::string& dataset, hid_t type, const std::vector<T>& values) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  const hsize_t n = values.size();
  const hid_t space = H5Screate_simple(1, &n, nullptr);
  const hid_t data = H5Dcreate2(file, dataset.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  H5Dclose(data);
  H5Sclose(space);
  H5Fclose(file);
}

template <class T>
void replace(const std::string& path, const std::string& dataset, hid_t type, const std::vector<T>& values) {
  remove(path, dataset);
  create(path, dataset, type, values);
}

}  // namespace h5ad_sample
