// Files that contradict themselves, are cut or damaged, or could not be written.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>

#include "catch_compat.h"
#include "h5ad_sample.h"

using namespace h5ad_sample;

namespace {

// Writes the sample, changes the file, and returns what reading it says.
std::string message_after(const std::function<void(const std::string&)>& change) {
  const TemporaryPath path;
  write(path.text(), sample());
  change(path.text());
  return message([&] { read(path.text()); });
}

}  // namespace

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

TEST_CASE("names may be a nullable array, of which none is missing", "[h5ad]") {
  const auto with_mask = [](const std::vector<std::uint8_t>& mask) {
    return message_after([&](const std::string& p) {
      const hid_t file = H5Fopen(p.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
      H5Lmove(file, "obs/_index", file, "obs/values", H5P_DEFAULT, H5P_DEFAULT);
      H5Gclose(H5Gcreate2(file, "obs/_index", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
      H5Lmove(file, "obs/values", file, "obs/_index/values", H5P_DEFAULT, H5P_DEFAULT);
      H5Fclose(file);
      create(p, "obs/_index/mask", H5T_NATIVE_UINT8, mask);
    });
  };
  CHECK(with_mask({0, 0, 0}).empty());
  CHECK(says(with_mask({0, 1, 0}), "lacks some of its names"));
  CHECK(says(with_mask({0, 0}), "3 values but a mask of 2"));
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
