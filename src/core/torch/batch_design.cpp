// The design of a batch: perturbations, doses and covariates of its cells, which modalities they have, and
// who makes pairs with whom.
#include <algorithm>

#include "../data/row_groups.h"
#include "network.h"

namespace compert {

void Network::describe_measured(const std::vector<uint8_t>& measured, Batch& out,
                                Upload& upload) const {
  out.rna_rows = out.protein_rows = Tensor();
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
  if (second.size() < measured.size()) upload.add(second, out.protein_rows);
  if (rna.size() < measured.size()) upload.add(rna, out.rna_rows);
}

void Network::send(Slots& host, const Doser* doser, Slots& out, Upload& upload) const {
  if (doser != nullptr) doser->prepare(host);
  out.grid.count = host.grid.count;
  upload.add(host.perturbation, out.perturbation);
  upload.add(host.dose, out.dose);
  upload.add(host.filled, out.filled);
  if (!host.grid.doses.defined()) return;
  upload.add(host.grid.doses, out.grid.doses);
  upload.add(host.grid.where, out.grid.where);
}

void Network::send(Slots& host, Slots& out) const {
  Upload upload;
  Tensor memory;
  send(host, doser_.get(), out, upload);
  upload.send(options_.device(), memory);
}

void Network::load_design(const Design& rows, Batch& out) const {
  Upload upload;
  describe(rows, nullptr, out, upload);
  upload.send(options_.device(), out.design_memory);
}

void Network::load_effects(const Design& rows, Batch& out) const {
  Upload upload;
  describe_effects(rows, out, upload);
  upload.send(options_.device(), out.design_memory);
}

void Network::describe_slots(const Design& given, Slots& out, Upload& upload) const {
  const auto type = c10::typeMetaToScalarType(options_.dtype());
  const Design rows = one_hot_ ? given.one_hot(architecture_.n_perturbations) : given;
  const auto n = static_cast<int64_t>(rows.n), slots = static_cast<int64_t>(rows.n_slots);
  const Tensor code = at::zeros({n, slots}, at::kLong), dose = at::zeros({n, slots}, at::kDouble),
               filled = at::zeros({n, slots}, at::kDouble);
  for (int64_t k = 0; k < n * slots; ++k) {
    int32_t p = rows.perturbation[static_cast<std::size_t>(k)];
    if (p < 0 && pads_slots()) p = 0;
    if (p < 0) continue;
    code.data_ptr<int64_t>()[k] = p;
    dose.data_ptr<double>()[k] = rows.dose[static_cast<std::size_t>(k)];
    filled.data_ptr<double>()[k] = 1;
  }
  Slots host{code, dose.to(type), filled.to(type), {}};
  send(host, doser_.get(), out, upload);
}

void Network::describe_continuous(const Design& rows, Slots& out, Upload& upload) const {
  if (rows.n_continuous == 0) return;
  const auto n = static_cast<int64_t>(rows.n), k = static_cast<int64_t>(rows.n_continuous);
  // What a condition leaves as it is in each cell is not read.
  const Tensor value = to_tensor({{n, k}, rows.continuous}).nan_to_num(0).to(
      c10::typeMetaToScalarType(options_.dtype()));
  Slots host{at::arange(k, at::kLong).expand({n, k}).contiguous(), value, at::ones_like(value), {}};
  send(host, continuous_doser_.get(), out, upload);
}

void Network::describe_effects(const Design& rows, Batch& out, Upload& upload) const {
  describe_slots(rows, out.slots, upload);
  describe_continuous(rows, out.continuous, upload);
  out.covariates.resize(rows.n_covariates);
  for (std::size_t c = 0; c < rows.n_covariates; ++c) {
    std::vector<int64_t> level;
    for (std::size_t i = 0; i < rows.n; ++i) level.push_back(rows.covariate[i * rows.n_covariates + c]);
    upload.add(level, out.covariates[c]);
  }
}

void Network::describe(const Design& rows, const int64_t* which, Batch& out, Upload& upload) const {
  const auto type = c10::typeMetaToScalarType(options_.dtype());
  describe_effects(rows, out, upload);
  const int64_t count = architecture_.n_perturbations;
  const Tensor present = at::zeros({static_cast<int64_t>(rows.n), count}, type);
  by_type(present, [&](auto* typed) {
    auto* row = present.data_ptr<std::remove_pointer_t<decltype(typed)>>();
    for (std::size_t k = 0; k < rows.perturbation.size(); ++k) {
      const int32_t p = rows.perturbation[k];
      const auto at = static_cast<int64_t>(k / rows.n_slots) * count + std::max(p, 0);
      if (pads_slots() || (p >= 0 && rows.dose[k] > 0)) row[at] = 1;
    }
  });
  upload.add(present, out.present);
  out.condition_class = Tensor();
  if (!rows.condition.empty())
    upload.add(std::vector<int64_t>(rows.condition.begin(), rows.condition.end()), out.condition_class);
  RowGroups groups = row_groups(rows, true);
  if (which != nullptr) set_repeats_apart(which, groups.condition);
  const AlignmentPairs pairs = alignment_pairs(groups.stratum, groups.condition, type);
  out.pairs.any = pairs.any;
  upload.add(pairs.stratum, out.pairs.stratum);
  upload.add(pairs.condition, out.pairs.condition);
  upload.add(pairs.between, out.pairs.between);
  upload.add(pairs.within, out.pairs.within);
}

}  // namespace compert
