#include "settings_fields.h"

#include <set>

namespace compert {
namespace {

constexpr double kAny = std::numeric_limits<double>::infinity();
// Far beyond what is of use; more is a slip, and would end in want of memory.
constexpr double kWidest = 65536, kDeepest = 256;
const std::vector<std::string> kNorms = {"batch", "layer", "none"};
const std::set<std::string> kFixed = {
    "model", "loss_ae", "doser_type", "continuous_doser", "decoder_activation", "dim", "autoencoder_width",
    "autoencoder_depth", "decoder_width", "decoder_depth", "decoder_skip", "encoder_norm", "decoder_norm",
    "encoder_dropout", "decoder_dropout", "variational", "dosers_width", "dosers_depth", "embedding_encoder_width",
    "embedding_encoder_depth", "embedding_encoder_norm", "molecule_width", "molecule_depth", "use_drugs_idx",
    "fusion", "protein_loss", "frozen", "adversary_width", "adversary_depth", "adversary_norm", "adversary_dropout",
    "adversary_loss", "precision", "parity"};

}  // namespace

bool is_fixed(const SettingField& field) { return kFixed.count(field.name) == 1; }

const std::vector<SettingField>& setting_fields() {
  static const std::vector<SettingField> all = {
      {"model", &Settings::model, 0, {"cpa", "chemcpa", "multicpa", "scgen"},
       "cpa = embeddings of perturbations learned one by one; chemcpa = computed from the molecule; "
       "multicpa = RNA and proteins; scgen = a variational autoencoder, perturbations are differences of latent means"},
      {"loss_ae", &Settings::loss_ae, 0, {"gauss", "nb", "zinb"},
       "likelihood: Gaussian on log-normalised values, or negative binomial on counts, also "
       "zero-inflated"},
      {"doser_type", &Settings::doser_type, 0, {"linear", "sigm", "logsigm", "mlp", "amortized"},
       "dose-response curve of each perturbation; amortized = one network for all, fed with the "
       "molecule's features and the dose"},
      {"continuous_doser", &Settings::continuous_doser, 0, {"linear", "sigm", "mlp"},
       "curve of each continuous covariate over its centred and scaled values"},
      {"decoder_activation", &Settings::decoder_activation, 0, {"linear", "ReLU", "sigm"},
       "activation of the decoded means (Gaussian likelihood; sigm in parity multicpa only)"},
      {"dim", &Settings::dim, 1, {}, "width of the latent space", kAny, kWidest},
      {"autoencoder_width", &Settings::autoencoder_width, 1, {},
       "width of the hidden layers of encoder and decoder", kAny, kWidest},
      {"autoencoder_depth", &Settings::autoencoder_depth, 1, {},
       "hidden layers of encoder and of decoder", kAny, kDeepest},
      {"decoder_width", &Settings::decoder_width, 0, {},
       "width of the decoder's hidden layers; 0 = autoencoder_width", kAny, kWidest},
      {"decoder_depth", &Settings::decoder_depth, 0, {},
       "hidden layers of the decoder; 0 = autoencoder_depth", kAny, kDeepest},
      {"decoder_skip", &Settings::decoder_skip, 0, {},
       "whether the decoder's last layer also reads the latent state itself, so that effects can be "
       "additive (Gaussian likelihood)"},
      {"encoder_norm", &Settings::encoder_norm, 0, kNorms, "normalisation in the encoder"},
      {"decoder_norm", &Settings::decoder_norm, 0, kNorms, "normalisation in the decoder"},
      {"encoder_dropout", &Settings::encoder_dropout, 0, {}, "dropout rate of the encoder", 1},
      {"decoder_dropout", &Settings::decoder_dropout, 0, {}, "dropout rate of the decoder", 1},
      {"variational", &Settings::variational, 0, {},
       "whether the encoder gives a distribution, held to N(0, 1) by a KL term"},
      {"dosers_width", &Settings::dosers_width, 1, {}, "width of the dosers (mlp)", kAny, kWidest},
      {"dosers_depth", &Settings::dosers_depth, 1, {}, "hidden layers of the dosers (mlp)", kAny, kDeepest},
      {"embedding_encoder_width", &Settings::embedding_encoder_width, 1, {},
       "width of the network from a molecule's features to its embedding", kAny, kWidest},
      {"embedding_encoder_depth", &Settings::embedding_encoder_depth, 0, {},
       "hidden layers of that network; 0 = a linear map", kAny, kDeepest},
      {"embedding_encoder_norm", &Settings::embedding_encoder_norm, 0, kNorms,
       "normalisation in that network and in the amortized doser"},
      {"molecule_width", &Settings::molecule_width, 1, {},
       "width of the message-passing network over molecular graphs", kAny, kWidest},
      {"molecule_depth", &Settings::molecule_depth, 1, {}, "its rounds of messages", kAny, kDeepest},
      {"use_drugs_idx", &Settings::use_drugs_idx, 0, {},
       "parity chemcpa: perturbations as lists (TRUE) or as one-hot doses (FALSE)"},
      {"fusion", &Settings::fusion, 0, {"concat", "poe"},
       "RNA and proteins: concat = one encoder of both, poe = one each, multiplied (product of experts), "
       "which also takes cells that lack one of them"},
      {"protein_loss", &Settings::protein_loss, 0, {"nb_mixture", "nb", "gauss"},
       "likelihood of proteins: nb_mixture = raw counts as background or foreground, nb = raw counts, "
       "gauss = normalised values"},
      {"protein_background", &Settings::protein_background, 0, {"median", "mean"},
       "what stands for a protein's background in predictions (nb_mixture, variational)"},
      {"frozen", &Settings::frozen, 0, {},
       "parts that are not trained, joined with commas: encoder, decoder, perturbations, covariates, "
       "dosers"},
      {"adversary_width", &Settings::adversary_width, 1, {}, "width of the adversaries", kAny, kWidest},
      {"adversary_depth", &Settings::adversary_depth, 1, {}, "hidden layers of the adversaries", kAny, kDeepest},
      {"adversary_norm", &Settings::adversary_norm, 0, kNorms, "normalisation in the adversaries"},
      {"adversary_dropout", &Settings::adversary_dropout, 0, {}, "dropout rate of the adversaries", 1},
      {"adversary_loss", &Settings::adversary_loss, 0, {"bce", "cce", "focal"},
       "loss of the perturbation adversary: bce = one yes or no per perturbation, cce = cross entropy "
       "over conditions weighted by their rarity, focal = focal loss with the same weights"},
      {"reg_adversary", &Settings::reg_adversary, 0, {},
       "weight of the adversaries in the autoencoder's objective; 0 = none are trained"},
      {"reg_adversary_cov", &Settings::reg_adversary_cov, -1, {},
       "weight of the covariates' adversaries; -1 = reg_adversary"},
      {"penalty_adversary", &Settings::penalty_adversary, 0, {},
       "weight of the gradient penalty in the adversaries' objective"},
      {"reg_multi_task", &Settings::reg_multi_task, 0, {},
       "weight of a second task: which genes are differentially expressed, guessed from the embeddings "
       "of perturbation and last covariate; 0 = off"},
      {"reg_alignment", &Settings::reg_alignment, 0, {},
       "weight of the alignment of basal states: their dependence on the perturbation, given the "
       "covariates, as a share of energy distances; 0 = off"},
      {"reg_counterfactual", &Settings::reg_counterfactual, 0, {},
       "weight of counterfactual mean matching: decoded effects of swapping the perturbation against "
       "differences of the training conditions' means; 0 = off"},
      {"counterfactual_targets", &Settings::counterfactual_targets, 1, {},
       "conditions per set of covariates that counterfactual matching draws in a step"},
      {"counterfactual_shrinkage", &Settings::counterfactual_shrinkage, 0, {},
       "whether counterfactual matching discounts what few cells say: means shrunk towards those of the "
       "covariates by their sampling error, conditions of few cells with less weight"},
      {"mixup_alpha", &Settings::mixup_alpha, 0, {},
       "mixup: cells are mixed in pairs with a share drawn from Beta(alpha, alpha); 0 = off"},
      {"autoencoder_lr", &Settings::autoencoder_lr, 0, {},
       "learning rate of encoder and decoder"},
      {"autoencoder_wd", &Settings::autoencoder_wd, 0, {},
       "weight decay of encoder, decoder and embeddings"},
      {"embeddings_lr", &Settings::embeddings_lr, 0, {},
       "learning rate of perturbation and covariate embeddings"},
      {"dosers_lr", &Settings::dosers_lr, 0, {}, "learning rate of the dosers"},
      {"dosers_wd", &Settings::dosers_wd, 0, {}, "weight decay of the dosers"},
      {"adversary_lr", &Settings::adversary_lr, 0, {}, "learning rate of the adversaries"},
      {"adversary_wd", &Settings::adversary_wd, 0, {}, "weight decay of the adversaries"},
      {"adversary_steps", &Settings::adversary_steps, 0, {},
       "length of the alternating cycle: one autoencoder step, then adversary_steps - 1 adversary "
       "steps (1: the adversaries are never trained); 0 = both in every batch"},
      {"clip_grad_norm", &Settings::clip_grad_norm, 0, {},
       "largest norm of each optimiser's gradient; 0 = no clipping"},
      {"batch_size", &Settings::batch_size, 2, {}, "cells in a mini-batch"},
      {"balance", &Settings::balance, 0, {},
       "how even conditions are in an epoch: n training cells of one have a share proportional to "
       "n^(1 - balance); 0 = every cell once, 1 = as many cells of each condition", kAny, 1},
      {"lr_schedule", &Settings::lr_schedule, 0, {"constant", "step", "linear"},
       "learning rates: constant; step = times lr_gamma every step_size_lr evaluations; linear = "
       "constant for the first half of the run, then falling to a fiftieth"},
      {"step_size_lr", &Settings::step_size_lr, 1, {},
       "evaluations between two steps of the learning rates (lr_schedule step)"},
      {"lr_gamma", &Settings::lr_gamma, 0, {}, "factor of such a step"},
      {"pretrain_epochs", &Settings::pretrain_epochs, 0, {},
       "first epochs in which the adversaries are trained without weight in the objective"},
      {"pretrain_steps", &Settings::pretrain_steps, 0, {}, "the same as a number of batches"},
      {"adversary_warmup_epochs", &Settings::adversary_warmup_epochs, 0, {},
       "epochs in which the weight of the adversaries then rises to reg_adversary"},
      {"adversary_warmup_steps", &Settings::adversary_warmup_steps, 0, {},
       "the same as a number of batches"},
      {"kl_weight", &Settings::kl_weight, 0, {},
       "weight of the KL term of a variational encoder"},
      {"kl_annealing_frac", &Settings::kl_annealing_frac, 0, {},
       "share of all epochs in which that weight rises from 0; 0 = kl_warmup_* say it", kAny, 1},
      {"recon_weight_pro", &Settings::recon_weight_pro, 0, {},
       "weight of the proteins' reconstruction beside the genes'"},
      {"kl_warmup_epochs", &Settings::kl_warmup_epochs, 0, {},
       "epochs in which the weight of the KL term rises to kl_weight (variational)"},
      {"kl_warmup_steps", &Settings::kl_warmup_steps, 0, {}, "the same as a number of batches"},
      {"mixup_warmup_epochs", &Settings::mixup_warmup_epochs, 0, {},
       "epochs in which mixup_alpha rises to its value"},
      {"epochs", &Settings::epochs, 0, {},
       "passes over the training cells; 0 = chosen from their number"},
      {"max_minutes", &Settings::max_minutes, 0, {}, "time limit of training; 0 = none"},
      {"checkpoint_freq", &Settings::checkpoint_freq, 1, {},
       "epochs between evaluations of the test cells (and checkpoints)"},
      {"patience", &Settings::patience, 0, {},
       "evaluations in a row without a better score that training survives; it stops at the next"},
      {"stopping_metric", &Settings::stopping_metric, 0, {"r2", "r2_all", "cpa_metric"},
       "score of the test cells that stops training and chooses the weights: r2 = mean of r2_mean and "
       "r2_mean_deg, r2_all = with those of the variances, cpa_metric = that of theislab/cpa"},
      {"restore_best", &Settings::restore_best, 0, {},
       "whether the weights of the best score are the fit's at the end, or the last ones"},
      {"best_tolerance", &Settings::best_tolerance, 0, {},
       "how far below the best score a later one still counts as best, in standard deviations of the "
       "score from evaluation to evaluation"},
      {"checkpoint", &Settings::checkpoint, 0, {},
       "file that keeps the fit at every evaluation; empty = none"},
      {"device", &Settings::device, 0, {}, "auto, cpu, cuda, cuda:<index> or privateuseone"},
      {"precision", &Settings::precision, 0, {"float32", "float64", "bf16-mixed"},
       "arithmetic; bf16-mixed = float32, but training multiplies matrices in bfloat16"},
      {"threads", &Settings::threads, 0, {}, "threads; 0 = OMP_NUM_THREADS, or else every core"},
      {"distributed", &Settings::distributed, 0, {},
       "whether this process is one of a group that trains one model together, see launch_local()"},
      {"seed", &Settings::seed, 0, {}, "initialisation, shuffling"},
      {"parity", &Settings::parity, 0, {"none", "fb", "theislab", "chemcpa", "chemcpa_v2",
                                            "multicpa", "multicpa_fixed"},
       "none = fixed behaviour; fb = facebookresearch/CPA, theislab = theislab/cpa, chemcpa and "
       "chemcpa_v2 = theislab/chemCPA of 2025 and of the paper, multicpa = theislab/multicpa "
       "(multicpa_fixed: with every cell's own proteins): their defaults and their quirks"},
  };
  return all;
}

}  // namespace compert
