// Reading a batch: its cells, its rows of the design, and mixup of both.
#include <algorithm>
#include <map>

#include "network.h"

namespace compert {
namespace {

/// Numbers the strata and conditions of a batch in order of appearance.
void label_groups(const Design& rows, Batch& out) {
  std::map<std::vector<int32_t>, int64_t> strata;
  std::map<std::pair<int64_t, std::vector<std::pair<int32_t, double>>>, int64_t> conditions;
  out.stratum.clear();
  out.condition.clear();
  for (std::size_t i = 0; i < rows.n; ++i) {
    const auto c = rows.covariate.begin() + static_cast<std::ptrdiff_t>(i * rows.n_covariates);
    const std::vector<int32_t> levels(c, c + static_cast<std::ptrdiff_t>(rows.n_covariates));
    const int64_t stratum =
        strata.emplace(levels, static_cast<int64_t>(strata.size())).first->second;
    std::vector<std::pair<int32_t, double>> parts;
    for (std::size_t m = i * rows.n_slots; m < (i + 1) * rows.n_slots; ++m)
      if (rows.perturbation[m] >= 0) parts.emplace_back(rows.perturbation[m], rows.dose[m]);
    std::sort(parts.begin(), parts.end());
    out.stratum.push_back(stratum);
    out.condition.push_back(
        conditions.emplace(std::make_pair(stratum, parts), static_cast<int64_t>(conditions.size()))
            .first->second);
  }
}

/// Walks through the stored values of two cells in the order of genes: visit(gene, first, second).
template <class T, class Visit>
void merge(const CellBatch& x, const T* values, std::size_t a, std::size_t b, Visit&& visit) {
  int64_t i = x.offsets[a], j = x.offsets[b];
  const int64_t i_end = x.offsets[a + 1], j_end = x.offsets[b + 1];
  const auto gene = [&x](int64_t k) { return x.genes[static_cast<std::size_t>(k)]; };
  while (i < i_end || j < j_end) {
    if (j == j_end || (i < i_end && gene(i) < gene(j))) {
      visit(gene(i), values[i], T(0));
      ++i;
    } else if (i == i_end || gene(j) < gene(i)) {
      visit(gene(j), T(0), values[j]);
      ++j;
    } else {
      visit(gene(i), values[i], values[j]);
      ++i;
      ++j;
    }
  }
}

}  // namespace

void Network::load(const CellSource& cells, const int64_t* which, std::size_t n,
                   const Design& rows, Batch& out) const {
  if (cells.n_genes() != static_cast<std::size_t>(architecture_.n_genes))
    throw Error("x", "must have the genes of the model",
                std::to_string(cells.n_genes()) + " given, the model has " +
                    std::to_string(architecture_.n_genes));
  cells.fetch(which, n, out.target);
  out.values = stored_values(out.target, c10::typeMetaToScalarType(options_.dtype()));
  out.input = head_.counts() ? out.values.log1p() : out.values;
  out.library = head_.library ? library_sizes(out.target, out.values, options_.device()) : Tensor();
  out.share = 1;
  out.partner = out.noise = Tensor();
  load_design(rows, out);
}

void Network::load_design(const Design& given, Batch& out) const {
  const Design rows = one_hot_ ? given.one_hot(architecture_.n_perturbations) : given;
  const auto n = static_cast<int64_t>(rows.n), slots = static_cast<int64_t>(rows.n_slots);
  const int64_t count = architecture_.n_perturbations;
  Tensor code = at::zeros({n, slots}, at::kLong), dose = at::zeros({n, slots}, at::kDouble),
         filled = at::zeros({n, slots}, at::kDouble), present = at::zeros({n, count}, at::kFloat);
  int64_t* codes = code.data_ptr<int64_t>();
  double *doses = dose.data_ptr<double>(), *mask = filled.data_ptr<double>();
  float* presence = present.data_ptr<float>();
  for (int64_t k = 0; k < n * slots; ++k) {
    int32_t p = rows.perturbation[static_cast<std::size_t>(k)];
    // theislab/chemCPA fills empty slots with its first drug at dose 0, which counts as present.
    const bool padded = parity_ == "chemcpa" && !one_hot_;
    if (p < 0 && padded) p = 0;
    if (p < 0) continue;
    codes[k] = p;
    doses[k] = rows.dose[static_cast<std::size_t>(k)];
    mask[k] = 1;
    if (doses[k] > 0 || padded) presence[(k / slots) * count + p] = 1;
  }
  out.slots = {code.to(options_.device()), dose.to(options_), filled.to(options_)};
  out.present = present.to(options_);
  out.covariates.clear();
  for (std::size_t c = 0; c < rows.n_covariates; ++c) {
    Tensor level = at::empty({n}, at::kLong);
    for (int64_t i = 0; i < n; ++i)
      level.data_ptr<int64_t>()[i] =
          rows.covariate[static_cast<std::size_t>(i) * rows.n_covariates + c];
    out.covariates.push_back(level.to(options_.device()));
  }
  out.condition_class = Tensor();
  if (!rows.condition.empty())
    out.condition_class =
        at::tensor(std::vector<int64_t>(rows.condition.begin(), rows.condition.end()), at::kLong)
            .to(options_.device());
  label_groups(rows, out);
}

/// Mixup (Zhang et al. 2018, as theislab/cpa has it): expression, perturbations and covariates of a
/// cell become `share` of its own and 1 - share of its partner's.
void Network::mix(Batch& batch, double share, const std::vector<int64_t>& partner) const {
  CellBatch out;
  out.n_genes = batch.target.n_genes;
  Tensor values;
  by_type(batch.values, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    std::vector<T> all;
    const T own = static_cast<T>(share), other = static_cast<T>(1 - share);
    for (std::size_t b = 0; b < batch.target.n_cells(); ++b) {
      merge(batch.target, batch.values.data_ptr<T>(), b, static_cast<std::size_t>(partner[b]),
            [&](int32_t gene, T first, T second) {
              out.genes.push_back(gene);
              all.push_back(own * first + other * second);
            });
      out.offsets.push_back(static_cast<int64_t>(all.size()));
    }
    out.values.assign(all.begin(), all.end());
    values = at::empty({static_cast<int64_t>(all.size())}, batch.values.options());
    std::copy(all.begin(), all.end(), values.data_ptr<T>());
  });
  batch.target = std::move(out);
  batch.values = values;
  batch.input = head_.counts() ? values.log1p() : values;
  if (head_.library) batch.library = library_sizes(batch.target, values, options_.device());
  batch.share = share;
  batch.partner = at::tensor(partner, at::kLong).to(options_.device());
}

}  // namespace compert
