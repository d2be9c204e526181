// A second task of the embeddings (chemCPA v2): from those of the perturbation and the last covariate,
// which genes are differentially expressed under the condition. Its loss is the focal loss of Lin et
// al. 2017 (arXiv:1708.02002) over cells and genes, alpha = 0.3, gamma = 3.
#include "network.h"

namespace compert {
namespace {

constexpr double kAlpha = 0.3, kGamma = 3;

}  // namespace

void Network::load_degs(const DegTargets& degs, const int64_t* which, std::size_t n,
                        Batch& out) const {
  out.degs = Tensor();
  if (deg_predictor_ == nullptr || degs.group.empty()) return;
  const int64_t genes = architecture_.n_genes;
  const Tensor target = at::zeros({static_cast<int64_t>(n), genes}, at::kFloat);
  for (std::size_t b = 0; b < n; ++b) {
    const int32_t group = degs.group.at(static_cast<std::size_t>(which[b]));
    if (group < 0) continue;
    for (const int64_t gene : degs.genes.at(static_cast<std::size_t>(group))) {
      if (gene < 0 || gene >= genes)
        throw Error("reg_multi_task", "must come with genes of the model",
                    "gene " + std::to_string(gene) + " of " + std::to_string(genes));
      target.data_ptr<float>()[static_cast<int64_t>(b) * genes + gene] = 1;
    }
  }
  Upload upload;
  upload.add(target.to(c10::typeMetaToScalarType(options_.dtype())), out.degs);
  upload.send(options_.device(), out.degs_memory);
}

Tensor Network::deg_loss(const Tensor& effect, const Batch& batch) const {
  // The targets are those of a condition, which a batch is no part of.
  auto last = static_cast<int64_t>(batch.covariates.size()) - 1;
  if (last >= 0 && last == architecture_.batch_covariate) --last;
  const auto k = static_cast<std::size_t>(last);
  const Tensor covariate = last < 0 ? at::zeros_like(effect)
                                    : covariates_[k]->value.index_select(0, batch.covariates[k]);
  const Tensor logit = deg_predictor_->forward(at::cat({covariate, effect}, 1), true);
  const Tensor &t = batch.degs, p = logit.sigmoid();
  const Tensor right = p * t + (1 - p) * (1 - t), weight = kAlpha * t + (1 - kAlpha) * (1 - t);
  const Tensor entropy = at::softplus(logit) - logit * t;
  return (weight * (1 - right).pow(kGamma) * entropy).mean();
}

}  // namespace compert
