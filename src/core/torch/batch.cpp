// Reading the cells of a batch, and mixup.
#include <algorithm>

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
void select_rows(const CellBatch& from, const Tensor& values, const Tensor& rows, CellBatch& out,
                 Tensor& out_values) {
  out.n_genes = from.n_genes;
  out.offsets.assign(1, 0);
  out.genes.clear();
  out.values.clear();
  std::vector<Tensor> parts;
  for (int64_t k = 0; k < rows.numel(); ++k) {
    const auto b = static_cast<std::size_t>(rows.data_ptr<int64_t>()[k]);
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

void Network::read(const CellSource& cells, const int64_t* which, std::size_t n, const Design& rows,
                   Batch& out, const ProcessGroup* group) const {
  if (cells.n_genes() != static_cast<std::size_t>(architecture_.n_rows()))
    throw Error("x", "must have the genes (and proteins) of the model",
                std::to_string(cells.n_genes()) + " given, the model has " +
                    std::to_string(architecture_.n_rows()));
  CellBatch& all = proteins_ ? out.both : out.target;
  const auto share = group != nullptr ? group->own_rows(static_cast<int64_t>(n))
                                      : ProcessGroup::Rows{0, static_cast<int64_t>(n)};
  const int64_t* own = which + share.begin;
  const auto n_own = static_cast<std::size_t>(share.count());
  Upload& upload = out.design_upload;
  Tensor values;
  in_lanes(2, true, [&](std::size_t lane) {
    if (lane == 1) return describe(rows, which, out, upload);
    if (out.held != nullptr) return;
    cells.fetch(own, n_own, all);
    values = stored_values(all, c10::typeMetaToScalarType(options_.dtype()));
  });
  if (out.held != nullptr) upload.add(out.held->rows(own, n_own), out.held_rows);
  describe_measured(rows.measured, out, upload);
  if (on_cpu())
    (proteins_ ? out.both_values : out.values) = values;
  else if (out.held == nullptr)
    out.cells_upload.add(dense_tensor(all, values), out.on_device);
  out.group = group;
  out.share = 1;
  out.partner = Tensor();
  out.noise.clear();
}

void Network::send(Batch& batch) const {
  batch.design_upload.send(options_.device(), batch.design_memory);
  batch.cells_upload.send(options_.device(), batch.cells_memory);
}

Tensor Network::encoder_input(const Tensor& values) const {
  // theislab/multicpa gives its encoders the counts as they are.
  return head_.counts() && !multicpa() ? values.log1p() : values;
}

void Network::prepare(Batch& out) const {
  const int64_t genes = architecture_.n_genes;
  if (on_cpu()) {
    if (proteins_) {
      split_rows(out.both, out.both_values, genes, out.target, out.values, out.proteins);
      out.protein_input = proteins_->input(out.proteins);
    }
    out.input = encoder_input(out.values);
    if (proteins_ && !experts()) out.both_input = join_rows(out.both, genes, out.input, out.protein_input);
    out.library = head_.library ? library_sizes(out.target, out.values) : Tensor();
  } else {
    if (out.held != nullptr && !out.partner.defined()) out.on_device = out.held->take(out.held_rows);
    out.device_rna = out.on_device.narrow(1, 0, genes);
    out.device_input = encoder_input(out.device_rna);
    if (proteins_) {
      out.proteins = out.on_device.narrow(1, genes, architecture_.n_proteins);
      out.protein_input = proteins_->input(out.proteins);
      if (!experts()) out.device_input = at::cat({out.device_input, out.protein_input}, 1);
    }
    out.library = head_.library ? out.device_rna.sum(1, true) : Tensor();
  }
  if (!out.rna_rows.defined()) return;
  if (on_cpu()) {
    select_rows(out.target, out.values, out.rna_rows, out.measured_rna, out.measured_values);
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
    if (batch.held != nullptr) batch.on_device = batch.held->take(batch.held_rows);
    const Tensor others = batch.partner.narrow(0, rows.begin, rows.count());
    batch.on_device = batch.on_device.narrow(0, rows.begin, rows.count()) * share +
                      batch.on_device.index_select(0, others) * (1 - share);
  }
}

}  // namespace compert
