/// How golden files of theislab/cpa name and lay out what our model has.
#pragma once
#include <string>
#include <vector>

#include "compert/model.h"
#include "golden_file.h"

namespace tl {

compert::Settings settings(const golden::File& file, const std::string& precision);

/// The parameters of one file. Theirs count a padding perturbation first, and keep separate what we
/// stack (the two halves of an output layer).
class Names {
 public:
  explicit Names(const golden::File& file);
  compert::Architecture architecture() const;
  /// Covariates in their order.
  const std::vector<std::string>& covariates() const { return covariates_; }
  /// Whether the model has no such parameter, because the reference never uses it.
  bool idle(const std::string& name) const;
  /// Writes the arrays of a group of the file over ours.
  void write(const golden::File& file, const std::string& folder, compert::NamedArrays& ours) const;
  /// Our values of an array of theirs, without what only they have (padding).
  std::vector<double> ours(const compert::NamedArrays& arrays, const std::string& name) const;
  /// Their values of it, likewise.
  std::vector<double> theirs(const golden::Array& array, const std::string& name) const;

 private:
  struct Place {
    std::string ours;
    std::size_t padding = 0;  // leading values that only they have
    std::size_t offset = 0;   // of the first value in ours
  };
  Place place(const std::string& name) const;

  const golden::File& file_;
  std::vector<std::string> covariates_;
  std::vector<int64_t> levels_;
  std::size_t dim_, genes_;
  int64_t encoder_layers_, decoder_layers_, adversary_layers_, perturbations_;
  std::string loss_, doser_;
};

/// Cells of one batch with their design and labels.
class Minibatch {
 public:
  Minibatch(const golden::File& file, const std::string& path,
            const std::vector<std::string>& covariates);
  compert::DenseCells cells() const { return {x_.values.data(), x_.cols(), x_.rows()}; }
  const compert::Design& design() const { return design_; }
  const std::vector<int32_t>& condition() const { return design_.condition; }
  std::vector<int32_t> covariate(std::size_t k) const;
  const std::vector<int32_t>& category() const { return category_; }

 private:
  golden::Array x_;
  compert::Design design_;
  std::vector<int32_t> category_;
};

/// The reference's r2 of a batch: per category the r2 of means and of variances over genes, then
/// averaged; counts as log(1 + count).
struct BatchR2 {
  double mean = 0, variance = 0;
};
BatchR2 batch_r2(const compert::NamedArrays& forward, const Minibatch& batch);

/// Share of cells whose most probable class is theirs; and the mean of it over the classes that
/// are there or guessed.
double accuracy(const compert::Array& logits, const std::vector<int32_t>& labels);
double macro_accuracy(const compert::Array& logits, const std::vector<int32_t>& labels);

std::vector<double> square_roots(std::vector<double> values);

}  // namespace tl
