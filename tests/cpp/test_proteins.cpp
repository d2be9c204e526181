// RNA and proteins: the mixture of background and foreground, the product of experts, the objective.
#include "catch_compat.h"
#include "compert/error.h"
#include "compert/inspect.h"
#include "protein_screen.h"

namespace {

using compert::Array;
using compert::CellPrediction;
using compert::Inspector;
using compert::Model;
using compert::NamedArrays;
using proteins::kGenes;
using proteins::kProteins;
using proteins::kRows;
using proteins::Screen;
using proteins::Vector;

/// Predictions of the held-out condition, cells x rows.
Vector sample(const Model& model, const Screen& screen, int64_t seed, int64_t n_samples) {
  CellPrediction how;
  how.type = CellPrediction::Type::kSample;
  how.seed = seed;
  how.n_samples = n_samples;
  Vector out(screen.controls.size() * static_cast<std::size_t>(n_samples) * kRows);
  model.predict_cells(screen.cells(), screen.design, screen.target(), {screen.controls}, how,
                      out.data(), nullptr);
  return out;
}

/// The proteins' columns of cells x rows.
Vector protein_columns(const Vector& rows) {
  Vector out;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (i % kRows >= kGenes) out.push_back(rows[i]);
  return out;
}

void check_close(const Vector& a, const Vector& b, double tolerance = 1e-5) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    CHECK(std::abs(a[i] - b[i]) <= tolerance * std::max(1.0, std::abs(b[i])));
}

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

TEST_CASE("foreground is never below background, and the mean lies between", "[proteins]") {
  const Screen screen(12);
  for (const char* fusion : {R"("fusion": "concat")", R"("fusion": "poe")"}) {
    Model model = proteins::fitted(screen, fusion);
    const auto check = [&](double share_or_nan) {
      const auto parts = model.proteins(screen.cells(), screen.design, screen.all);
      Vector mean(screen.design.n * kRows), variance = mean, expected, denoised;
      model.reconstruct(screen.cells(), screen.design, screen.all, mean.data(), variance.data());
      REQUIRE(parts.background.size() == screen.design.n * kProteins);
      for (std::size_t i = 0; i < parts.background.size(); ++i) {
        const double share = std::isnan(share_or_nan) ? parts.foreground_probability[i] : share_or_nan;
        CHECK(parts.background[i] > 0);
        CHECK(parts.foreground[i] >= parts.background[i]);
        CHECK(std::abs(parts.foreground_probability[i] - share) < 1e-6);
        expected.push_back(share * parts.foreground[i] + (1 - share) * parts.background[i]);
        denoised.push_back(share * parts.foreground[i]);
      }
      check_close(protein_columns(mean), expected);
      check_close(parts.denoised, denoised);
    };
    check(std::nan(""));
    proteins::make_constant(model, "protein_mixing_decoder", Vector(kProteins, 0));
    check(0.5);
    // Whatever the network says, a cell's foreground is at least its background.
    proteins::make_constant(model, "protein_fore_scale_decoder", Vector(kProteins, -5));
    const auto same = model.proteins(screen.cells(), screen.design, screen.all);
    check_close(same.foreground, same.background);
  }
}

TEST_CASE("samples have the mixture's mean and its exact variance", "[proteins]") {
  const Screen screen(30);
  // Without a variational encoder nothing else is drawn; with one, the state hardly varies here.
  for (const bool variational : {false, true}) {
    Model model = proteins::fitted(
        screen, variational ? R"("protein_background": "mean")" : R"("variational": false)");
    if (variational) {
      Vector bias(16, -20);
      std::fill(bias.begin(), bias.begin() + 8, 0.1);
      proteins::make_constant(model, "encoder", bias);
    }
    Vector mean(screen.controls.size() * kRows), variance = mean, sampled(kProteins), square(kProteins),
        expected(kProteins), spread(kProteins);
    model.predict_cells(screen.cells(), screen.design, screen.target(), {screen.controls}, {},
                        mean.data(), variance.data());
    const Vector means = protein_columns(mean), variances = protein_columns(variance),
                 draws = protein_columns(sample(model, screen, 1, 1000));
    const auto n = static_cast<double>(draws.size() / kProteins),
               cells = static_cast<double>(screen.controls.size());
    for (std::size_t i = 0; i < draws.size(); ++i) {
      sampled[i % kProteins] += draws[i] / n;
      square[i % kProteins] += draws[i] * draws[i] / n;
    }
    for (std::size_t i = 0; i < means.size(); ++i) {
      expected[i % kProteins] += means[i] / cells;
      spread[i % kProteins] += (variances[i] + means[i] * means[i]) / cells;  // second moment
    }
    for (std::size_t p = 0; p < kProteins; ++p) {
      INFO(p << ": " << sampled[p] << " " << expected[p] << "; " << square[p] << " " << spread[p]);
      CHECK(std::abs(sampled[p] / expected[p] - 1) < 0.03);
      // That of a log-normal background is left out of the formula.
      if (!variational) CHECK(std::abs(square[p] / spread[p] - 1) < 0.06);
    }
  }
}

TEST_CASE("samples are one per seed, predictions one at all", "[proteins]") {
  const Screen screen(12);
  for (const char* more : {R"("fusion": "concat")", R"("fusion": "poe")",
                           R"("protein_loss": "nb", "fusion": "poe")"}) {
    const Model model = proteins::fitted(screen, more);
    const Vector first = sample(model, screen, 7, 3);
    CHECK(first == sample(model, screen, 7, 3));
    CHECK(protein_columns(first) != protein_columns(sample(model, screen, 8, 3)));
    for (const double v : first) CHECK((v >= 0 && v == std::floor(v)));
    CHECK(proteins::predicted(model, screen) == proteins::predicted(model, screen));
  }
}

TEST_CASE("experts are multiplied with each other and the prior", "[proteins]") {
  Screen screen(12, false);
  screen.hide(compert::kProteins);
  Model model = proteins::fitted(screen, R"("fusion": "poe", "precision": "float64")");
  Inspector inspector(model);
  const auto forward = [&] { return inspector.forward(screen.cells(), screen.design, false); };
  const auto variance = [](const NamedArrays& a, const std::string& k, std::size_t i) {
    return std::exp(a.at("latent_log_var_" + k).values[i]);
  };
  const NamedArrays a = forward();
  const std::size_t size = screen.design.n * 8;
  REQUIRE(a.at("latent_mean_2").values.size() == size);
  for (std::size_t i = 0; i < size; ++i) {
    const bool both = screen.design.measured[i / 8] == 3;
    const double r = variance(a, "0", i), p = variance(a, "1", i), joint = variance(a, "2", i);
    const double precision = 1 + 1 / r + (both ? 1 / p : 0);
    CHECK(std::abs(joint * precision - 1) < 1e-9);
    CHECK((both ? joint < std::min({r, p, 1.0}) : joint < std::min(r, 1.0)));
    const double mean = joint * (a.at("latent_mean_0").values[i] / r +
                                 (both ? a.at("latent_mean_1").values[i] / p : 0));
    CHECK(std::abs(a.at("latent_mean_2").values[i] - mean) < 1e-9);
    // The expert that is not there stands at the joint state.
    if (!both) CHECK(a.at("latent_mean_1").values[i] == a.at("latent_mean_2").values[i]);
  }
  // An expert that knows nothing is as good as none.
  Vector bias(16, 1e7);
  proteins::make_constant(model, "protein_encoder", bias);
  const NamedArrays vague = forward();
  for (std::size_t i = 0; i < size; ++i)
    CHECK(std::abs(variance(vague, "2", i) * (1 + 1 / variance(vague, "0", i)) - 1) < 1e-5);
}

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
    const Vector y = protein_columns(screen.x), prior = model.values().at("background_pro_alpha").values,
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
