// The forward pass of RNA and proteins, under the names of theislab/multicpa.
#include "inspect_batch.h"

namespace compert {

NamedArrays Inspector::forward_of_both(const CellSource& cells, const Design& design,
                                       bool training) {
  return translate([&] {
    at::NoGradGuard no_grad;
    const Network& network = model_.impl_->network;
    const Batch batch = whole_batch(network, cells, design, recorded_);
    NamedArrays out;
    const Encoded encoded = network.encode(batch, training);
    const Network::Effect effect = network.effect(batch.slots, training);
    out["scaled_doses"] = to_array(network.effect(every_perturbation(design, network)).response);
    out["drug_embedding_sum"] = to_array(effect.sum);
    const Tensor covariates = network.covariate_effect(batch), added = effect.sum + covariates;
    out["covariate_embedding_sum"] = to_array(covariates);
    const bool experts = network.experts();
    std::vector<Encoded> all = encoded.experts;
    all.push_back(encoded);
    const auto numbered = [&](const std::string& name, std::size_t k) {
      return experts ? name + "_" + std::to_string(k) : name;
    };
    for (std::size_t k = 0; k < all.size(); ++k) {
      out[numbered("latent_basal", k)] = to_array(all[k].basal);
      if (!all[k].mean.defined()) continue;
      out[numbered("latent_mean", k)] = to_array(all[k].mean);
      out[numbered("latent_log_var", k)] = to_array(all[k].variance.log());
    }
    out["encoder_raw"] = to_array(all[0].raw);
    if (experts) out["protein_encoder_raw"] = to_array(all[1].raw);
    const auto both = [](const Tensor& mean, const Tensor& second) {
      return to_array(at::cat({mean, second}, 1));
    };
    // The states that genes are decoded from, then those of proteins; both end with the joint one.
    for (std::size_t call = 0; call < (experts ? 2 : 1); ++call) {
      const std::string nth = "_call_" + std::to_string(call);
      const Tensor joint = encoded.basal + added;
      const Tensor rna = experts && call == 0 ? encoded.experts[0].basal + added : joint,
                   protein = experts && call == 0 ? encoded.experts[1].basal + added : joint;
      const Tensor hidden = network.decoder_hidden(rna, training);
      out["decoder_input" + nth] = to_array(rna);
      const Tensor raw = network.decoder_raw(hidden);
      const Decoded d = network.from_raw(raw, batch.library);
      out[numbered("gene_reconstructions", call)] = both(d.mean, d.second);
      const DecodedProteins p = network.decode_proteins(protein, hidden, batch, training, call);
      out[numbered("protein_reconstructions", call)] = both(p.mean, p.second);
      const int64_t genes = raw.size(1) / 2;
      const auto activated = [&](const Tensor& means) {
        return network.head().sigmoid_mean ? means.sigmoid()
               : network.head().relu_mean  ? means.relu()
                                           : means;
      };
      if (network.proteins()->shared()) {
        const int64_t n = p.raw[0].size(1) / 2;
        out["decoder_raw" + nth] = to_array(
            at::cat({activated(at::cat({raw.narrow(1, 0, genes), p.raw[0].narrow(1, 0, n)}, 1)),
                     raw.narrow(1, genes, genes), p.raw[0].narrow(1, n, n)}, 1));
        continue;
      }
      out["decoder_raw" + nth] =
          to_array(at::cat({activated(raw.narrow(1, 0, genes)), raw.narrow(1, genes, genes)}, 1));
      const std::vector<std::string> decoders =
          p.mixture() ? std::vector<std::string>{"protein_back_decoder", "protein_fore_scale_decoder",
                                                 "protein_mixing_decoder", "protein_dispersion_decoder"}
                      : std::vector<std::string>{"protein_decoder"};
      for (std::size_t k = 0; k < decoders.size(); ++k) {
        out[decoders[k] + "_raw" + nth] = to_array(p.raw[k]);
        out[decoders[k] + "_input" + nth] = to_array(protein);
      }
      if (!p.mixture()) continue;
      out[numbered("protein_back", call)] = to_array(p.background);
      out[numbered("protein_fore", call)] = to_array(p.foreground);
      out[numbered("protein_mixing", call)] = to_array(p.mixing);
      if (!p.log_background.defined()) continue;
      out[numbered("alpha", call)] = to_array(p.log_background);
      out[numbered("beta", call)] = to_array(p.log_background_sd);
    }
    return out;
  });
}

}  // namespace compert
