#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace compert {

/// Every hyperparameter, under its name in the reference implementation where it has one. The
/// defaults live here (and, for another `model` or `parity`, in `default_settings()`) and nowhere
/// else.
struct Settings {
  std::string model = "cpa";
  // networks
  std::string loss_ae = "gauss";
  std::string doser_type = "sigm";
  std::string continuous_doser = "linear";
  std::string decoder_activation = "linear";
  int64_t dim = 32;
  int64_t autoencoder_width = 128;
  int64_t autoencoder_depth = 1;
  int64_t decoder_width = 0;     ///< 0: autoencoder_width
  int64_t decoder_depth = 0;     ///< 0: autoencoder_depth
  bool decoder_skip = true;      ///< the decoder's last layer reads the latent state too
  std::string encoder_norm = "batch";
  std::string decoder_norm = "batch";
  double encoder_dropout = 0;
  double decoder_dropout = 0;
  bool variational = false;
  int64_t dosers_width = 64;
  int64_t dosers_depth = 2;
  int64_t embedding_encoder_width = 128;
  int64_t embedding_encoder_depth = 0;
  std::string embedding_encoder_norm = "none";
  int64_t molecule_width = 64;
  int64_t molecule_depth = 3;
  bool use_drugs_idx = true;
  std::string fusion = "concat";
  std::string protein_loss = "nb_mixture";
  std::string protein_background = "median";
  std::string frozen;            ///< parts that are not trained, joined with commas
  int64_t adversary_width = 64;
  int64_t adversary_depth = 2;
  std::string adversary_norm = "batch";
  double adversary_dropout = 0;
  // objective
  std::string adversary_loss = "bce";
  double reg_adversary = 0;
  double reg_adversary_cov = -1;  ///< -1: reg_adversary
  double penalty_adversary = 1;
  double reg_multi_task = 0;
  double reg_alignment = 30;
  double reg_counterfactual = 10;
  int64_t counterfactual_targets = 8;
  bool counterfactual_shrinkage = true;
  double mixup_alpha = 0;
  double kl_weight = 1;
  double kl_annealing_frac = 0;
  double recon_weight_pro = 0.1;
  // optimisation
  double autoencoder_lr = 3e-3;
  double autoencoder_wd = 1e-6;
  double embeddings_lr = 3e-2;
  double dosers_lr = 1e-3;
  double dosers_wd = 1e-7;
  double adversary_lr = 3e-4;
  double adversary_wd = 1e-4;
  int64_t adversary_steps = 3;   ///< 0: both kinds of step in every batch
  double clip_grad_norm = 0;     ///< 0: no clipping
  int64_t batch_size = 128;
  double balance = 0;            ///< 0: every training cell once an epoch; 1: as many cells of each condition
  std::string lr_schedule = "step";
  int64_t step_size_lr = 45;
  double lr_gamma = 0.1;
  // warm-ups; a number of steps, where given, has priority over the epochs
  int64_t pretrain_epochs = 0;
  int64_t pretrain_steps = 0;
  int64_t adversary_warmup_epochs = 0;
  int64_t adversary_warmup_steps = 0;
  int64_t kl_warmup_epochs = 0;
  int64_t kl_warmup_steps = 0;
  int64_t mixup_warmup_epochs = 0;
  // run
  int64_t epochs = 0;            ///< 0: chosen from the number of training cells
  double max_minutes = 0;        ///< 0: no limit
  int64_t checkpoint_freq = 5;   ///< epochs between evaluations
  int64_t patience = 8;          ///< evaluations without improvement that training survives
  std::string stopping_metric = "r2";
  bool restore_best = true;
  double best_tolerance = 2;     ///< in standard deviations of the score between evaluations
  std::string checkpoint;        ///< file written at every evaluation; empty: none
  std::string device = "auto";
  std::string precision = "float32";
  int64_t threads = 0;           ///< 0: OMP_NUM_THREADS, or else all cores
  bool distributed = false;      ///< one of a group of processes that train one model
  int64_t seed = 0;
  std::string parity = "none";
};

/// One line of the table of hyperparameters.
struct SettingInfo {
  std::string name;
  std::string type;           ///< "integer", "number", "logical" or "text"
  std::string default_value;  ///< as JSON
  std::string allowed;        ///< range or choices, in words
  std::string meaning;
  bool fixed = false;         ///< the network is made by it: no later run may change it
};

/// Reads settings from a JSON object over the defaults that its `model` and `parity` entries
/// select. Unknown names, wrong types and values out of range throw `Error`, naming the setting.
Settings settings_from_json(const std::string& json);
/// The same errors but for values that only contradict each other.
void check_values(const std::string& json);
/// All settings as one JSON object.
std::string settings_to_json(const Settings& settings);
/// Name, type, default, allowed values and meaning of every setting, in a fixed order.
std::vector<SettingInfo> settings_table(const std::string& parity = "none",
                                        const std::string& model = "cpa");

}  // namespace compert
