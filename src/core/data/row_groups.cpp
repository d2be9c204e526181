#include "row_groups.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace compert {

RowGroups row_groups(const Design& rows, bool by_bin) {
  std::map<std::vector<int32_t>, int64_t> strata;
  using Condition = std::tuple<int64_t, int32_t, std::vector<std::pair<int32_t, double>>>;
  std::map<Condition, int64_t> conditions;
  RowGroups out;
  // Keys of the last row, whose memory the next one takes: most rows are of groups that are known.
  std::vector<int32_t> levels;
  Condition condition;
  const auto number_of = [](auto& numbers, const auto& key) {
    auto found = numbers.find(key);
    if (found == numbers.end())
      found = numbers.emplace(key, static_cast<int64_t>(numbers.size())).first;
    return found->second;
  };
  for (std::size_t i = 0; i < rows.n; ++i) {
    const auto c = rows.covariate.begin() + static_cast<std::ptrdiff_t>(i * rows.n_covariates);
    levels.assign(c, c + static_cast<std::ptrdiff_t>(rows.n_covariates));
    auto& [stratum, bin, parts] = condition;
    stratum = number_of(strata, levels);
    bin = by_bin && !rows.bin.empty() ? rows.bin[i] : 0;
    parts.clear();
    for (std::size_t m = i * rows.n_slots; m < (i + 1) * rows.n_slots; ++m)
      if (rows.perturbation[m] >= 0) parts.emplace_back(rows.perturbation[m], rows.dose[m]);
    std::sort(parts.begin(), parts.end());
    const int64_t number = number_of(conditions, condition);
    if (number == static_cast<int64_t>(out.first.size())) {
      out.stratum_of.push_back(stratum);
      out.first.push_back(i);
    }
    out.stratum.push_back(stratum);
    out.condition.push_back(number);
  }
  out.n_strata = static_cast<int64_t>(strata.size());
  return out;
}

}  // namespace compert
