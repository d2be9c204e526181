// What a fitted model holds of cells, perturbations and covariates: reconstructions, embeddings.
#include <algorithm>
#include <numeric>

#include "caller.h"
#include "counterfactuals.h"

namespace compert {
namespace {

void write_rows(const Tensor& values, double* out) {
  const Tensor t = values.to(at::kCPU, at::kDouble).contiguous();
  std::copy(t.data_ptr<double>(), t.data_ptr<double>() + t.numel(), out);
}

/// The states of a batch with what a composition adds, in the order in which Counterfactuals sum.
Tensor treated_states(const Network& network, const Batch& batch, const Composition& composition) {
  Tensor state = network.encode(batch, false).basal;
  if (composition.perturbation) state = state + network.perturbation_effect(batch.slots);
  return state + network.covariate_effect(batch, composition);
}

/// visit(begin, batch, treated) for the cells `which`, a block at a time: their treated states under
/// their own design, as far as the composition has it.
template <class Visit>
void for_blocks(const Model::Impl& impl, const CellSource& cells, const Design& own,
                const std::vector<int64_t>& which, const Composition& composition, const Pause& pause,
                Visit&& visit) {
  const Caller caller(impl.settings.threads, pause);
  const Architecture& a = impl.architecture;
  own.check(a.n_perturbations, a.covariate_levels, a.n_continuous, false);
  Batch batch;
  for (std::size_t begin = 0; begin < which.size(); begin += kBlock) {
    const std::size_t n = std::min<std::size_t>(kBlock, which.size() - begin);
    impl.network.load(cells, which.data() + begin, n, own.rows(which.data() + begin, n), batch);
    visit(begin, batch, treated_states(impl.network, batch, composition));
    caller.ask();
  }
}

}  // namespace

void Model::reconstruct(const CellSource& cells, const Design& own,
                        const std::vector<int64_t>& which, double* mean, double* variance,
                        const Decoding& decoding, const Pause& pause) const {
  // A cell under its own design is a condition of its own level everywhere, so blocks suffice.
  translate([&] {
    const Network& network = impl_->network;
    const auto rows = static_cast<std::size_t>(impl_->architecture.n_rows());
    for_blocks(*impl_, cells, own, which, decoding.composition, pause,
               [&](std::size_t begin, const Batch& batch, const Tensor& treated) {
                 Tensor library = batch.library;
                 if (decoding.common_library && library.defined())
                   library = network.mean_library().expand_as(library);
                 const Decoded d = network.decode(treated, library);
                 write_rows(network.expected(d, decoding.ignore_zeros), mean + begin * rows);
                 if (variance != nullptr)
                   write_rows(network.variance(d, decoding.ignore_zeros), variance + begin * rows);
               });
  });
}

Model::ProteinParts Model::proteins(const CellSource& cells, const Design& own,
                                    const std::vector<int64_t>& which,
                                    const Composition& composition, const Pause& pause) const {
  if (impl_->network.proteins() == nullptr)
    throw Error("fit", "must be one of RNA and proteins", "it has no proteins",
                "Fit both with multicpa()");
  if (impl_->settings.protein_loss != "nb_mixture")
    throw Error("fit", "must have a mixture of background and foreground for its proteins",
                "protein_loss is \"" + impl_->settings.protein_loss + "\"",
                "Fit raw protein counts with protein_loss = \"nb_mixture\"");
  return translate([&] {
    const auto columns = static_cast<std::size_t>(impl_->architecture.n_proteins);
    const std::vector<double> empty(which.size() * columns);
    ProteinParts out{empty, empty, empty, empty};
    for_blocks(*impl_, cells, own, which, composition, pause,
               [&](std::size_t begin, const Batch& batch, const Tensor& treated) {
                 const DecodedProteins d = *impl_->network.decode(treated, batch.library).proteins;
                 const std::size_t at = begin * columns;
                 write_rows(denoised(d), out.denoised.data() + at);
                 write_rows(foreground_probability(d), out.foreground_probability.data() + at);
                 write_rows(d.expected_background, out.background.data() + at);
                 write_rows(d.expected_foreground, out.foreground.data() + at);
               });
    return out;
  });
}

void Model::embed(const CellSource& cells, const Design& own, const Composition& composition,
                  double* out, const Pause& pause) const {
  translate([&] {
    if (own.n != cells.n_cells()) throw Error("design", "must have one row per cell");
    std::vector<int64_t> which(cells.n_cells());
    std::iota(which.begin(), which.end(), 0);
    for_blocks(*impl_, cells, own, which, composition, pause,
               [&](std::size_t begin, const Batch&, const Tensor& treated) {
                 write_rows(treated, out + begin * static_cast<std::size_t>(dim()));
               });
  });
}

void Model::embed(const CellSource& cells, const Design& own, const Design& target,
                  const std::vector<std::vector<int64_t>>& source, const Composition& composition, double* out,
                  const Pause& pause) const {
  translate([&] {
    const Caller caller(impl_->settings.threads, pause);
    const auto columns = static_cast<std::size_t>(dim());
    std::vector<std::size_t> first{0};
    for (const auto& list : source) first.push_back(first.back() + list.size());
    Decoding decoding;
    decoding.composition = composition;
    Counterfactuals all(impl_->network, cells, own, target, source, decoding);
    all.run(Order::kAny, 1, [&] { caller.ask(); }, [](const Block&) {},
            [&](std::size_t k, const Part& part, const Latent& latent) {
              std::vector<double> rows(part.place.size() * columns);
              write_rows(latent.treated, rows.data());
              for (std::size_t i = 0; i < part.place.size(); ++i)
                std::copy_n(rows.data() + i * columns, columns,
                            out + (first[k] + static_cast<std::size_t>(part.place[i])) * columns);
            });
  });
}

std::vector<double> Model::perturbation_embedding(const Design& rows) const {
  return translate([&] {
    at::NoGradGuard no_grad;
    rows.check(impl_->architecture.n_perturbations, impl_->architecture.covariate_levels, 0, true);
    Batch batch;
    impl_->network.load_effects(rows, batch);
    return to_array(impl_->network.perturbation_effect(batch.slots)).values;
  });
}

std::vector<double> Model::dose_response(const std::vector<int32_t>& perturbation,
                                         const std::vector<double>& dose) const {
  return translate([&] {
    at::NoGradGuard no_grad;
    Design rows;
    rows.n = perturbation.size();
    rows.perturbation = perturbation;
    rows.dose = dose;
    rows.check(impl_->architecture.n_perturbations, {}, 0, false);
    Batch batch;
    impl_->network.load_effects(rows, batch);
    Tensor response = impl_->network.dose_response(batch.slots);
    if (response.size(1) > 1)  // one-hot doses
      response = response.gather(
          1, at::tensor(std::vector<int64_t>(perturbation.begin(), perturbation.end()), at::kLong)
                 .unsqueeze(1)
                 .to(response.device()));
    return to_array(response).values;
  });
}

std::vector<double> Model::covariate_embedding(std::size_t covariate) const {
  const auto& tables = impl_->network.covariate_tables();
  if (covariate < tables.size()) return to_array(tables[covariate]->value).values;
  const auto k = static_cast<int64_t>(covariate - tables.size());
  if (k >= impl_->architecture.n_continuous)
    throw Error("covariate", "must be one of the model's", std::to_string(covariate));
  return to_array(impl_->network.continuous_table().narrow(0, k, 1)).values;
}

}  // namespace compert
