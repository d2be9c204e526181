#include "row_groups.h"

#include <algorithm>
#include <map>

namespace compert {

RowGroups row_groups(const Design& rows) {
  std::map<std::vector<int32_t>, int64_t> strata;
  std::map<std::pair<int64_t, std::vector<std::pair<int32_t, double>>>, int64_t> conditions;
  RowGroups out;
  for (std::size_t i = 0; i < rows.n; ++i) {
    const auto c = rows.covariate.begin() + static_cast<std::ptrdiff_t>(i * rows.n_covariates);
    const std::vector<int32_t> levels(c, c + static_cast<std::ptrdiff_t>(rows.n_covariates));
    const int64_t stratum = strata.emplace(levels, static_cast<int64_t>(strata.size())).first->second;
    std::vector<std::pair<int32_t, double>> parts;
    for (std::size_t m = i * rows.n_slots; m < (i + 1) * rows.n_slots; ++m)
      if (rows.perturbation[m] >= 0) parts.emplace_back(rows.perturbation[m], rows.dose[m]);
    std::sort(parts.begin(), parts.end());
    const auto [found, is_new] =
        conditions.emplace(std::make_pair(stratum, parts), static_cast<int64_t>(conditions.size()));
    if (is_new) {
      out.stratum_of.push_back(stratum);
      out.first.push_back(i);
    }
    out.stratum.push_back(stratum);
    out.condition.push_back(found->second);
  }
  out.n_strata = static_cast<int64_t>(strata.size());
  return out;
}

}  // namespace compert
