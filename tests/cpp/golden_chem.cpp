#include "golden_chem.h"

#include <algorithm>
#include <cmath>

namespace chem {
namespace {

constexpr double kNormEps = 1e-5;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }

}  // namespace

Network::Mlp Network::read_mlp(const golden::File& file, const std::string& name) {
  Mlp mlp;
  for (int k = 0;; k += 3) {
    const auto at = [&](int offset) {
      return "params/" + name + ".network." + std::to_string(k + offset) + ".";
    };
    const golden::Array weight = file.read(at(0) + "weight");
    Layer layer{
        weight.cols(), weight.rows(), weight.values, file.read(at(0) + "bias").values, {}, {}};
    const bool last = !file.has(at(1) + "running_mean");
    if (!last) {
      const std::vector<double> gain = file.read(at(1) + "weight").values,
                                offset = file.read(at(1) + "bias").values,
                                mean = file.read(at(1) + "running_mean").values,
                                variance = file.read(at(1) + "running_var").values;
      for (std::size_t j = 0; j < layer.out; ++j) {
        layer.scale.push_back(gain[j] / std::sqrt(variance[j] + kNormEps));
        layer.shift.push_back(offset[j] - mean[j] * layer.scale[j]);
      }
    }
    mlp.push_back(layer);
    if (last) return mlp;
  }
}

std::vector<double> Network::pass(const Mlp& mlp, std::vector<double> x) {
  for (const Layer& layer : mlp) {
    std::vector<double> y(layer.out);
    for (std::size_t j = 0; j < layer.out; ++j) {
      y[j] = layer.bias[j];
      for (std::size_t i = 0; i < layer.in; ++i) y[j] += layer.weight[j * layer.in + i] * x[i];
      if (!layer.scale.empty()) y[j] = std::max(0.0, y[j] * layer.scale[j] + layer.shift[j]);
    }
    x = std::move(y);
  }
  return x;
}

Network::Network(const golden::File& file)
    : encoder_(read_mlp(file, "encoder")),
      decoder_(read_mlp(file, "decoder")),
      molecule_(read_mlp(file, "drug_embedding_encoder")),
      molecules_(file.read("params/drug_embeddings.weight")),
      cell_types_(file.read("params/covariates_embeddings.0.weight")),
      beta_(file.read("params/dosers.beta")),
      bias_(file.read("params/dosers.bias")) {}

Prediction Network::predict(const std::vector<double>& cells, std::size_t drug, double dose,
                            std::size_t cell_type) const {
  const std::size_t n_genes = encoder_.front().in;
  const double* row = molecules_.values.data() + drug * molecules_.cols();
  std::vector<double> added = pass(molecule_, std::vector<double>(row, row + molecules_.cols()));
  const double bias = bias_.values[drug];
  const double scaled = sigmoid(dose * beta_.values[drug] + bias) - sigmoid(bias);
  for (std::size_t d = 0; d < added.size(); ++d) {
    added[d] = added[d] * scaled + cell_types_.at(cell_type, d);
  }
  Prediction out;
  for (auto cell = cells.begin(); cell != cells.end(); cell += static_cast<long>(n_genes)) {
    std::vector<double> z =
        pass(encoder_, std::vector<double>(cell, cell + static_cast<long>(n_genes)));
    for (std::size_t d = 0; d < z.size(); ++d) z[d] += added[d];
    const std::vector<double> y = pass(decoder_, z);
    out.mean.insert(out.mean.end(), y.begin(), y.begin() + static_cast<long>(n_genes));
    for (std::size_t g = n_genes; g < 2 * n_genes; ++g) out.variance.push_back(softplus(y[g]));
  }
  return out;
}

}  // namespace chem
