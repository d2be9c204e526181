#pragma once
#include "compert/model.h"

namespace compert {

/// Step-by-step access to a model's arithmetic, to compare it with a reference implementation.
/// Names follow facebookresearch/CPA.
class Inspector {
 public:
  explicit Inspector(Model& model) : model_(model) {}

  /// Randomness that the next calls take from here instead of drawing it.
  struct Recorded {
    /// Standard normal draws in the order of their use: latent states (cells x dim), then the
    /// backgrounds of proteins (cells x proteins); an empty one means the
    /// distribution's mean (or median), and what is missing at the end is drawn where a step draws.
    std::vector<Array> noise;
    int64_t epoch = 0, epochs = 0;  ///< epochs before this one, and of the whole run (annealing)
    double mix_share = 1;          ///< of mixup
    std::vector<int64_t> partner;  ///< of every cell, for mixup; empty: no mixup
  };
  void replay(Recorded recorded);
  /// Dose-response networks that a batch does not run move on once they have run, also with parity "chemcpa": as
  /// with torch before 2.0, whose zero_grad() leaves gradients of 0.
  void keep_zero_gradients();

  /// Latents, doser outputs, decoder outputs, losses, adversary logits of one batch; of RNA and proteins
  /// under the names of theislab/multicpa.
  NamedArrays forward(const CellSource& cells, const Design& design, bool training);

  /// Responses ("value") of every perturbation to a dose matrix, rows x perturbations, with the
  /// gradients of their plain sum by the doses ("dose", which mlp does not give) and by the dosers'
  /// parameters (by name).
  NamedArrays dose_response(const Array& dose);

  struct Step {
    NamedArrays losses, gradients;
  };
  /// Losses and gradients of every parameter that the objective reaches; nothing is updated.
  Step autoencoder_step(const CellSource& cells, const Design& design);
  Step adversary_step(const CellSource& cells, const Design& design);

  /// One update of the alternating schedule; what the references report.
  NamedArrays update(const CellSource& cells, const Design& design);
  /// Weight of the adversaries in the next batch.
  double adversary_weight() const;
  /// What one evaluation does to the learning rates.
  void step_schedulers();
  /// autoencoder, adversaries, dosers
  std::vector<double> learning_rates() const;
  NamedArrays adam_state(const std::string& group) const;

 private:
  NamedArrays forward_of_both(const CellSource& cells, const Design& design, bool training);
  Model& model_;
  Recorded recorded_;
};

}  // namespace compert
