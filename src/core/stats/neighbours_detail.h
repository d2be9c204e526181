#pragma once

// The search behind nearest_neighbours(), for scores that need each point's neighbours once and
// not all of them at a time. What is in stats/ includes this, nobody else.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include "compert/neighbours.h"

namespace compert::detail {

/// A squared distance and the point it leads to. Pairs compare by distance, then by number.
using Hit = std::pair<double, std::size_t>;

/// Gets a row and its k hits, in no order. It may reorder and overwrite them.
using Visit = std::function<void(std::size_t row, Hit* first, Hit* last)>;

/// The errors that nearest_neighbours() lists.
void check_search(const Points& points, int64_t k);

/// k, or n - 1 where that is less.
std::size_t cut_k(int64_t k, const Points& points);

/// Calls `visit` once for every row, from several threads: it must not throw, and writes to places
/// of its own row only.
void visit_neighbours(const Points& points, std::size_t k, const Pause& pause, const Visit& visit);

}  // namespace compert::detail
