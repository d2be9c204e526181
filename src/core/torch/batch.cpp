// Reading a batch: its cells, its rows of the design, and mixup of both.
#include <algorithm>
#include <cmath>

#include "../data/row_groups.h"
#include "lanes.h"
#include "network.h"

namespace compert {
namespace {

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

/// Rows of genes and proteins apart: the genes as they are stored, the proteins dense.
void split_rows(const CellBatch& both, const Tensor& values, int64_t n_genes, CellBatch& genes,
                Tensor& gene_values, Tensor& proteins) {
  const std::size_t n = both.n_cells();
  const auto n_proteins = static_cast<int64_t>(both.n_genes) - n_genes;
  genes.n_genes = static_cast<std::size_t>(n_genes);
  genes.offsets.assign(1, 0);
  genes.genes.clear();
  genes.values.clear();
  proteins = at::zeros({static_cast<int64_t>(n), n_proteins}, values.options());
  gene_values = at::empty({values.size(0)}, values.options());
  by_type(values, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const T* v = values.data_ptr<T>();
    T *kept = gene_values.data_ptr<T>(), *p = proteins.data_ptr<T>();
    for (std::size_t b = 0; b < n; ++b) {
      for (auto i = static_cast<std::size_t>(both.offsets[b]);
           i < static_cast<std::size_t>(both.offsets[b + 1]); ++i) {
        const int32_t row = both.genes[i];
        if (row < n_genes) {
          kept[genes.genes.size()] = v[i];
          genes.genes.push_back(row);
          genes.values.push_back(both.values[i]);
        } else {
          p[static_cast<int64_t>(b) * n_proteins + row - n_genes] = v[i];
        }
      }
      genes.offsets.push_back(static_cast<int64_t>(genes.genes.size()));
    }
  });
  gene_values = gene_values.narrow(0, 0, static_cast<int64_t>(genes.genes.size()));
}

/// Values at the places of `both` from those of its genes and from dense proteins.
Tensor join_rows(const CellBatch& both, int64_t n_genes, const Tensor& genes, const Tensor& proteins) {
  const Tensor dense = proteins.contiguous();
  const int64_t n_proteins = dense.size(1);
  Tensor out = at::empty({static_cast<int64_t>(both.n_stored())}, genes.options());
  by_type(out, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const T *g = genes.data_ptr<T>(), *p = dense.data_ptr<T>();
    T* v = out.data_ptr<T>();
    for (std::size_t b = 0; b < both.n_cells(); ++b)
      for (auto i = both.offsets[b]; i < both.offsets[b + 1]; ++i) {
        const int32_t row = both.genes[static_cast<std::size_t>(i)];
        v[i] = row < n_genes ? *g++ : p[static_cast<int64_t>(b) * n_proteins + row - n_genes];
      }
  });
  return out;
}

/// The cells `rows` of a batch.
void select_rows(const CellBatch& from, const Tensor& values, const std::vector<int64_t>& rows,
                 CellBatch& out, Tensor& out_values) {
  out.n_genes = from.n_genes;
  out.offsets.assign(1, 0);
  out.genes.clear();
  out.values.clear();
  std::vector<Tensor> parts;
  for (const int64_t row : rows) {
    const auto b = static_cast<std::size_t>(row);
    const auto begin = from.offsets[b], end = from.offsets[b + 1];
    out.genes.insert(out.genes.end(), from.genes.begin() + begin, from.genes.begin() + end);
    out.values.insert(out.values.end(), from.values.begin() + begin, from.values.begin() + end);
    out.offsets.push_back(static_cast<int64_t>(out.genes.size()));
    parts.push_back(values.narrow(0, begin, end - begin));
  }
  out_values = parts.empty() ? values.narrow(0, 0, 0) : at::cat(parts);
}

/// Every cell of `rows` becomes `share` of its own and the rest of its partner's.
void mix_rows(CellBatch& cells, Tensor& stored, ProcessGroup::Rows rows, double share,
              const std::vector<int64_t>& partner) {
  CellBatch out;
  out.n_genes = cells.n_genes;
  Tensor values;
  by_type(stored, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    std::vector<T> all;
    const T own = static_cast<T>(share), other = static_cast<T>(1 - share);
    for (auto b = static_cast<std::size_t>(rows.begin); b < static_cast<std::size_t>(rows.end); ++b) {
      merge(cells, stored.data_ptr<T>(), b, static_cast<std::size_t>(partner[b]),
            [&](int32_t gene, T first, T second) {
              out.genes.push_back(gene);
              all.push_back(own * first + other * second);
            });
      out.offsets.push_back(static_cast<int64_t>(all.size()));
    }
    out.values.assign(all.begin(), all.end());
    values = at::empty({static_cast<int64_t>(all.size())}, stored.options());
    std::copy(all.begin(), all.end(), values.data_ptr<T>());
  });
  cells = std::move(out);
  stored = values;
}

}  // namespace

void Network::load(const CellSource& cells, const int64_t* which, std::size_t n,
                   const Design& rows, Batch& out, const ProcessGroup* group) const {
  if (cells.n_genes() != static_cast<std::size_t>(architecture_.n_rows()))
    throw Error("x", "must have the genes (and proteins) of the model",
                std::to_string(cells.n_genes()) + " given, the model has " +
                    std::to_string(architecture_.n_rows()));
  CellBatch& all = proteins_ ? out.both : out.target;
  const auto share = group != nullptr ? group->own_rows(static_cast<int64_t>(n))
                                      : ProcessGroup::Rows{0, static_cast<int64_t>(n)};
  in_lanes(2, true, [&](std::size_t lane) {
    if (lane == 1) return load_design(rows, out);
    cells.fetch(which + share.begin, static_cast<std::size_t>(share.count()), all);
    const Tensor values = stored_values(all, c10::typeMetaToScalarType(options_.dtype()));
    if (on_cpu()) (proteins_ ? out.both_values : out.values) = values;
    else out.on_device = dense_tensor(all, values, options_.device());
  });
  out.group = group;
  out.share = 1;
  out.partner = Tensor();
  out.noise.clear();
  prepare(out, rows.measured);
}

Tensor Network::encoder_input(const Tensor& values) const {
  // theislab/multicpa gives its encoders the counts as they are.
  return head_.counts() && !multicpa() ? values.log1p() : values;
}

/// Genes and proteins apart, as they were observed and as the encoders read them.
void Network::split(Batch& out) const {
  const int64_t genes = architecture_.n_genes;
  if (on_cpu()) {
    if (proteins_) {
      split_rows(out.both, out.both_values, genes, out.target, out.values, out.proteins);
      out.protein_input = proteins_->input(out.proteins);
    }
    out.input = encoder_input(out.values);
    if (proteins_ && !experts()) out.both_input = join_rows(out.both, genes, out.input, out.protein_input);
    out.library = head_.library ? library_sizes(out.target, out.values) : Tensor();
    return;
  }
  out.device_rna = out.on_device.narrow(1, 0, genes);
  out.device_input = encoder_input(out.device_rna);
  if (proteins_) {
    out.proteins = out.on_device.narrow(1, genes, architecture_.n_proteins);
    out.protein_input = proteins_->input(out.proteins);
    if (!experts()) out.device_input = at::cat({out.device_input, out.protein_input}, 1);
  }
  out.library = head_.library ? out.device_rna.sum(1, true) : Tensor();
}

void Network::prepare(Batch& out, const std::vector<uint8_t>& measured) const {
  out.rna_rows = out.protein_rows = Tensor();
  split(out);
  const auto rows_with = [&](uint8_t modality) {
    std::vector<int64_t> rows;
    for (std::size_t i = 0; i < measured.size(); ++i)
      if (measured[i] & modality) rows.push_back(static_cast<int64_t>(i));
    return rows;
  };
  if (measured.empty()) return;
  const auto rna = rows_with(kRna), second = rows_with(kProteins);
  if (rna.size() == measured.size() && second.size() == measured.size()) return;
  if (!experts())
    throw Error("fusion", "must be \"poe\" for cells that lack one of the modalities",
                std::to_string(measured.size() - std::min(rna.size(), second.size())) + " cells of a batch do",
                "An encoder of both modalities at once needs both");
  const auto index = [&](const std::vector<int64_t>& v) {
    return at::tensor(v, at::kLong).to(options_.device());
  };
  if (second.size() < measured.size()) out.protein_rows = index(second);
  if (rna.size() == measured.size()) return;
  out.rna_rows = index(rna);
  if (on_cpu()) {
    select_rows(out.target, out.values, rna, out.measured_rna, out.measured_values);
    out.measured_input = encoder_input(out.measured_values);
  } else {
    out.device_rna = out.device_rna.index_select(0, out.rna_rows);
    out.device_input = encoder_input(out.device_rna);
  }
  // A cell without RNA has no total: it is decoded at the training cells' mean.
  if (out.library.defined())
    out.library = mean_library_->value.expand_as(out.library)
                      .index_copy(0, out.rna_rows, out.library.index_select(0, out.rna_rows));
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
  RowGroups groups = row_groups(rows);
  out.stratum = std::move(groups.stratum);
  out.condition = std::move(groups.condition);
}

/// Mixup (Zhang et al. 2018, as theislab/cpa has it): expression, perturbations and covariates of a
/// cell become `share` of its own and 1 - share of its partner's.
void Network::mix(Batch& batch, double share, const std::vector<int64_t>& partner,
                  const ProcessGroup* group) const {
  if (batch.rna_rows.defined() || batch.protein_rows.defined())
    throw Error("mixup_alpha", "must be 0 where cells lack one of the modalities",
                "a mixed cell would have parts of both");
  const int64_t n = batch.size();
  const auto rows = group != nullptr ? group->own_rows(n) : ProcessGroup::Rows{0, n};
  batch.group = group;
  batch.share = share;
  batch.partner = at::tensor(partner, at::kLong).to(options_.device());
  if (on_cpu()) {
    mix_rows(proteins_ ? batch.both : batch.target, proteins_ ? batch.both_values : batch.values, rows, share,
             partner);
  } else {
    const Tensor others = batch.partner.narrow(0, rows.begin, rows.count());
    batch.on_device = batch.on_device.narrow(0, rows.begin, rows.count()) * share +
                      batch.on_device.index_select(0, others) * (1 - share);
  }
  prepare(batch, {});
}

}  // namespace compert
