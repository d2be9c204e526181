#include "epoch.h"

#include <algorithm>
#include <numeric>

#include "compert/error.h"
#include "random.h"

namespace compert {
namespace {

constexpr double kWindowBytes = 64e6;
constexpr std::size_t kFewest = 4096, kMost = 65536;

}  // namespace

std::size_t window_of(const CellSource& cells) {
  const double bytes = 8 * std::max(1.0, cells.density() * static_cast<double>(cells.n_genes()));
  return std::clamp(static_cast<std::size_t>(kWindowBytes / bytes), kFewest, kMost);
}

std::vector<int64_t> epoch_order(const CellSource& cells, const std::vector<int64_t>& train,
                                 int64_t seed, int64_t epoch) {
  Random random(static_cast<uint64_t>(seed) * 0x100000001b3ULL + static_cast<uint64_t>(epoch));
  std::vector<int64_t> order = train;
  const std::size_t window = window_of(cells);
  if (cells.block() == 1 || train.size() <= window) {
    random.shuffle(order);
    return order;
  }
  const auto block = static_cast<int64_t>(cells.block());
  std::sort(order.begin(), order.end());
  std::vector<std::vector<int64_t>> blocks;
  for (const int64_t cell : order) {
    if (blocks.empty() || cell / block != blocks.back().front() / block) blocks.emplace_back();
    blocks.back().push_back(cell);
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

ReadAhead::ReadAhead(const CellSource& cells, const std::vector<int64_t>& train, std::size_t batch,
                     int64_t seed, int64_t epoch)
    : cells_(cells),
      train_(train),
      seed_(seed),
      epoch_(epoch),
      size_(std::max(window_of(cells), batch)),  // a batch may lie in two windows, not in three
      order_(epoch_order(cells, train, seed, epoch)) {
  find_positions();
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
    out.row[k] = static_cast<int32_t>(sorted.size());
    sorted.push_back(wanted[k]);
  }
  cells_.fetch(sorted.data(), n, out.cells);
  return out;
}

void ReadAhead::find_positions() {
  position_.assign(cells_.n_cells(), -1);
  for (std::size_t k = 0; k < order_.size(); ++k)
    position_[static_cast<std::size_t>(order_[k])] = static_cast<int32_t>(k);
}

/// Starts to read the window after `first_`.
void ReadAhead::read_on() const {
  const std::size_t begin = (first_ + 1) * size_;
  coming_ = std::async(std::launch::async, [this, begin] {
    if (begin < order_.size()) return read_window(order_, begin);
    following_ = epoch_order(cells_, train_, seed_, epoch_ + 1);
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
  first_ = 0;
  find_positions();
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
  std::size_t earliest = order_.size(), latest = 0;
  for (std::size_t b = 0; b < n; ++b) {
    const int32_t at = position_.at(static_cast<std::size_t>(cells[b]));
    const auto position = at < 0 ? order_.size() : static_cast<std::size_t>(at);
    earliest = std::min(earliest, position);
    latest = std::max(latest, position);
  }
  while (earliest < order_.size() && earliest / size_ > first_) advance();
  if (latest >= order_.size() || earliest / size_ < first_ || latest / size_ > first_ + 1)
    throw Error("cells", "must be asked for in the order of the epoch",
                "cell " + std::to_string(cells[0]) + " is not near the ones before");
  for (std::size_t b = 0; b < n; ++b) {
    const auto position = static_cast<std::size_t>(position_[static_cast<std::size_t>(cells[b])]);
    const Window& held = holding(position);
    const CellBatch& window = held.cells;
    const auto row = static_cast<std::size_t>(held.row[position % size_]);
    const auto begin = static_cast<std::ptrdiff_t>(window.offsets[row]),
               end = static_cast<std::ptrdiff_t>(window.offsets[row + 1]);
    out.genes.insert(out.genes.end(), window.genes.begin() + begin, window.genes.begin() + end);
    out.values.insert(out.values.end(), window.values.begin() + begin, window.values.begin() + end);
    out.offsets.push_back(static_cast<int64_t>(out.genes.size()));
  }
}

}  // namespace compert
