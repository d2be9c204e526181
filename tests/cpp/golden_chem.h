/// Golden files of theislab/chemCPA, and predictions of our model with the parameters of one.
#pragma once
#include <string>
#include <vector>

#include "golden_model.h"

namespace golden {

class ChemFormat final : public Format {
 public:
  Reference reference(const File& file, const std::string& precision) const override;
  compert::Design design(const File& file, const std::string& path,
                         const std::vector<Array>& covariates) const override;
  std::string parameter(const File& file, const std::string& name) const override;
  std::string output(const File& file, const std::string& name) const override;
  void complete(const File& file, compert::NamedArrays& forward) const override;
  void prepare(compert::Inspector& inspector) const override { inspector.keep_zero_gradients(); }
};

/// Cells x genes, one cell after the other.
struct Prediction {
  std::vector<double> mean, variance;
};

/// The model of a file with one drug per cell and one covariate, in double precision.
class ChemModel {
 public:
  explicit ChemModel(const File& file);
  /// What the cells (rows of cells x genes) would be under `drug` at `dose` in `cell_type`.
  Prediction predict(const std::vector<double>& cells, std::size_t drug, double dose,
                     std::size_t cell_type) const;

 private:
  compert::Model model_;
};

}  // namespace golden
