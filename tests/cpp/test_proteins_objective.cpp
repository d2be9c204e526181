// RNA and proteins: the terms of the objective, their gradients, and the shapes of what is decoded.
#include "catch_compat.h"
#include "compert/inspect.h"
#include "protein_screen.h"

namespace {

using compert::Inspector;
using compert::Model;
using compert::NamedArrays;
using proteins::kGenes;
using proteins::kProteins;
using proteins::Screen;
using proteins::Vector;

double log_nb(double y, double mu, double theta) {
  return std::lgamma(y + theta) - std::lgamma(theta) - std::lgamma(y + 1) +
         theta * std::log(theta / (theta + mu)) + y * std::log(mu / (theta + mu));
}

/// No noise anywhere: means of the latent states, medians of the backgrounds.
Inspector::Recorded without_noise(int64_t epoch, std::size_t n = 5) {
  Inspector::Recorded out;
  out.noise.resize(n);
  out.epoch = epoch;
  out.epochs = 20;
  return out;
}

}  // namespace

TEST_CASE("the objective is the sum of its terms, by hand", "[proteins]") {
  const Screen screen(6, false);
  for (const double certain : {0., 1.}) {
    Model model = proteins::fitted(
        screen, R"("precision": "float64", "reg_alignment": 0, "recon_weight_pro": 0.7, "kl_weight": 2)");
    // Background alone where it is certain.
    if (certain > 0) proteins::make_constant(model, "protein_mixing_decoder", Vector(kProteins, 1e4));
    Inspector inspector(model);
    inspector.replay(without_noise(3));
    const NamedArrays a = inspector.forward(screen.cells(), screen.design, true);
    const auto step = inspector.autoencoder_step(screen.cells(), screen.design);
    const auto loss = [&step](const char* name) { return step.losses.at(name).values[0]; };
    const Vector &b = a.at("protein_back").values, &f = a.at("protein_fore").values,
                 &pi = a.at("protein_mixing").values, &alpha = a.at("alpha").values,
                 &beta = a.at("beta").values, &block = a.at("protein_reconstructions").values;
    const Vector y = proteins::protein_columns(screen.x), prior = model.values().at("background_pro_alpha").values,
                 log_sd = model.values().at("background_pro_log_beta").values;
    double nll = 0, back = 0, latent = 0;
    const auto n = static_cast<double>(screen.design.n), size = static_cast<double>(y.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
      const std::size_t p = i % kProteins;
      const double theta = block[i / kProteins * 2 * kProteins + kProteins + p],
                   share = 1 / (1 + std::exp(-pi[i]));
      const double in_back = std::exp(log_nb(y[i], b[i], theta)),
                   in_front = std::exp(log_nb(y[i], f[i], theta));
      nll -= std::log(certain > 0 ? in_back : share * in_back + (1 - share) * in_front) / size;
      const double sd = std::exp(log_sd[p]), ratio = beta[i] / sd, shift = (alpha[i] - prior[p]) / sd;
      back += 0.5 * (ratio * ratio + shift * shift - 1 - 2 * std::log(ratio)) / n;
    }
    for (std::size_t i = 0; i < a.at("latent_mean").values.size(); ++i) {
      const double m = a.at("latent_mean").values[i], lv = a.at("latent_log_var").values[i];
      latent += 0.5 * (std::exp(lv) + m * m - 1 - lv) / n;
    }
    CHECK(std::abs(loss("loss_reconstruction_proteins") - nll) < 1e-5 * std::abs(nll));
    CHECK(std::abs(loss("loss_reconstruction") - loss("loss_reconstruction_genes") - 0.7 * nll) < 1e-4);
    CHECK(std::abs(loss("loss_kl") - latent) < 1e-8 * latent);
    const double annealing = loss("kl_annealing");
    CHECK(std::abs(annealing - 0.5) < 1e-12);  // epoch 3 of 20 * 0.3
    CHECK(std::abs(loss("kl_loss_proteins_back") - back * annealing) < 1e-8 * back);
    // The terms' scale is that of a mean over genes.
    CHECK(std::abs(loss("total") - loss("loss_reconstruction") -
                   2 * annealing * (latent + back) / kGenes) < 1e-8);
  }
}

TEST_CASE("KL terms are 0 at their priors, and annealed", "[proteins]") {
  const Screen screen(6);
  Model model = proteins::fitted(screen, R"("precision": "float64")");
  const Vector prior = model.values().at("background_pro_alpha").values,
               log_sd = model.values().at("background_pro_log_beta").values;
  Vector bias = prior;
  bias.insert(bias.end(), log_sd.begin(), log_sd.end());
  proteins::make_constant(model, "protein_back_decoder", bias);
  bias.assign(16, 0);
  std::fill(bias.begin() + 8, bias.end(), std::log(std::expm1(1 - 1e-4)));
  proteins::make_constant(model, "encoder", bias);
  Inspector inspector(model);
  for (const int64_t epoch : {0, 3, 6, 19}) {
    inspector.replay(without_noise(epoch));
    const auto step = inspector.autoencoder_step(screen.cells(), screen.design);
    CHECK(std::abs(step.losses.at("loss_kl").values[0]) < 1e-9);
    CHECK(std::abs(step.losses.at("kl_loss_proteins_back").values[0]) < 1e-9);
    CHECK(std::abs(step.losses.at("kl_annealing").values[0] -
                   std::min(1.0, static_cast<double>(epoch) / 6)) < 1e-12);
  }
  Model plain = proteins::fitted(screen, R"("kl_annealing_frac": 0)");
  Inspector other(plain);
  other.replay(without_noise(0));
  CHECK(other.autoencoder_step(screen.cells(), screen.design).losses.at("kl_annealing").values[0] == 1);
}

TEST_CASE("without weight, proteins reach their decoders by the background's KL only", "[proteins]") {
  const Screen screen(6);
  for (const std::string fusion : {"concat", "poe"})
    for (const std::string loss : {"nb_mixture", "nb", "gauss"}) {
      const std::string parts = R"("reg_alignment": 0, "fusion": ")" + fusion +
                                R"(", "protein_loss": ")" + loss + "\"";
      std::map<std::string, double> totals;
      for (const std::string weight : {"0", "1", "2"}) {
        Model model(screen.architecture(), proteins::settings(
            parts + R"(, "precision": "float64", "recon_weight_pro": )" + weight));
        Inspector inspector(model);
        inspector.replay(without_noise(3));
        const auto step = inspector.autoencoder_step(screen.cells(), screen.design);
        totals[weight] = step.losses.at("total").values[0];
        totals["proteins"] = step.losses.at("loss_reconstruction_proteins").values[0];
        for (const auto& [name, gradient] : step.gradients) {
          if (name.rfind("protein_", 0) != 0 || name.rfind("protein_encoder", 0) == 0) continue;
          double largest = 0;
          for (const double v : gradient.values) largest = std::max(largest, std::abs(v));
          INFO(fusion << " " << loss << " " << weight << " " << name);
          const bool by_kl = name.rfind("protein_back_decoder", 0) == 0;
          if (weight == "0" && !by_kl) CHECK(largest == 0);
          if (name == proteins::last_layer(model.values(), name.substr(0, name.find('.'))) + ".bias" &&
              (by_kl || weight != "0"))
            CHECK(largest > 0);
        }
      }
      CHECK(std::abs(totals["2"] - totals["1"] - totals["proteins"]) < 1e-8);
      CHECK(std::abs(totals["1"] - totals["0"] - totals["proteins"]) < 1e-8);
    }
}

TEST_CASE("outputs have the shapes of theislab/multicpa", "[proteins]") {
  const Screen screen(6);
  Model model = proteins::fitted(screen, R"("parity": "multicpa")");
  const NamedArrays a = Inspector(model).forward(screen.cells(), screen.design, false);
  const auto n = static_cast<int64_t>(screen.design.n), p = static_cast<int64_t>(kProteins);
  const std::map<std::string, int64_t> columns = {
      {"encoder_raw", 16}, {"decoder_raw_call_0", 2 * kGenes}, {"gene_reconstructions", 2 * kGenes},
      {"protein_back_decoder_raw_call_0", 2 * p}, {"protein_fore_scale_decoder_raw_call_0", p},
      {"protein_mixing_decoder_raw_call_0", p}, {"protein_dispersion_decoder_raw_call_0", p},
      {"protein_reconstructions", 2 * p}, {"protein_back", p}, {"alpha", p}};
  for (const auto& [name, width] : columns) {
    INFO(name);
    CHECK(a.at(name).shape == std::vector<int64_t>{n, width});
  }
  for (const double v : a.at("gene_reconstructions").values) CHECK(v >= 1e-4);
}
