// Draws of counts: their moments, and that they are those of LibTorch's generator on every system.
#include <algorithm>
#include <cmath>

#include "catch_compat.h"
#include "training_screen.h"

using training::Screen;
using training::Vector;

namespace {

/// A model of every cell alike: a share of the total for every gene, one inverse dispersion.
compert::Model constant_model(const Screen& screen, const std::string& loss, double theta, double zero_logit) {
  compert::Model model(screen.architecture(),
                       training::settings_of(R"("precision": "float64", "decoder_norm": "none", "autoencoder_depth": 1,
                                                "loss_ae": ")" + loss + "\""));
  compert::NamedArrays values = model.values();
  for (auto& [name, array] : values) {
    if (name.rfind("decoder.", 0) == 0) std::fill(array.values.begin(), array.values.end(), 0);
    if (name == "dispersion") std::fill(array.values.begin(), array.values.end(), std::log(theta));
  }
  if (loss == "zinb") {
    auto& bias = values.at("decoder.network.3.bias").values;
    std::fill(bias.begin() + static_cast<std::ptrdiff_t>(Screen::kGenes), bias.end(), zero_logit);
  }
  model.set_values(values);
  return model;
}

/// Draws of one cell, `n` times, and the mean that they are of.
Vector draws(const compert::Model& model, const Screen& screen, int64_t n, double& mean) {
  compert::Design target;
  target.n = target.n_covariates = 1;
  target.perturbation = {0};
  target.dose = {1};
  target.covariate = {0};
  compert::CellPrediction how;
  how.type = compert::CellPrediction::Type::kSample;
  how.n_samples = n;
  how.seed = 3;
  how.residual = false;
  Vector out(static_cast<std::size_t>(n) * Screen::kGenes);
  model.predict_cells(screen.cells(), screen.design, target, {{0}}, how, out.data(), nullptr);
  mean = 0;
  for (std::size_t g = 0; g < Screen::kGenes; ++g) mean += screen.x[g] / Screen::kGenes;
  return out;
}

}  // namespace

TEST_CASE("draws of counts have the moments of their distribution", "[draws]") {
  const Screen screen(true);
  for (const double theta : {0.3, 2.0, 50.0})
    for (const double absent : {0.0, 0.4}) {
      CAPTURE(theta, absent);
      const std::string loss = absent > 0 ? "zinb" : "nb";
      double mu = 0;
      const Vector all =
          draws(constant_model(screen, loss, theta, std::log(absent / (1 - absent))), screen, 4000, mu);
      const auto n = static_cast<double>(all.size());
      double sum = 0, square = 0, zero = 0;
      bool counts = true;
      for (const double v : all) {
        counts = counts && v >= 0 && v == std::floor(v);
        sum += v;
        square += v * v;
        zero += v == 0;
      }
      CHECK(counts);
      const double nb = mu + mu * mu / theta, mean = (1 - absent) * mu,
                   variance = (1 - absent) * (nb + absent * mu * mu);
      CHECK(std::fabs(sum / n - mean) < 5 * std::sqrt(variance / n));
      CHECK(std::fabs((square / n - sum / n * sum / n) / variance - 1) < 0.1);
      const double none = absent + (1 - absent) * std::pow(theta / (theta + mu), theta);
      CHECK(std::fabs(zero / n - none) < 5 * std::sqrt(none * (1 - none) / n) + 1e-9);
    }
}

TEST_CASE("draws of counts are the same with every compiler", "[draws]") {
  const Screen screen(true);
  double mu = 0;
  const Vector all = draws(constant_model(screen, "nb", 2, 0), screen, 1, mu);
  CHECK(Vector(all.begin(), all.begin() + 12) == Vector{5, 7, 5, 1, 3, 8, 1, 8, 9, 8, 1, 1});
}
