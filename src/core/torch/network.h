// The compositional network, put together from its parts, and one batch of its input.
#pragma once
#include <memory>
#include <vector>

#include "compert/model.h"
#include "dosers.h"
#include "large_layers.h"

namespace compert {

/// A batch as the network reads it.
struct Batch {
  CellBatch target;           // expression as given: what the likelihood is of
  Tensor input;               // its stored values as the encoder reads them: log1p of counts
  Slots slots;
  Tensor present;             // cells x perturbations: 1 where the dose is above 0
  std::vector<Tensor> covariates;  // per covariate, levels (int64)
  std::vector<int64_t> stratum;    // cells with the same covariates share one
  std::vector<int64_t> condition;  // cells with the same stratum, perturbations and doses too
  int64_t size() const { return static_cast<int64_t>(target.n_cells()); }
};

struct AdversaryLoss {
  Tensor perturbations, covariates;             // scalars; covariates summed
  std::vector<Tensor> each_covariate;
  Tensor penalty_perturbations, penalty_covariates;  // undefined unless asked for
  std::vector<Tensor> penalty_parts;
};

class Network {
 public:
  Network(const Architecture& architecture, const Settings& settings, at::Device device);

  /// Reads the cells and their design rows (same order). `density` chooses the first layer.
  void load(const CellSource& cells, const int64_t* which, std::size_t n, const Design& rows,
            Batch& out) const;
  void load_design(const Design& rows, Batch& out) const;

  Tensor encode(const Batch& batch, bool training) const;
  /// Sum of the scaled perturbation embeddings, rows x dim.
  Tensor perturbation_effect(const Slots& slots) const;
  /// Sum of the covariate embeddings; `without` is a covariate to leave out, or -1.
  Tensor covariate_effect(const std::vector<Tensor>& covariates, int64_t without = -1) const;
  Tensor decoder_hidden(const Tensor& treated, bool training) const;
  Tensor reconstruction(const Tensor& hidden, const Batch& batch) const;
  Tensor decoder_raw(const Tensor& hidden) const;
  Decoded decode(const Tensor& treated) const;
  /// Dependence of the basal state on the perturbation given the covariates, see alignment.cpp.
  Tensor alignment_loss(const Tensor& basal, const Batch& batch) const;
  /// Starts the decoder's output at the genes' means and variances.
  void start_output_at(const std::vector<double>& mean, const std::vector<double>& variance);
  AdversaryLoss adversary_loss(const Tensor& basal, const Batch& batch, bool with_penalty) const;

  const Architecture& architecture() const { return architecture_; }
  const Doser& doser() const { return *doser_; }
  const Parameter* perturbation_table() const { return perturbations_; }
  const std::vector<Parameter*>& covariate_tables() const { return covariates_; }
  const Mlp& perturbation_adversary() const { return *perturbation_adversary_; }
  const std::vector<std::unique_ptr<Mlp>>& covariate_adversaries() const {
    return covariate_adversaries_;
  }
  ParameterStore& store() { return store_; }
  const ParameterStore& store() const { return store_; }
  at::TensorOptions options() const { return options_; }
  Likelihood likelihood() const { return likelihood_; }
  /// Set from the data: whether the first layer multiplies dense matrices.
  void set_dense_input(bool dense) { dense_input_ = dense; }

 private:
  Architecture architecture_;
  Likelihood likelihood_;
  bool relu_mean_;
  bool dense_input_ = false;
  at::TensorOptions options_;
  ParameterStore store_;
  std::unique_ptr<Mlp> encoder_, decoder_, perturbation_adversary_;
  std::vector<std::unique_ptr<Mlp>> covariate_adversaries_;
  std::unique_ptr<Doser> doser_;
  Parameter* perturbations_;
  std::vector<Parameter*> covariates_;
  mutable Tensor scratch_;  // raw decoder output of a training step, reused
};

}  // namespace compert
