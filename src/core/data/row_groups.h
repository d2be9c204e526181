// Cells by what was done to them, and where.
#pragma once
#include <vector>

#include "compert/design.h"

namespace compert {

/// Numbers in order of appearance. Rows with the same covariates share a stratum; with the same
/// perturbations and doses too, a condition; `by_bin`: and with the same bin of the continuous covariates.
struct RowGroups {
  std::vector<int64_t> stratum, condition;  // per row
  std::vector<int64_t> stratum_of;          // per condition
  std::vector<std::size_t> first;           // per condition, its first row
  int64_t n_strata = 0;
};

RowGroups row_groups(const Design& rows, bool by_bin = false);

}  // namespace compert
