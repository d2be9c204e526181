// The compositional network, put together from its parts, and one batch of its input.
#pragma once
#include <memory>
#include <vector>

#include "alignment.h"
#include "compert/model.h"
#include "device_cells.h"
#include "embedder.h"
#include "first_layer.h"
#include "group.h"
#include "heads.h"
#include "latent_differences.h"
#include "proteins.h"
#include "upload.h"

namespace compert {

/// A batch as the network reads it.
struct Batch {
  CellBatch target;  // where values are stored
  Tensor values;     // what is stored there: what the likelihood is of
  Tensor input;      // the same as the encoder reads it: log1p of counts
  // On a device these are empty, and the rows of the data are there: genes, then proteins.
  const DeviceCells* held = nullptr;  // all cells are there already ...
  Tensor held_rows;                   // ... and those of the batch in these rows
  Tensor on_device;
  Upload design_upload, cells_upload;  // what was read and is not sent yet
  Tensor design_memory, cells_memory, degs_memory;  // the device's, of the design, cells that are not held, degs
  Tensor device_rna, device_input;  // of cells that have RNA; as the encoder of them (or of both) reads it
  Tensor library;    // totals, cells x 1; undefined for heads without one
  Slots slots, continuous;         // perturbations; continuous covariates with their values: all filled
  Tensor present;                  // cells x perturbations: 1 where the dose is above 0
  Tensor condition_class;          // class of the condition adversary; undefined without one
  std::vector<Tensor> covariates;  // per covariate, levels (int64)
  AlignmentPairs pairs;
  // Mixup: every value is `share` of the cell's own and the rest of its partner's.
  double share = 1;
  Tensor partner;  // undefined without mixup
  Tensor degs;     // cells x genes, 1 for differentially expressed genes; undefined without that task
  /// Standard normal draws in the order in which they are needed: of the latent states, then of the
  /// proteins' backgrounds. Where one is missing it is drawn when training.
  std::vector<Tensor> noise;
  // A second modality; undefined and empty without one.
  Tensor proteins, protein_input;  // cells x proteins: observed, and as the encoder reads them
  CellBatch both;                  // for an encoder of both, rows of genes and proteins ...
  Tensor both_values, both_input;  // ... as they are stored and as it reads them
  // Where a modality was not measured in some cells: the rows that have it, and their RNA.
  Tensor rna_rows, protein_rows;
  CellBatch measured_rna;
  Tensor measured_values, measured_input;
  /// The processes that share the cells of the batch: expression (`target` to `library`) is that of
  /// the own rows only, all else is of all rows. Null: one process has all.
  const ProcessGroup* group = nullptr;
  int64_t size() const { return slots.dose.size(0); }
  /// The genes of the cells that have RNA, as they are stored and as their encoder reads them.
  CellValues rna() const {
    return rna_rows.defined() ? CellValues{&measured_rna, measured_values, device_rna}
                              : CellValues{&target, values, device_rna};
  }
  CellValues rna_input() const {
    return rna_rows.defined() ? CellValues{&measured_rna, measured_input, device_input}
                              : CellValues{&target, input, device_input};
  }
  /// What an encoder of both modalities reads.
  CellValues input_of_both() const { return {&both, both_input, device_input}; }
  /// The genes of all cells, dense.
  Tensor genes() const {
    return on_device.defined() ? on_device.narrow(1, 0, on_device.size(1) - n_proteins())
                               : CellValues{&target, values, {}}.dense();
  }
  int64_t n_proteins() const { return proteins.defined() ? proteins.size(1) : 0; }
};

/// The encoder's output. Deterministic encoders have only `basal`.
struct Encoded {
  Tensor basal, mean, variance;
  Tensor raw;                    // what the network gave
  /// The product of experts has one for RNA and one for proteins; this is then the joint one.
  std::vector<Encoded> experts;
  /// The basal states that are decoded and stripped: of the experts, then the joint one.
  std::vector<Tensor> states() const {
    std::vector<Tensor> all;
    for (const Encoded& e : experts) all.push_back(e.basal);
    all.push_back(basal);
    return all;
  }
};

struct AdversaryLoss {
  Tensor perturbations, covariates;  // scalars; covariates summed
  std::vector<Tensor> each_covariate;
  Tensor penalty_perturbations, penalty_covariates;  // undefined unless asked for
  std::vector<Tensor> penalty_parts;
  Tensor logits;  // of the perturbation adversary
  std::vector<Tensor> covariate_logits;
};

/// What becomes of the derivatives of the adversaries' losses: left to autograd; only those by the states,
/// found at once; or only those by the adversaries' parameters, of the losses and their penalties, added
/// where they are kept.
struct AdversaryDerivatives {
  enum class Of { kAll, kStates, kParameters } of = Of::kAll;
  double penalty_weight = 0;  // for parameters
};

class Network {
 public:
  Network(const Architecture& architecture, const Settings& settings, at::Device device, Use use);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  /// Reads the cells and their design rows (same order), and prepares them.
  void load(const CellSource& cells, const int64_t* which, std::size_t n, const Design& rows,
            Batch& out) const {
    read(cells, which, n, rows, out);
    send(out);
    prepare(out);
  }
  /// Reads them; of cells that a group shares the own ones. It asks nothing of a device, so that any thread may
  /// do it.
  void read(const CellSource& cells, const int64_t* which, std::size_t n, const Design& rows, Batch& out,
            const ProcessGroup* group = nullptr) const;
  /// Takes to the device what was read. What a device does is in order for one thread only.
  void send(Batch& batch) const;
  /// Whether a step asks nothing of the processor once its batch and its random numbers are there: it finds
  /// no distinct molecules or doses.
  bool recordable() const;
  /// Takes genes and proteins apart, observed and as encoders read them; asks nothing of the processor on a device.
  void prepare(Batch& batch) const;
  void load_design(const Design& rows, Batch& out) const;
  /// Without what adversaries and the alignment read, which grows by rows x perturbations.
  void load_effects(const Design& rows, Batch& out) const;
  /// Its slots alone, or the continuous covariates, for a device on their way.
  void describe_slots(const Design& rows, Slots& out, Upload& upload) const;
  void describe_continuous(const Design& rows, Slots& out, Upload& upload) const;
  /// Completes slots of the processor's memory, and takes them to the device.
  void send(Slots& host, Slots& out) const;
  /// Mixes every cell with its partner and leaves `group`'s process its share; to be prepared again.
  void mix(Batch& batch, double share, const std::vector<int64_t>& partner,
           const ProcessGroup* group = nullptr) const;
  /// Rows of such a batch, mixed likewise.
  Tensor mixed(const Tensor& rows, const Batch& batch) const;
  /// Starts the streams of dropout masks and latent noise anew.
  void seed_noise(uint64_t seed);

  Encoded encode(const Batch& batch, bool training) const;
  /// Mean over cells of KL(q(basal | x) || N(0, 1)), with experts the mean over the three states;
  /// undefined for a deterministic encoder.
  Tensor kl_loss(const Encoded& encoded) const;
  /// What the perturbations of slots add, with what it comes from.
  struct Effect {
    Tensor raw, response;  // rows x slots, see Doser
    Tensor embedded;       // rows x slots x dim; perturbations x dim with one-hot doses
    Tensor sum;            // rows x dim
  };
  Effect effect(const Slots& slots, bool training = false) const;
  Tensor perturbation_effect(const Slots& slots, bool training = false) const {
    return effect(slots, training).sum;
  }
  Tensor dose_response(const Slots& slots) const;
  Tensor perturbation_effect(const Batch& batch, bool training = false) const;
  /// What each continuous covariate adds, rows x covariates x dim; undefined without any.
  Tensor continuous_effects(const Slots& values) const;
  Tensor continuous_effects(const Batch& batch) const { return continuous_effects(batch.continuous); }
  /// Sum of the covariate embeddings, rows x dim, without those that `composition` leaves out.
  /// `continuous`: what the continuous ones add.
  Tensor covariate_effect(const std::vector<Tensor>& levels, const Tensor& continuous,
                          const Composition& composition = {}) const;
  Tensor covariate_effect(const Batch& batch, const Composition& composition = {}) const;
  /// The second task's loss, see deg_head.cpp; `effect`: of the batch's perturbations.
  void load_degs(const DegTargets& degs, const int64_t* which, std::size_t n, Batch& out) const;
  Tensor deg_loss(const Tensor& effect, const Batch& batch) const;
  Tensor decoder_hidden(const Tensor& treated, bool training) const;
  /// Of the genes of cells that have RNA; undefined when none of the batch has. A step that asks twice
  /// numbers its calls, whose buffers must not be the same.
  Tensor reconstruction(const Tensor& hidden, const Batch& batch, std::size_t call = 0) const;
  /// Null without proteins.
  const ProteinDecoder* proteins() const { return proteins_.get(); }
  ProteinDecoder* proteins() { return proteins_.get(); }
  /// The proteins of treated states; `hidden`: of the genes' decoder, read where it is shared. `call`
  /// numbers the decodings of a step that draw a background.
  DecodedProteins decode_proteins(const Tensor& treated, const Tensor& hidden, const Batch& batch,
                                  bool training, std::size_t call = 0) const;
  /// Their loss over the cells that have them; undefined when none of the batch has.
  Tensor protein_loss(const DecodedProteins& decoded, const Batch& batch, std::size_t call) const;
  bool experts() const { return protein_encoder_ != nullptr; }
  Tensor decoder_raw(const Tensor& hidden) const;
  /// The reconstruction loss as devices without the sweeps compute it.
  Tensor composed_reconstruction(const Tensor& raw, const Batch& batch) const;
  /// `library` is read by heads that have one.
  Decoded decode(const Tensor& treated, const Tensor& library) const;
  /// The same of states whose last hidden layer (decoder_hidden()) is there.
  Decoded decode(const Tensor& treated, const Tensor& hidden, const Tensor& library) const;
  /// Whether a decoded mean is a linear function of the last hidden layer, and nothing else is decoded.
  bool linear_means() const {
    return !head_.counts() && !head_.relu_mean && !head_.sigmoid_mean && proteins_ == nullptr;
  }
  /// The output layers of a model whose outputs all are Gaussian, with means linear but for a ReLU: of
  /// genes (and of proteins that share their decoder), then of proteins; none for other models.
  std::vector<GaussianOutput> gaussian_outputs() const;
  const Mlp& decoder() const { return *decoder_; }
  Decoded from_raw(const Tensor& raw, const Tensor& library) const;
  /// Means and variances of what is decoded, cells x rows of the data (genes, then proteins).
  Tensor expected(const Decoded& d, bool ignore_zeros) const;
  Tensor variance(const Decoded& d, bool ignore_zeros) const;
  /// Those of the first and the last layer, whose gradients come from a process' own rows.
  std::vector<const Parameter*> wide_parameters() const;
  /// The total of these means of genes is what cells are brought to; without a library nothing happens.
  void set_mean_library(const std::vector<double>& mean);
  /// Starts the decoder's output at the genes' means and variances, but for genes that are `kept`.
  void start_output_at(const std::vector<double>& mean, const std::vector<double>& variance,
                       const std::vector<bool>& kept = {});
  /// Averaged over `states`, the basal states of experts and joint.
  AdversaryLoss adversary_loss(const std::vector<Tensor>& states, const Batch& batch,
                               bool with_penalty, bool training = true,
                               AdversaryDerivatives derivatives = {}) const;

  const Architecture& architecture() const { return architecture_; }
  int64_t dim() const { return dim_; }
  bool variational() const { return variational_; }
  bool theislab() const { return parity_ == "theislab"; }
  /// Of model "scgen"; null elsewhere. Its autoencoder knows neither perturbations nor covariates.
  LatentDifferences* differences() const { return differences_.get(); }
  bool multicpa() const { return parity_.rfind("multicpa", 0) == 0; }
  /// One of the versions of theislab/chemCPA.
  bool chemcpa() const { return parity_.rfind("chemcpa", 0) == 0; }
  const std::vector<Parameter*>& covariate_tables() const { return covariates_; }
  /// Continuous covariates x dim.
  const Tensor& continuous_table() const { return continuous_->value; }
  ParameterStore& store() { return store_; }
  const ParameterStore& store() const { return store_; }
  at::TensorOptions options() const { return options_; }
  const Head& head() const { return head_; }
  /// Mean total count of the training cells.
  Tensor mean_library() const { return mean_library_->value; }
  /// Set from the data: whether the first layer multiplies dense matrices.
  void set_dense_input(bool dense) { dense_input_ = dense; }

 private:
  /// theislab/chemCPA fills empty slots with its first drug at dose 0, which counts as present.
  bool pads_slots() const { return parity_ == "chemcpa" && !one_hot_; }
  // Of the design, for a device on their way.
  void send(Slots& host, const Doser* doser, Slots& out, Upload& upload) const;
  void describe_effects(const Design& rows, Batch& out, Upload& upload) const;
  /// `which`: the cells of the rows, of which some may be the same; null where they are none.
  void describe(const Design& rows, const int64_t* which, Batch& out, Upload& upload) const;
  /// The rows that have each modality, where some lack one.
  void describe_measured(const std::vector<uint8_t>& measured, Batch& out, Upload& upload) const;
  bool on_cpu() const { return options_.device().is_cpu(); }
  Tensor encoder_input(const Tensor& values) const;
  /// The normal distribution that a variational encoder's output means, and a draw from it.
  Encoded distribution(const Tensor& raw) const;
  void draw_state(Encoded& encoded, const Batch& batch, std::size_t call, bool training) const;
  Tensor noise(const Batch& batch, std::size_t call, int64_t columns, bool training) const;
  Encoded product_of_experts(const Batch& batch, bool training) const;
  /// Of a decoder that genes and proteins share: the columns of one of them.
  Tensor columns_of(const Tensor& raw, bool genes) const;
  /// What an adversary guesses from a state. The first one guesses perturbations, the others a
  /// covariate each, where it has levels to tell apart.
  struct Guess {
    Tensor logits, loss, penalty;
  };
  Guess guess(std::size_t adversary, const Tensor& state, const Batch& batch, bool with_penalty,
              bool training) const;
  /// Several adversaries side by side, a thread each: where one would be too small for several threads.
  bool adversaries_apart(int64_t rows) const;
  /// Cross entropy or focal loss; `weight` per class, or undefined.
  Tensor class_loss(const Tensor& logits, const Tensor& labels, const Tensor& weight) const;
  Tensor dispersion() const { return dispersion_ != nullptr ? dispersion_->value : Tensor(); }

  Architecture architecture_;
  Head head_;
  std::string adversary_kind_, parity_;
  bool variational_, one_hot_;
  double least_variance_;  // of a variational encoder
  bool dense_input_ = false;
  int64_t dim_;
  at::TensorOptions options_;
  ParameterStore store_;
  mutable Noise state_noise_, mask_noise_;  // of latent states and backgrounds; of dropout
  std::vector<Noise> adversary_noise_;      // one each: they may run side by side
  std::unique_ptr<Mlp> encoder_, decoder_, perturbation_adversary_;
  std::unique_ptr<Mlp> protein_encoder_;      // of the product of experts
  std::unique_ptr<ProteinDecoder> proteins_;  // null without a second modality
  std::vector<std::unique_ptr<Mlp>> covariate_adversaries_;
  std::unique_ptr<Mlp> deg_predictor_;  // null without that task
  std::unique_ptr<Doser> doser_;
  std::unique_ptr<Embedder> embedder_;
  std::unique_ptr<LatentDifferences> differences_;  // instead of the two above
  std::vector<Parameter*> covariates_;
  Parameter* continuous_ = nullptr;          // null without continuous covariates
  std::unique_ptr<Doser> continuous_doser_;  // their curves
  Parameter* dispersion_ = nullptr;  // log inverse dispersion per gene, for heads with a library
  Buffer* mean_library_ = nullptr;
  Buffer* condition_weight_ = nullptr;
  mutable Tensor scratch_[2];  // raw decoder outputs of a training step, reused
};

}  // namespace compert
