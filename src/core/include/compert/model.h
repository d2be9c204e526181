#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "compert/arrays.h"
#include "compert/cells.h"
#include "compert/chem.h"
#include "compert/design.h"
#include "compert/progress.h"
#include "compert/settings.h"

namespace compert {

/// The sizes of a model, all that it needs to know of the data.
struct Architecture {
  int64_t n_genes = 0;
  /// Surface proteins (or another second modality), which follow the genes in the rows of the cells;
  /// 0: none. Results have them in the same place.
  int64_t n_proteins = 0;
  int64_t n_rows() const { return n_genes + n_proteins; }
  int64_t n_perturbations = 0;
  std::vector<int64_t> covariate_levels;  ///< one entry per covariate; empty: none
  int64_t n_continuous = 0;               ///< continuous covariates, numbered after the others
  int64_t batch_covariate = -1;           ///< the covariate that `corrected` leaves out; -1: none
  /// Fixed features of the perturbations (molecular fingerprints, for example), perturbations x
  /// n_features, that a trained network takes to their embeddings; 0: a free table.
  int64_t n_features = 0;
  std::vector<double> features;
  /// Graphs of the perturbations' molecules, one each (without atoms where there is none), in place of
  /// `features`: a message-passing network takes them to n_features values, and is trained too.
  std::vector<MoleculeGraph> graphs;
  /// Per perturbation, 1 where it has features, 0 where its embedding is free; empty: all have.
  std::vector<double> has_features;
  /// Genes of the network inside layers that take `n_genes` to them and back (chemCPA's append
  /// layers, for a model that was trained on fewer genes before); 0: none.
  int64_t n_genes_inner = 0;
  /// Of model "scgen": the control's code, and the doses whose differences of latent means are
  /// measured, with their perturbations.
  int64_t control = -1;
  std::vector<int32_t> measured_perturbation;
  std::vector<double> measured_dose;
  int64_t n_without_features() const {
    return std::count(has_features.begin(), has_features.end(), 0.0);
  }
  /// One weight per condition (perturbations without doses) for adversaries that guess conditions.
  std::vector<double> condition_weight;
  int64_t n_conditions() const { return static_cast<int64_t>(condition_weight.size()); }
};

/// Which parts are added to the basal state before decoding.
struct Composition {
  bool perturbation = true;
  std::vector<int64_t> without;  ///< covariates to leave out, continuous ones by their number too
  bool has_covariate(std::size_t k) const {
    for (const int64_t w : without)
      if (w == static_cast<int64_t>(k)) return false;
    return true;
  }
};

/// Why training ended; what more presses has a higher number, which all processes of a group go by.
enum class Stopped { kEpochs, kPatience, kMinutes, kInterrupt, kNotFinite, kUnreadable };

struct FitResult {
  Stopped stopped = Stopped::kEpochs;
  std::string message;  ///< for kNotFinite: what, epoch and batch; for kUnreadable: what could not be read
  std::string device;    ///< that training ran on, as LibTorch names it: "cpu", "cuda:0"
  int64_t batches = 0;   ///< of an epoch that training ended in
  int64_t unwritten = 0;  ///< the epoch since which no checkpoint could be written; 0: the last one was
};

/// What of a summary is computed beside means; arrays that are not stay empty.
struct SummaryParts {
  bool spread = true;      ///< variance_of_means
  bool difference = true;  ///< the counterfactual by difference
  bool variance = true;    ///< of the decoded distributions and by difference: without, means alone
};

/// Per condition, statistics over its source cells; each array is conditions x rows of the cells (genes,
/// then proteins).
struct ConditionSummary {
  std::vector<int64_t> n;
  std::vector<double> mean;                 ///< mean of the decoded means
  std::vector<double> variance;             ///< mean of the decoded variances
  std::vector<double> variance_of_means;    ///< population variance of the decoded means
  std::vector<double> mean_difference;      ///< counterfactual by difference: mean
  std::vector<double> variance_difference;  ///< and population variance
  std::vector<double> variance_shift;       ///< mean change of the decoded variance
};

/// What each predicted cell is.
struct CellPrediction {
  enum class Type { kMean, kSample } type = Type::kMean;
  bool residual = false;  ///< by difference: observed + decoded(new) - decoded(own)
  int64_t n_samples = 1;  ///< draws per cell, for kSample
  int64_t seed = 0;
  bool variance_as_deviation = false;  ///< facebookresearch/CPA draws with sd = variance
};

/// How counts with a library size are decoded.
struct Decoding {
  Composition composition;
  bool ignore_zeros = false;     ///< means of the negative binomial without its structural zeros
  bool common_library = false;   ///< every cell with the mean total of the training cells
};

/// The compositional model: encoder, perturbation embedding x doser, covariate embeddings,
/// decoder, adversaries, with the state of its training. CPA is one choice of parts.
///
/// All calls throw `Error` on bad input and leave the model as it was.
class Model {
 public:
  Model(const Architecture& architecture, const Settings& settings);
  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  const Architecture& architecture() const;
  const Settings& settings() const;

  /// Trains on the cells `train` (indices into `cells` and rows of `design`). `plan` scores the
  /// fit every `checkpoint_freq` epochs; when it is not empty the weights of the best score are the
  /// model's at the end. Called again, it goes on where it stopped for `settings().epochs` more.
  /// `meta` is kept in checkpoints. `degs` is read where `reg_multi_task` is above 0.
  FitResult fit(const CellSource& cells, const Design& design, const std::vector<int64_t>& train,
                const EvaluationPlan& plan, const std::string& meta, Progress& progress,
                const DegTargets& degs = {});
  /// Changes what may change between two calls of `fit()`: everything but the network's shape.
  void set_run_settings(const Settings& settings);

  const std::vector<EpochRecord>& history() const;
  int64_t epochs_done() const;
  /// How many a call of fit() would train at most. `scored`: with a plan.
  int64_t epochs_to_train(const Design& design, const std::vector<int64_t>& train, bool scored) const;
  int64_t best_epoch() const;  ///< 0 without evaluation
  int64_t n_parameters() const;

  /// Statistics of the predictions for every condition k of `target` from the cells `source[k]`.
  /// Every distinct cell is encoded once. `own` is the design of all cells. `pause` is called between
  /// blocks of cells (and of conditions), here and in the next five.
  ConditionSummary summarise(const CellSource& cells, const Design& own, const Design& target,
                             const std::vector<std::vector<int64_t>>& source,
                             const Decoding& decoding = {}, const SummaryParts& parts = {},
                             const Pause& pause = {}) const;
  /// Predictions cell by cell, condition after condition (samples of a cell next to each other),
  /// written as cells x genes to `mean` and, unless null, to `variance`.
  void predict_cells(const CellSource& cells, const Design& own, const Design& target,
                     const std::vector<std::vector<int64_t>>& source, const CellPrediction& how,
                     double* mean, double* variance, const Decoding& decoding = {},
                     const Pause& pause = {}) const;
  /// Decoded means and, unless null, variances of cells under their own design, cells x genes.
  void reconstruct(const CellSource& cells, const Design& own, const std::vector<int64_t>& which,
                   double* mean, double* variance, const Decoding& decoding = {},
                   const Pause& pause = {}) const;
  /// What a mixture of background and foreground says of the proteins of cells under their own design;
  /// each array is cells x proteins.
  struct ProteinParts {
    std::vector<double> denoised, foreground_probability, background, foreground;
  };
  ProteinParts proteins(const CellSource& cells, const Design& own, const std::vector<int64_t>& which,
                        const Composition& composition = {}, const Pause& pause = {}) const;
  /// Latent states, cells x dim: the basal state with what `composition` adds to it.
  void embed(const CellSource& cells, const Design& own, const Composition& composition, double* out,
             const Pause& pause = {}) const;
  /// The same of the cells `source[k]` under every condition k of `target`, one after the other.
  void embed(const CellSource& cells, const Design& own, const Design& target,
             const std::vector<std::vector<int64_t>>& source, const Composition& composition, double* out,
             const Pause& pause = {}) const;

  int64_t dim() const { return settings().dim; }
  /// Sum over slots of response x embedding, rows x dim; covariates of `rows` are not used.
  std::vector<double> perturbation_embedding(const Design& rows) const;
  /// h_j(u) for pairs of perturbation and dose.
  std::vector<double> dose_response(const std::vector<int32_t>& perturbation,
                                    const std::vector<double>& dose) const;
  /// Levels x dim; of a continuous covariate 1 x dim.
  std::vector<double> covariate_embedding(std::size_t covariate) const;

  /// Parameters and buffers by name.
  NamedArrays values() const;
  void set_values(const NamedArrays& values);

  /// The whole model with its training state as the bytes of an HDF5 file (see model_file.h).
  std::vector<uint8_t> state(const std::string& meta) const;
  static Model from_state(const std::vector<uint8_t>& image);
  /// To be trained on under other settings, on their device; throws as set_run_settings() does.
  static Model from_state(const std::vector<uint8_t>& image, const Settings& run);
  /// Only what predictions read: without optimisers, so that `fit()` and `state()` throw `Error`.
  static Model for_prediction(const std::vector<uint8_t>& image);

  struct Impl;
  /// For the core's own files.
  Impl& impl() { return *impl_; }
  const Impl& impl() const { return *impl_; }

 private:
  friend class Inspector;
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace compert
