// Cells in files: the same values as in memory, in any order; the order of epochs; reading ahead.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numeric>
#include <random>
#include <set>

#include "catch_compat.h"
#include "compert/error.h"
#include "compert/statistics.h"
#include "compert/stored_cells.h"
#include "data/epoch.h"
#include "io/hdf5.h"

using compert::CellBatch;
using compert::StoredCells;
using compert::hdf5::File;
using compert::hdf5::Shape;

namespace {

struct TemporaryFile {
  std::string path = (std::filesystem::temp_directory_path() /
                      ("compert_stored_" + std::to_string(std::random_device()()) + ".h5"))
                         .string();
  ~TemporaryFile() { std::filesystem::remove(path); }
};

/// Random sparse cells, row-major, of which every seventh is empty.
std::vector<float> random_cells(std::size_t n, std::size_t genes, double filled = 0.2) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> uniform;
  std::vector<float> out(n * genes);
  for (std::size_t c = 0; c < n; ++c)
    for (std::size_t g = 0; g < genes; ++g)
      if (c % 7 != 3 && uniform(random) < filled)
        out[c * genes + g] = static_cast<float>(1 + 8 * uniform(random));
  return out;
}

/// Writes them by row; with `reverse` the genes of a row descend.
void write_sparse(const std::string& path, const std::vector<float>& dense, std::size_t genes,
                  bool reverse = false, const std::string& encoding = "csr_matrix") {
  std::vector<float> values;
  std::vector<int32_t> indices;
  std::vector<int64_t> offsets{0};
  const std::size_t n = dense.size() / genes;
  for (std::size_t c = 0; c < n; ++c) {
    for (std::size_t k = 0; k < genes; ++k) {
      const std::size_t g = reverse ? genes - 1 - k : k;
      if (dense[c * genes + g] == 0) continue;
      values.push_back(dense[c * genes + g]);
      indices.push_back(static_cast<int32_t>(g));
    }
    offsets.push_back(static_cast<int64_t>(values.size()));
  }
  File file = File::create(path);
  file.create_group("X");
  file.write("X/data", values, 4);
  file.write("X/indices", indices, 4);
  file.write("X/indptr", offsets);
  file.set_attribute("X", "encoding-type", encoding);
  file.set_attribute("X", "shape", std::vector<int64_t>{static_cast<int64_t>(n), static_cast<int64_t>(genes)});
  file.write("dense", dense.data(), Shape{n, genes}, 4);
  file.close();
}

/// A dataset in chunks that no filter changed, as anndata writes sparse matrices.
void write_unfiltered(const File& file, const char* name, const std::vector<float>& values, hsize_t chunk) {
  const hsize_t n = values.size();
  const hid_t space = H5Screate_simple(1, &n, nullptr), layout = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(layout, 1, &chunk);
  const hid_t out =
      H5Dcreate2(file.id(), name, H5T_NATIVE_FLOAT, space, H5P_DEFAULT, layout, H5P_DEFAULT);
  REQUIRE(H5Dwrite(out, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
  H5Dclose(out);
  H5Pclose(layout);
  H5Sclose(space);
}

std::vector<float> dense_of(const CellBatch& batch) {
  std::vector<float> out(batch.n_cells() * batch.n_genes);
  for (std::size_t b = 0; b < batch.n_cells(); ++b)
    for (auto k = static_cast<std::size_t>(batch.offsets[b]);
         k < static_cast<std::size_t>(batch.offsets[b + 1]); ++k)
      out[b * batch.n_genes + static_cast<std::size_t>(batch.genes[k])] = batch.values[k];
  return out;
}

std::vector<float> rows_of(const std::vector<float>& dense, std::size_t genes,
                           const std::vector<int64_t>& rows) {
  std::vector<float> out;
  for (const int64_t r : rows)
    out.insert(out.end(), dense.begin() + r * static_cast<int64_t>(genes),
               dense.begin() + (r + 1) * static_cast<int64_t>(genes));
  return out;
}

std::vector<int64_t> some_rows(std::size_t n, std::size_t of, uint64_t seed) {
  std::vector<int64_t> all(of);
  std::iota(all.begin(), all.end(), 0);
  std::shuffle(all.begin(), all.end(), std::mt19937_64(seed));
  all.resize(n);
  return all;
}

}  // namespace

TEST_CASE("cells are fetched from sparse and dense matrices in files", "[stored]") {
  constexpr std::size_t kCells = 700, kGenes = 31;
  const auto dense = random_cells(kCells, kGenes);
  for (const bool reverse : {false, true}) {
    const TemporaryFile file;
    write_sparse(file.path, dense, kGenes, reverse);
    for (const char* name : {"X", "dense"}) {
      const compert::StoredMatrix where = compert::stored_matrix(file.path, name);
      CHECK(where.n_cells == kCells);
      CHECK(where.n_genes == kGenes);
      const StoredCells cells(where);
      CHECK(cells.block() > 1);
      CHECK(cells.density() == Approx(0.2 * 6 / 7).margin(0.02));
      CellBatch batch;
      for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{100}, kCells}) {
        auto rows = some_rows(n, kCells, 3 + n);
        cells.fetch(rows.data(), n, batch);
        CHECK(dense_of(batch) == rows_of(dense, kGenes, rows));
        std::sort(rows.begin(), rows.end());  // then runs are read straight to where they belong
        cells.fetch(rows.data(), n, batch);
        CHECK(dense_of(batch) == rows_of(dense, kGenes, rows));
        for (std::size_t b = 0; b < n; ++b)
          CHECK(std::is_sorted(batch.genes.begin() + batch.offsets[b],
                               batch.genes.begin() + batch.offsets[b + 1]));
      }
      // Of 9 to 11 all but one, and in its place a cell from elsewhere.
      const std::vector<int64_t> replaced = {9, 400, 11};
      cells.fetch(replaced.data(), 3, batch);
      CHECK(dense_of(batch) == rows_of(dense, kGenes, replaced));
      const int64_t far = kCells;
      CHECK_THROWS_AS(cells.fetch(&far, 1, batch), compert::Error);
    }
  }
}

TEST_CASE("a dataset that is kept open reads as before", "[stored]") {
  const TemporaryFile file;
  std::vector<float> values(5000);
  for (std::size_t k = 0; k < values.size(); ++k) values[k] = static_cast<float>(k % 911);
  {
    File out = File::create(file.path);
    out.write("chunked", values, 4);
    out.write("plain", values);
    out.write("rows", values.data(), Shape{100, 50}, 4);
    write_unfiltered(out, "no filter", values, 700);
  }
  File in = File::open_read(file.path);
  for (const std::string name : {"chunked", "plain", "rows", "no filter"}) {
    const auto before = in.read_rows<float>(name, 7, 60);
    const std::size_t rows = in.keep_open(name);
    CHECK((rows > 1) == (name == "chunked" || name == "rows"));
    CHECK(in.read_rows<float>(name, 7, 60) == before);
    CHECK(in.read<float>(name) == values);
    CHECK_THROWS_AS(in.read_rows<float>(name, 0, 5001), compert::Error);
    std::vector<float> part(53);
    if (name == "rows") {
      CHECK_THROWS_AS(in.read_into(name, 7, 60, part.data()), compert::Error);
    } else {
      in.read_into(name, 7, 60, part.data());
      CHECK(part == before);
    }
  }
  CHECK_THROWS_AS(in.keep_open("nothing"), compert::Error);
  in.close();
}

TEST_CASE("files that can't be read cell by cell are refused", "[stored]") {
  const auto dense = random_cells(20, 5);
  const TemporaryFile file;
  write_sparse(file.path, dense, 5, false, "csc_matrix");
  CHECK_THROWS_AS(compert::stored_matrix(file.path, "X"), compert::Error);
  CHECK_THROWS_AS(compert::stored_matrix(file.path, "Y"), compert::Error);
  CHECK_THROWS_AS(compert::tenx_labels(file.path), compert::Error);
}

TEST_CASE("values of a gene that a cell has more than once are added up", "[stored]") {
  const TemporaryFile file;
  File out = File::create(file.path);
  out.create_group("X");
  out.write("X/data", std::vector<float>{1, 2, 3, 4, 5, 6}, 4);
  out.write("X/indices", std::vector<int32_t>{2, 0, 1, 2, 1, 2}, 4);
  out.write("X/indptr", std::vector<int64_t>{0, 2, 5, 6});
  out.set_attribute("X", "encoding-type", std::string("csr_matrix"));
  out.set_attribute("X", "shape", std::vector<int64_t>{3, 3});
  out.close();
  const StoredCells cells(compert::stored_matrix(file.path, "X"));
  CellBatch batch;
  const std::vector<int64_t> all = {2, 1, 0};
  cells.fetch(all.data(), all.size(), batch);
  CHECK(batch.offsets == std::vector<int64_t>{0, 1, 3, 5});
  CHECK(dense_of(batch) == std::vector<float>{0, 0, 6, 0, 8, 4, 2, 0, 1});
}

TEST_CASE("what stands for a missing value becomes one", "[stored]") {
  const TemporaryFile file;
  File out = File::create(file.path);
  const std::vector<int32_t> values = {1, std::numeric_limits<int32_t>::min(), 0, 4};
  out.write("x", values.data(), Shape{2, 2});
  out.close();
  compert::CellView::Changes changes;
  changes.missing = -2147483648.0F;
  const compert::CellView view(std::make_unique<StoredCells>(compert::stored_matrix(file.path, "x")),
                               changes);
  CellBatch batch;
  const std::vector<int64_t> both = {0, 1};
  view.fetch(both.data(), both.size(), batch);
  REQUIRE(batch.values.size() == 3);
  CHECK(batch.values[0] == 1);
  CHECK(std::isnan(batch.values[1]));
  CHECK(batch.values[2] == 4);
}

TEST_CASE("a file of several genomes is refused", "[stored]") {
  const TemporaryFile file;
  File out = File::create(file.path);
  for (const std::string genome : {"hg19", "mm10"}) {
    out.write_strings(genome + "/barcodes", {"AAC"});
    out.write(genome + "/indptr", std::vector<int64_t>{0, 0});
  }
  out.close();
  CHECK_THROWS_WITH(compert::tenx_labels(file.path),
                    ContainsSubstring("hg19") && ContainsSubstring("mm10"));
}

TEST_CASE("a view of no cells has none", "[stored]") {
  const TemporaryFile file;
  write_sparse(file.path, random_cells(20, 6), 6);
  compert::CellView::Changes changes;
  changes.cells.emplace();
  const compert::CellView none(
      std::make_unique<StoredCells>(compert::stored_matrix(file.path, "X")), changes);
  CHECK(none.n_cells() == 0);
}

TEST_CASE("a view chooses cells and genes and takes logarithms", "[stored]") {
  constexpr std::size_t kCells = 40, kGenes = 6;
  const auto dense = random_cells(kCells, kGenes, 0.7);
  const TemporaryFile file;
  write_sparse(file.path, dense, kGenes);
  compert::CellView::Changes changes;
  changes.cells = std::vector<int64_t>{9, 2, 3, 30};
  changes.genes = {3, -1, 0, -1, 2, -1};  // row 1 of the view has no gene: zeros
  changes.n_genes = 4;
  changes.log_factor = {1, 2, 3, 0.5};
  const compert::CellView view(
      std::make_unique<StoredCells>(compert::stored_matrix(file.path, "X")), changes);
  CHECK(view.n_cells() == 4);
  CHECK(view.n_genes() == 4);
  CellBatch batch;
  const std::vector<int64_t> asked = {3, 0};
  view.fetch(asked.data(), 2, batch);
  const auto value = [&](int64_t cell, std::size_t gene, double factor) {
    return static_cast<float>(std::log1p(factor * dense[static_cast<std::size_t>(cell) * kGenes + gene]));
  };
  CHECK(dense_of(batch) == std::vector<float>{value(30, 2, 0.5), 0, value(30, 4, 0.5), value(30, 0, 0.5),
                                              value(9, 2, 1), 0, value(9, 4, 1), value(9, 0, 1)});
  for (std::size_t b = 0; b < 2; ++b)
    CHECK(std::is_sorted(batch.genes.begin() + batch.offsets[b],
                         batch.genes.begin() + batch.offsets[b + 1]));
  changes.log_factor = {1};
  CHECK_THROWS_AS(compert::CellView(
                      std::make_unique<StoredCells>(compert::stored_matrix(file.path, "X")), changes),
                  compert::Error);
}

TEST_CASE("statistics of cells in a file are those in memory", "[stored]") {
  constexpr std::size_t kCells = 6000, kGenes = 12;
  const auto dense = random_cells(kCells, kGenes);
  const TemporaryFile file;
  write_sparse(file.path, dense, kGenes);
  const StoredCells stored(compert::stored_matrix(file.path, "X"));
  std::vector<double> by_cell(dense.begin(), dense.end());
  const compert::DenseCells memory(by_cell.data(), kGenes, kCells);
  std::vector<int32_t> group(kCells);
  for (std::size_t c = 0; c < kCells; ++c) group[c] = static_cast<int32_t>(c * 31 % 6) - 1;
  const auto a = compert::group_stats(stored, group, 6), b = compert::group_stats(memory, group, 6);
  CHECK(a.n == b.n);
  CHECK(a.n[5] == 0);
  for (std::size_t k = 0; k < 5 * kGenes; ++k) {
    CHECK(a.mean[k] == Approx(b.mean[k]).epsilon(1e-12));
    CHECK(a.variance[k] == Approx(b.variance[k]).epsilon(1e-12));
  }
  CHECK(std::isnan(a.mean.back()));
}

TEST_CASE("an epoch on disk sees every cell once, block by block", "[stored]") {
  constexpr std::size_t kCells = 20000, kGenes = 3;
  const auto dense = random_cells(kCells, kGenes);
  const TemporaryFile file;
  write_sparse(file.path, dense, kGenes);
  const StoredCells stored(compert::stored_matrix(file.path, "X"));
  std::vector<int64_t> train;
  for (int64_t c = 0; c < static_cast<int64_t>(kCells); ++c)
    if (c % 5 != 0) train.push_back(c);
  const compert::Sampling once(train, {}, -1, 0);

  SECTION("all in one window: as in memory") {
    std::vector<double> by_cell(dense.begin(), dense.end());
    const compert::DenseCells memory(by_cell.data(), kGenes, kCells);
    CHECK(compert::epoch_order(stored, once, 1, 2) == compert::epoch_order(memory, once, 1, 2));
  }
  SECTION("several windows") {
    struct Wide final : compert::CellSource {  // so full that a window holds few cells
      const StoredCells& of;
      explicit Wide(const StoredCells& cells) : of(cells) {}
      std::size_t n_cells() const override { return of.n_cells(); }
      std::size_t n_genes() const override { return of.n_genes(); }
      std::size_t block() const override { return of.block(); }
      double density() const override { return 1e4; }
      void fetch(const int64_t* cells, std::size_t n, CellBatch& out) const override {
        of.fetch(cells, n, out);
      }
    } wide(stored);
    const std::size_t window = compert::window_of(wide);
    REQUIRE(window == 4096);
    const auto order = compert::epoch_order(wide, once, 1, 2);
    CHECK(order == compert::epoch_order(wide, once, 1, 2));
    CHECK(order != compert::epoch_order(wide, once, 1, 3));
    auto sorted = order;
    std::sort(sorted.begin(), sorted.end());
    CHECK(sorted == train);
    std::set<int64_t> blocks;
    for (std::size_t k = 0; k < window; ++k) blocks.insert(order[k] / static_cast<int64_t>(stored.block()));
    CHECK(blocks.size() < 2 + window / (stored.block() * 4 / 5));
    // from all over the file
    CHECK(*blocks.rbegin() - *blocks.begin() > static_cast<int64_t>(kCells / stored.block() / 3));

    compert::ReadAhead ahead(wide, once, 300, 1, 2);
    CHECK(ahead.order() == order);
    CellBatch batch;
    const auto read_all_but = [&](std::size_t left) {
      const std::vector<int64_t>& asked = ahead.order();
      for (std::size_t begin = 0; begin + left < asked.size(); begin += 300) {
        const std::size_t n = std::min<std::size_t>(300, asked.size() - begin);
        ahead.fetch(asked.data() + begin, n, batch);
        const std::vector<int64_t> rows(asked.begin() + static_cast<std::ptrdiff_t>(begin),
                                        asked.begin() + static_cast<std::ptrdiff_t>(begin + n));
        CHECK(dense_of(batch) == rows_of(dense, kGenes, rows));
      }
    };
    read_all_but(0);
    CHECK_THROWS_AS(ahead.fetch(order.data(), 10, batch), compert::Error);
    for (const std::size_t left : {std::size_t{0}, 2 * window, order.size()}) {  // ended early, or at once
      ahead.next_epoch();
      read_all_but(left);
    }
    CHECK(ahead.order() == compert::epoch_order(wide, once, 1, 5));

    // Batches may be larger than what is read at a time.
    const std::size_t large = window + 1000;
    compert::ReadAhead in_large(wide, once, large, 1, 2);
    for (std::size_t begin = 0; begin < order.size(); begin += large) {
      const std::size_t n = std::min(large, order.size() - begin);
      in_large.fetch(order.data() + begin, n, batch);
      const auto first = order.begin() + static_cast<std::ptrdiff_t>(begin);
      CHECK(dense_of(batch) == rows_of(dense, kGenes, {first, first + static_cast<std::ptrdiff_t>(n)}));
    }
  }
}
