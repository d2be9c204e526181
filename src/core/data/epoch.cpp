#include "epoch.h"

#include <algorithm>
#include <numeric>

#include "compert/error.h"

namespace compert {
namespace {

constexpr double kWindowBytes = 64e6;
constexpr std::size_t kFewest = 4096, kMost = 65536;

}  // namespace

std::size_t window_of(const CellSource& cells) {
  const double bytes = 8 * std::max(1.0, cells.density() * static_cast<double>(cells.n_genes()));
  return std::clamp(static_cast<std::size_t>(kWindowBytes / bytes), kFewest, kMost);
}

std::vector<int64_t> epoch_order(const CellSource& cells, const Sampling& sampling, int64_t seed,
                                 int64_t epoch) {
  Random random(static_cast<uint64_t>(seed) * 0x100000001b3ULL + static_cast<uint64_t>(epoch));
  std::vector<int64_t> order = sampling.draw(random);
  const std::size_t window = window_of(cells);
  if (cells.block() == 1 || order.size() <= window) {
    random.shuffle(order);
    return order;
  }
  const auto block = static_cast<int64_t>(cells.block());
  std::sort(order.begin(), order.end());
  std::vector<std::vector<int64_t>> blocks;
  // Cells of a block that come again are further blocks, so that they are not all near each other.
  std::size_t first = 0, again = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    if (k == 0 || order[k] / block != order[k - 1] / block) first = blocks.size();
    again = k > 0 && order[k] == order[k - 1] ? again + 1 : 0;
    if (first + again == blocks.size()) blocks.emplace_back();
    blocks[first + again].push_back(order[k]);
  }
  random.shuffle(blocks);
  order.clear();
  std::vector<int64_t> together;
  for (std::size_t k = 0; k < blocks.size(); ++k) {
    together.insert(together.end(), blocks[k].begin(), blocks[k].end());
    if (together.size() < window && k + 1 < blocks.size()) continue;
    random.shuffle(together);
    order.insert(order.end(), together.begin(), together.end());
    together.clear();
  }
  return order;
}

ReadAhead::ReadAhead(const CellSource& cells, const Sampling& sampling, std::size_t batch, int64_t seed,
                     int64_t epoch)
    : cells_(cells),
      sampling_(sampling),
      seed_(seed),
      epoch_(epoch),
      size_(std::max(window_of(cells), batch)),  // a batch may lie in two windows, not in three
      order_(epoch_order(cells, sampling, seed, epoch)) {
  now_ = read_window(order_, 0);
  read_on();
}

ReadAhead::~ReadAhead() = default;

ReadAhead::Window ReadAhead::read_window(const std::vector<int64_t>& order, std::size_t begin) const {
  Window out;
  const std::size_t n = std::min(size_, order.size() - std::min(begin, order.size()));
  if (n == 0) return out;
  std::vector<std::size_t> rank(n);
  std::iota(rank.begin(), rank.end(), 0);
  const int64_t* wanted = order.data() + begin;
  std::sort(rank.begin(), rank.end(),
            [wanted](std::size_t a, std::size_t b) { return wanted[a] < wanted[b]; });
  std::vector<int64_t> sorted;
  out.row.resize(n);
  for (const std::size_t k : rank) {
    if (sorted.empty() || sorted.back() != wanted[k]) sorted.push_back(wanted[k]);
    out.row[k] = static_cast<int32_t>(sorted.size() - 1);
  }
  cells_.fetch(sorted.data(), sorted.size(), out.cells);
  return out;
}

/// Starts to read the window after `first_`.
void ReadAhead::read_on() const {
  const std::size_t begin = (first_ + 1) * size_;
  coming_ = std::async(std::launch::async, [this, begin] {
    if (begin < order_.size()) return read_window(order_, begin);
    following_ = epoch_order(cells_, sampling_, seed_, epoch_ + 1);
    return read_window(following_, 0);
  });
}

void ReadAhead::advance() const {
  if (coming_.valid()) next_ = coming_.get();
  now_ = std::move(next_);
  next_ = Window();
  ++first_;
  read_on();
}

void ReadAhead::next_epoch() {
  while ((first_ + 1) * size_ < order_.size()) advance();
  now_ = coming_.get();
  order_ = std::move(following_);
  ++epoch_;
  first_ = position_ = 0;
  read_on();
}

/// The window with a position of the order: `first_` or the one after.
const ReadAhead::Window& ReadAhead::holding(std::size_t position) const {
  if (position / size_ == first_) return now_;
  if (coming_.valid()) next_ = coming_.get();
  return next_;
}

void ReadAhead::fetch(const int64_t* cells, std::size_t n, CellBatch& out) const {
  out.offsets.assign(1, 0);
  out.genes.clear();
  out.values.clear();
  out.n_genes = n_genes();
  if (n == 0) return;
  const auto found = std::search(order_.begin() + static_cast<std::ptrdiff_t>(position_), order_.end(), cells,
                                 cells + n);
  if (found == order_.end() || n > size_)
    throw Error("cells", "must be asked for in the order of the epoch",
                "cell " + std::to_string(cells[0]) + " and those after it do not come after the ones before");
  position_ = static_cast<std::size_t>(found - order_.begin());
  while (position_ / size_ > first_) advance();
  for (const std::size_t after = position_ + n; position_ < after; ++position_) {
    const Window& held = holding(position_);
    const CellBatch& window = held.cells;
    const auto row = static_cast<std::size_t>(held.row[position_ % size_]);
    const auto begin = static_cast<std::ptrdiff_t>(window.offsets[row]),
               end = static_cast<std::ptrdiff_t>(window.offsets[row + 1]);
    out.genes.insert(out.genes.end(), window.genes.begin() + begin, window.genes.begin() + end);
    out.values.insert(out.values.end(), window.values.begin() + begin, window.values.begin() + end);
    out.offsets.push_back(static_cast<int64_t>(out.genes.size()));
  }
}

}  // namespace compert
