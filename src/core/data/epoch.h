// The order in which an epoch sees the cells, and reading ahead in it.
#pragma once
#include <future>
#include <memory>
#include <vector>

#include "compert/cells.h"
#include "sampling.h"

namespace compert {

/// The order of one epoch; it depends on seed and epoch alone, so that a resumed fit sees the same
/// batches. Of sources in memory it is a permutation of the cells that `sampling` draws. On disk, blocks of
/// neighbouring cells (CellSource::block()) are shuffled, and then the cells of as many blocks as make a
/// window; a cell that comes again does so as one of a further block. Where one window holds all cells the
/// order is that of a source in memory.
std::vector<int64_t> epoch_order(const CellSource& cells, const Sampling& sampling, int64_t seed,
                                 int64_t epoch);

/// Cells of a window: some 64 MB, but 4,096 to 65,536.
std::size_t window_of(const CellSource& cells);

/// Gives the cells of epochs in their order while a thread of its own reads the window after the one in
/// use; after the last one of an epoch comes the first one of the next. Batches, which are runs of that order,
/// must be fetched one after the other, from one thread; some may be left out.
class ReadAhead final : public CellSource {
 public:
  /// Begins with `epoch`; see epoch_order(). Cells and `sampling` must outlive it. Batches have at most
  /// `batch` cells.
  ReadAhead(const CellSource& cells, const Sampling& sampling, std::size_t batch, int64_t seed, int64_t epoch);
  ~ReadAhead() override;
  /// Of this epoch.
  const std::vector<int64_t>& order() const { return order_; }
  void next_epoch();
  std::size_t n_cells() const override { return cells_.n_cells(); }
  std::size_t n_genes() const override { return cells_.n_genes(); }
  void fetch(const int64_t* cells, std::size_t n, CellBatch& out) const override;
  double density() const override { return cells_.density(); }

 private:
  /// The different cells of a part of an order, as they lie in the source; row[k] is where its k-th is among
  /// them.
  struct Window {
    CellBatch cells;
    std::vector<int32_t> row;
  };
  Window read_window(const std::vector<int64_t>& order, std::size_t begin) const;
  void read_on() const;
  void advance() const;
  const Window& holding(std::size_t position) const;
  const CellSource& cells_;
  const Sampling& sampling_;
  int64_t seed_, epoch_;
  std::size_t size_;
  std::vector<int64_t> order_;
  mutable std::vector<int64_t> following_;  // the order of the next epoch, from when it is read
  mutable std::size_t position_ = 0;        // in `order_`, after the last batch
  // Windows `first_` and `first_ + 1`; the later one may still be on its way.
  mutable std::size_t first_ = 0;
  mutable Window now_, next_;
  mutable std::future<Window> coming_;
};

}  // namespace compert
