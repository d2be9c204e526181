/// The network of chemCPA in evaluation mode, written out from the parameters of a golden file, so
/// that its evaluation can be checked apart from our model.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "golden_file.h"

namespace chem {

/// Cells x genes, one cell after the other.
struct Prediction {
  std::vector<double> mean, variance;
};

/// One molecule at one dose per call, sigmoid dosers, one covariate.
class Network {
 public:
  explicit Network(const golden::File& file);
  /// What the cells (rows of cells x genes) would be under `drug` at `dose` in `cell_type`.
  Prediction predict(const std::vector<double>& cells, std::size_t drug, double dose,
                     std::size_t cell_type) const;

 private:
  struct Layer {
    std::size_t in = 0, out = 0;
    std::vector<double> weight, bias;
    std::vector<double> scale, shift;  // of the batch norm behind it; empty without one
  };
  using Mlp = std::vector<Layer>;
  static Mlp read_mlp(const golden::File& file, const std::string& name);
  static std::vector<double> pass(const Mlp& mlp, std::vector<double> x);

  Mlp encoder_, decoder_, molecule_;
  golden::Array molecules_, cell_types_, beta_, bias_;
};

}  // namespace chem
