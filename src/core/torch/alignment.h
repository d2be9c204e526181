// A term that strips the perturbation from basal states; alignment.cpp says which.
#pragma once
#include <vector>

#include "torch_util.h"

namespace compert {

/// Dependence of basal states on the condition given the stratum (see Batch for both, per cell). `swept`:
/// in one sweep with its derivatives, where there is one for the device.
Tensor alignment_loss(const Tensor& basal, const std::vector<int64_t>& stratum,
                      const std::vector<int64_t>& condition, bool swept = true);

}  // namespace compert
