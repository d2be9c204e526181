// Training on RNA and proteins: cells that lack one of them, every pair of parts, what is recovered.
#include "catch_compat.h"
#include "compert/error.h"
#include "compert/inspect.h"
#include "protein_screen.h"

namespace {

using compert::kProteins;
using compert::kRna;
using compert::Model;
using proteins::kGenes;
using proteins::kRows;
using proteins::Screen;
using proteins::Vector;
constexpr std::size_t kEndOfRow = kRows;

bool finite(const Vector& v) {
  return std::all_of(v.begin(), v.end(), [](double x) { return std::isfinite(x); });
}

void check_close(const Vector& a, const Vector& b, double tolerance) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    CHECK(std::abs(a[i] - b[i]) <= tolerance * std::max(1.0, std::abs(b[i])));
}

/// The cells of a screen without their proteins.
struct RnaOnly {
  Vector x;
  explicit RnaOnly(const Screen& screen) {
    for (std::size_t i = 0; i < screen.x.size(); ++i)
      if (i % kRows < kGenes) x.push_back(screen.x[i]);
  }
  compert::DenseCells cells() const { return {x.data(), kGenes, x.size() / kGenes}; }
};

/// r2 of log(1 + mean) of some rows of the held-out condition.
struct Scores {
  double genes, proteins;
};
Scores score(const Vector& truth, const Vector& prediction) {
  Vector t = truth, p = prediction;
  for (Vector* v : {&t, &p})
    for (double& value : *v) value = std::log1p(std::max(value, 0.0));
  return {compert::r2(t.data(), p.data(), kGenes),
          compert::r2(t.data() + kGenes, p.data() + kGenes, kEndOfRow - kGenes)};
}

}  // namespace

TEST_CASE("what was not measured changes neither training nor prediction", "[proteins]") {
  for (const uint8_t hidden : {kProteins, kRna})
    for (const char* loss : {R"("loss_ae": "nb")", R"("loss_ae": "gauss", "protein_loss": "gauss")"}) {
      Screen screen(12);
      screen.hide(hidden);
      Screen spoiled = screen;
      spoiled.spoil();
      const std::string settings = std::string(R"("fusion": "poe", )") + loss;
      const Model model = proteins::fitted(screen, settings), other = proteins::fitted(spoiled, settings);
      const auto values = other.values();
      for (const auto& [name, array] : model.values()) {
        INFO(name);
        CHECK(finite(array.values));
        CHECK(array.values == values.at(name).values);
      }
      const auto a = model.summarise(screen.cells(), screen.design, screen.target(), {screen.controls}),
                 b = model.summarise(spoiled.cells(), screen.design, screen.target(), {screen.controls});
      CHECK(finite(a.mean));
      CHECK(a.mean == b.mean);
      CHECK(a.mean_difference == b.mean_difference);
      CHECK(a.variance_difference == b.variance_difference);
    }
}

TEST_CASE("the validation's scores ignore what was not measured, too", "[proteins]") {
  Screen screen(12);
  screen.hide(kProteins);
  Screen spoiled = screen;
  spoiled.spoil();
  std::vector<compert::EpochRecord> last;
  for (const Screen* each : {&screen, &spoiled}) {
    Model model(screen.architecture(), proteins::settings(R"("fusion": "poe", "checkpoint_freq": 1)"));
    Quiet quiet;
    model.fit(each->cells(), screen.design, screen.train, screen.plan(), "", quiet);
    last.push_back(model.history().back());
  }
  CHECK(std::isfinite(last[0].r2_mean_protein));
  CHECK(last[0].r2_mean == last[1].r2_mean);
  CHECK(last[0].r2_mean_protein == last[1].r2_mean_protein);
  CHECK(last[0].r2_var_protein == last[1].r2_var_protein);
}

TEST_CASE("one encoder of both needs both", "[proteins]") {
  Screen screen(6);
  screen.hide(kProteins);
  CHECK_THROWS_WITH(proteins::fitted(screen, R"("fusion": "concat")"),
                    StartsWith("`fusion` must be \"poe\""));
  Screen whole(6);
  const Model model = proteins::fitted(whole, R"("fusion": "concat")");
  Vector out(screen.design.n * 8);
  CHECK_THROWS_AS(model.embed(whole.cells(), screen.design, {}, out.data()), compert::Error);
  CHECK_THROWS_AS(proteins::fitted(screen, R"("fusion": "poe", "mixup_alpha": 0.3,
                                            "reg_alignment": 0, "reg_counterfactual": 0)"),
                  compert::Error);
}

TEST_CASE("batches in which hardly a cell has one of them train", "[proteins]") {
  for (const uint8_t rare : {kProteins, kRna})
    for (const std::size_t n : {1, 2, 3}) {
      Screen screen(8);
      screen.design.measured.assign(screen.design.n, static_cast<uint8_t>(kRna + kProteins - rare));
      for (std::size_t i = 0; i < n; ++i) screen.design.measured[20 * i] = kRna + kProteins;
      INFO(int(rare) << " in " << n);
      const Model model = proteins::fitted(screen, R"("fusion": "poe", "batch_size": 4)");
      REQUIRE(model.epochs_done() == 3);
      CHECK(std::isfinite(model.history().back().loss_reconstruction));
      CHECK(finite(proteins::predicted(model, screen)));
    }
  Screen none(6);
  none.design.measured.assign(none.design.n, kRna);
  CHECK_THROWS_AS(proteins::fitted(none, R"("fusion": "poe")"), compert::Error);
}

TEST_CASE("a saved model predicts the same to the bit", "[proteins]") {
  Screen screen(8);
  for (const char* more : {R"("fusion": "concat")", R"("fusion": "poe")",
                           R"("fusion": "poe", "protein_loss": "gauss")"}) {
    const Model model = proteins::fitted(screen, more), again = Model::from_state(model.state("{}"));
    const Model third = Model::from_state(again.state("{}"));
    const auto values = again.values();
    for (const auto& [name, array] : model.values()) CHECK(array.values == values.at(name).values);
    CHECK(model.values().size() == values.size());
    CHECK(again.architecture().n_genes == static_cast<int64_t>(kGenes));
    CHECK(again.architecture().n_proteins == static_cast<int64_t>(kRows - kGenes));
    CHECK(proteins::predicted(again, screen) == proteins::predicted(third, screen));
    // A model that was just trained multiplies matrices as its data are stored.
    check_close(proteins::predicted(again, screen), proteins::predicted(model, screen), 1e-5);
    CHECK(again.history().back().loss_proteins == model.history().back().loss_proteins);
    const bool mixture = again.settings().protein_loss == "nb_mixture";
    CHECK(values.count("background_pro_log_beta") == (mixture ? 1 : 0));
  }
}

TEST_CASE("RNA alone is facebookresearch/CPA's model", "[proteins]") {
  const Screen screen(8, false);
  const RnaOnly rna(screen);
  compert::Architecture sizes = screen.architecture();
  sizes.n_proteins = 0;
  Quiet quiet;
  Model own(sizes, proteins::settings(R"("loss_ae": "gauss")"));
  own.fit(rna.cells(), screen.design, screen.train, {}, "", quiet);
  CHECK(own.epochs_done() == 3);
  const auto s = own.summarise(rna.cells(), screen.design, screen.target(), {screen.controls});
  CHECK(s.mean.size() == kGenes);
  CHECK(finite(s.mean));
  CHECK_THROWS_AS(own.proteins(rna.cells(), screen.design, screen.all), compert::Error);
  // The same arithmetic from the same weights.
  const std::string same = R"("loss_ae": "gauss", "variational": false, "doser_type": "sigm",
                              "autoencoder_depth": 2, "adversary_depth": 2, "precision": "float64")";
  Model fb(sizes, proteins::settings(same + R"(, "parity": "fb", "model": "cpa")"));
  Model multi(sizes, proteins::settings(same + R"(, "parity": "multicpa")"));
  multi.set_values(fb.values());
  const auto a = compert::Inspector(fb).forward(rna.cells(), screen.design, false),
             b = compert::Inspector(multi).forward(rna.cells(), screen.design, false);
  for (const auto& [name, array] : a) {
    INFO(name);
    check_close(array.values, b.at(name).values, 1e-12);
  }
}

TEST_CASE("every pair of parts trains and predicts", "[proteins]") {
  const std::string alone = R"(, "reg_alignment": 0, "reg_counterfactual": 0)";
  std::vector<std::string> parts = {R"("doser_type": "sigm")", R"("doser_type": "mlp", "dosers_width": 8)",
                                    R"("mixup_alpha": 0.3)" + alone, R"("reg_adversary": 1, "adversary_steps": 2)",
                                    R"("reg_adversary": 1, "adversary_steps": 0, "adversary_loss": "cce")",
                                    R"("autoencoder_depth": 2, "decoder_dropout": 0.1)", "molecules"};
  for (const std::string genes : {"gauss", "nb", "zinb"})
    for (const std::string second : {"nb_mixture", "nb", "gauss"})
      parts.push_back(R"("loss_ae": ")" + genes + R"(", "protein_loss": ")" + second + "\"");
  compert::Decoding corrected;
  corrected.composition.without = {1};  // the batch
  for (const std::string fusion : {"concat", "poe"})
    for (const std::string& part : parts) {
      INFO(fusion << ", " << part);
      const auto has = [&part](const char* text) { return part.find(text) != std::string::npos; };
      const Screen screen(15, !has(R"("loss_ae": "gauss")"), !has(R"("protein_loss": "gauss")"));
      compert::Architecture sizes = screen.architecture();
      const bool molecules = part == "molecules";
      if (molecules) {
        sizes.n_features = 4;
        sizes.features = {0, 0, 0, 0, 1, 0, 1, 0, 0, 1, -1, 1};
        sizes.has_features = {1, 1, 1};
      }
      Model model(sizes, proteins::settings("\"fusion\": \"" + fusion + "\", \"epochs\": 16, \"batch_size\": 24, \"kl_annealing_frac\": 0, " +
                                            (molecules ? R"("embedding_encoder_depth": 1, "embedding_encoder_width": 6)"
                                                       : part)));
      Quiet quiet;
      const auto result = model.fit(screen.cells(), screen.design, screen.train, {}, "", quiet);
      INFO(result.message);
      REQUIRE(result.stopped == compert::Stopped::kEpochs);
      const auto &first = model.history().front(), &last = model.history().back();
      CHECK(last.loss_reconstruction < first.loss_reconstruction);
      CHECK(std::isfinite(last.loss_proteins));
      CHECK(std::isfinite(last.loss_kl));
      CHECK(std::isfinite(last.loss_adv_perturbations) == has("reg_adversary"));
      CHECK(std::isfinite(last.loss_kl_background) == (model.settings().protein_loss == "nb_mixture"));
      const auto s = model.summarise(screen.cells(), screen.design, screen.target(), {screen.controls}),
                 t = model.summarise(screen.cells(), screen.design, screen.target(), {screen.controls},
                                     corrected);
      for (const Vector* v : {&s.mean, &s.variance, &s.mean_difference, &t.mean}) {
        CHECK(v->size() == kRows);
        CHECK(finite(*v));
      }
      CHECK(Vector(s.mean.begin() + kGenes, s.mean.end()) != Vector(t.mean.begin() + kGenes, t.mean.end()));
      for (const double v : s.variance) CHECK(v > 0);
    }
}

TEST_CASE("held-out combinations of a planted screen are recovered in both modalities", "[proteins]") {
  const Screen screen(60);
  const Vector truth = compert::stats_of(screen.cells(), screen.held_out).mean;
  const Scores others = score(truth, compert::stats_of(screen.cells(), screen.train).mean);
  Scores of[2], hidden[2];
  for (const int poe : {0, 1}) {
    const Model model = proteins::fitted(screen, poe ? R"("epochs": 80, "batch_size": 64, "fusion": "poe")"
                                                     : R"("epochs": 80, "batch_size": 64)");
    of[poe] = score(truth, proteins::predicted(model, screen));
    // Without the controls' proteins: not measured for the product of experts, 0 for the other.
    Screen rna = screen;
    for (std::size_t i = 0; i < rna.x.size(); ++i)
      if (i % kRows >= kGenes) rna.x[i] = 0;
    if (poe) rna.design.measured.assign(rna.design.n, kRna);
    hidden[poe] = score(truth, proteins::predicted(model, rna));
  }
  INFO("others " << others.genes << " " << others.proteins << "; concat " << of[0].genes << " "
                 << of[0].proteins << "; poe " << of[1].genes << " " << of[1].proteins
                 << "; hidden " << hidden[0].proteins << " " << hidden[1].proteins);
  for (const Scores& s : of) {
    CHECK(s.genes > 0.5);
    CHECK(s.proteins > 0.5);
    CHECK(s.genes > others.genes);
    CHECK(s.proteins > others.proteins);
  }
  CHECK(std::abs(of[0].genes - of[1].genes) < 0.3);
  CHECK(std::abs(of[0].proteins - of[1].proteins) < 0.3);
  CHECK(hidden[1].proteins > 0.3);
  CHECK(of[1].proteins - hidden[1].proteins < of[0].proteins - hidden[0].proteins);
}
