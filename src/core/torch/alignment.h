// A term that strips the perturbation from basal states; alignment.cpp says which.
#pragma once
#include <vector>

#include "torch_util.h"

namespace compert {

/// Which cells make pairs, and what a pair weighs; see CellPairs for the tensors, which have a value per cell.
struct AlignmentPairs {
  Tensor stratum, condition;  // int32
  Tensor between, within;
  bool any = false;
};

/// Of cells with the same covariates (stratum), and the same perturbations and doses too (condition).
AlignmentPairs alignment_pairs(const std::vector<int64_t>& stratum, const std::vector<int64_t>& condition,
                               at::ScalarType type);

/// A cell that comes again in a batch would be at no distance from itself: it gets a condition of its own, and so
/// makes no pairs.
void set_repeats_apart(const int64_t* cells, std::vector<int64_t>& condition);

/// Dependence of basal states on the condition given the stratum. `swept`: in one sweep with its
/// derivatives, where there is one for the device.
Tensor alignment_loss(const Tensor& basal, const AlignmentPairs& pairs, bool swept = true);

}  // namespace compert
