// A device that is not the processor gives the processor's numbers: fits, predictions and embeddings, of
// every kind of model. See torch_host_device.h for the device.
#include <cmath>
#include <iostream>

#include "catch_compat.h"
#include "compert/error.h"
#include "compert/model.h"
#include "protein_screen.h"
#include "quiet.h"
#include "torch_host_device.h"

namespace {

using compert::Settings;
using proteins::Screen;
using Vector = std::vector<double>;

double distance(const Vector& a, const Vector& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0, largest = 1e-300;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::isnan(a[i]) && std::isnan(b[i]) ? 0 : std::abs(a[i] - b[i]));
    largest = std::max(largest, std::abs(b[i]));
  }
  return worst / largest;
}

/// What a fit leaves behind, and what the model then says.
std::vector<Vector> outcome(const Screen& screen, const compert::Architecture& architecture,
                            Settings settings, const std::string& device) {
  settings.device = device;
  compert::Model model(architecture, settings);
  Quiet quiet;
  const compert::DenseCells cells = screen.cells();
  model.fit(cells, screen.design, screen.train, {}, "", quiet);
  std::vector<Vector> out(1);
  for (const compert::EpochRecord& r : model.history())
    out[0].insert(out[0].end(), {r.loss_reconstruction, r.loss_adv_perturbations, r.loss_adv_covariates,
                                 r.penalty_adv_perturbations, r.penalty_adv_covariates, r.loss_alignment,
                                 r.loss_counterfactual, r.loss_kl});
  for (const auto& [name, array] : model.values()) out.push_back(array.values);
  compert::Design target;
  target.n = 1;
  target.n_slots = target.n_covariates = 2;
  target.perturbation = {1, 2};
  target.dose = {1, 0.5};
  target.covariate = {1, 0};
  target.n_continuous = screen.design.n_continuous;
  target.continuous.assign(target.n_continuous, 0.7);
  const auto s = model.summarise(cells, screen.design, target, {screen.controls});
  for (const Vector& v : {s.mean, s.variance, s.variance_of_means, s.mean_difference, s.variance_shift})
    out.push_back(v);
  Vector mean(screen.controls.size() * proteins::kRows), variance(mean.size()),
      latent(screen.design.n * static_cast<std::size_t>(model.dim()));
  model.predict_cells(cells, screen.design, target, {screen.controls}, {}, mean.data(), variance.data());
  model.embed(cells, screen.design, {}, latent.data());
  out.insert(out.end(), {mean, variance, latent, model.dose_response({1, 2}, {0.3, 1})});
  return out;
}

void check_same(const Screen& screen, const compert::Architecture& architecture, const std::string& given) {
  CAPTURE(given);
  const Settings settings = compert::settings_from_json(
      R"({"precision": "float64", "threads": 1, "dim": 5, "autoencoder_width": 12, "autoencoder_depth": 2,
          "adversary_width": 9, "epochs": 4, "batch_size": 32, )" + given + "}");
  const auto cpu = outcome(screen, architecture, settings, "cpu"),
             device = outcome(screen, architecture, settings, "privateuseone");
  REQUIRE(cpu.size() == device.size());
  for (std::size_t k = 0; k < cpu.size(); ++k) {
    CAPTURE(k);
    CHECK(distance(device[k], cpu[k]) < 1e-7);
  }
}

compert::Architecture of_genes(const Screen& screen) {
  compert::Architecture a = screen.architecture();
  a.n_genes = a.n_rows();
  a.n_proteins = 0;
  return a;
}

}  // namespace

TEST_CASE("a device fits and predicts as the processor does", "[device]") {
  const Screen values(6, false, false), counts(6, true, true);
  const std::string adversaries = R"("reg_adversary": 2, "penalty_adversary": 1, "adversary_steps": 2, )";
  for (const char* doser : {"linear", "sigm", "logsigm", "mlp", "amortized"})
    check_same(values, of_genes(values), adversaries + R"("doser_type": ")" + doser + "\"");
  for (const char* loss : {"nb", "zinb"})
    check_same(counts, of_genes(counts), R"("loss_ae": ")" + std::string(loss) + "\"");
  check_same(values, of_genes(values), adversaries + R"("adversary_loss": "focal", "decoder_activation": "ReLU")");
  check_same(values, of_genes(values), adversaries + R"("adversary_loss": "cce", "encoder_norm": "layer", "decoder_norm": "layer")");
  check_same(values, of_genes(values), adversaries + R"("clip_grad_norm": 0.5, "mixup_alpha": 0.2,
             "adversary_loss": "cce", "reg_alignment": 0, "reg_counterfactual": 0)");
  check_same(values, of_genes(values), adversaries +
             R"("variational": true, "encoder_dropout": 0.1, "decoder_dropout": 0.1, "adversary_dropout": 0.1)");
  for (const char* parity : {"fb", "theislab"})
    check_same(values, of_genes(values), R"("loss_ae": "gauss", "parity": ")" + std::string(parity) + "\"");
}

TEST_CASE("a device gives every parameter its own rate", "[device]") {
  const Screen values(6, false, false);
  for (const char* frozen : {"", "encoder", "encoder,decoder", "encoder,decoder,covariates"})
    check_same(values, of_genes(values), R"("embeddings_lr": 0.02, "frozen": ")" + std::string(frozen) + "\"");
}

TEST_CASE("one thread asks the device that records", "[device]") {
  const Screen values(30, false, false);
  compert::Settings settings = compert::settings_from_json(
      R"({"device": "privateuseone", "threads": 2, "batch_size": 32, "epochs": 2, "reg_adversary": 1})");
  compert::Model model(of_genes(values), settings);
  Quiet quiet;
  host_device::take_counts();
  model.fit(values.cells(), values.design, values.train, {}, "", quiet);
  const host_device::Counts counts = host_device::take_counts();
  CHECK(counts.uploads > 10);
  CHECK(counts.strays == 0);
}

TEST_CASE("a device fits and predicts proteins as the processor does", "[device][proteins]") {
  const Screen values(6, false, false), counts(6, true, true);
  for (const char* fusion : {"concat", "poe"}) {
    const std::string model = R"("model": "multicpa", "variational": true, "fusion": ")" + std::string(fusion) + "\"";
    check_same(values, values.architecture(), model + R"(, "loss_ae": "gauss", "protein_loss": "gauss")");
    check_same(counts, counts.architecture(), model + R"(, "loss_ae": "nb", "protein_loss": "nb_mixture")");
  }
}

TEST_CASE("a device knows molecules as the processor does", "[device]") {
  const Screen values(6, false, false);
  compert::Architecture a = of_genes(values);
  a.n_features = 4;
  for (int k = 0; k < 12; ++k) a.features.push_back(std::sin(k));
  check_same(values, a, R"("model": "chemcpa", "reg_adversary": 1)");
  a.has_features = {0, 1, 1};
  check_same(values, a, R"("model": "chemcpa", "doser_type": "sigm")");
}

TEST_CASE("a device knows continuous covariates as the processor does", "[device]") {
  Screen values(16, false, false);
  values.design.n_continuous = 2;
  for (std::size_t i = 0; i < values.design.n; ++i) {
    values.design.continuous.insert(values.design.continuous.end(), {std::sin(i), static_cast<double>(i % 3) - 1});
    values.design.bin.push_back(static_cast<int32_t>(i % 3));
  }
  compert::Architecture a = of_genes(values);
  a.n_continuous = 2;
  host_device::take_counts();
  for (const char* curve : {"linear", "sigm", "mlp"})
    check_same(values, a, R"("epochs": 8, "continuous_doser": ")" + std::string(curve) + "\"");
  CHECK(host_device::take_counts().replays > 8);
}

TEST_CASE("a step asks nothing of a device and copies little to it", "[device]") {
  const Screen values(60, false, false), counts(60, true, true);
  const auto per_step = [](const Screen& screen, const compert::Architecture& architecture,
                           const std::string& given) {
    compert::Settings settings = compert::settings_from_json(
        R"({"device": "privateuseone", "batch_size": 64, "epochs": 1, )" + given + "}");
    host_device::Counts of[2];
    for (const std::size_t steps : {1, 4}) {  // before any is recorded
      compert::Model model(architecture, settings);
      Quiet quiet;
      std::vector<int64_t> train = screen.train;
      train.resize(64 * steps);
      host_device::take_counts();
      model.fit(screen.cells(), screen.design, train, {}, "", quiet);
      of[steps > 1] = host_device::take_counts();
    }
    std::cout << "a step with " << given << ": " << (of[1].kernels - of[0].kernels) / 3 << " kernels, "
              << (of[1].uploads - of[0].uploads) / 3.0 << " copies to the device" << std::endl;
    CHECK(of[1].downloads == of[0].downloads);
    return static_cast<double>(of[1].uploads - of[0].uploads) / 3;
  };
  // The batch, the draw of other conditions, the optimisers' rates.
  CHECK(per_step(values, of_genes(values), R"("loss_ae": "gauss")") == 3);
  CHECK(per_step(values, of_genes(values), R"("loss_ae": "gauss", "parity": "fb")") == 2);
  CHECK(per_step(values, of_genes(values), R"("parity": "chemcpa_v2")") == 2);
  // And random numbers, as long as it is not known which.
  CHECK(per_step(counts, of_genes(counts), R"("loss_ae": "nb", "parity": "theislab")") < 12);
  CHECK(per_step(counts, counts.architecture(), R"("model": "multicpa", "fusion": "poe", "variational": true,
        "loss_ae": "nb", "protein_loss": "nb_mixture")") < 12);
}

TEST_CASE("a device multiplies bfloat16 where asked to", "[device]") {
  const Screen values(16, false, false);
  const auto losses = [&](const std::string& precision) {
    return outcome(values, of_genes(values),
                   compert::settings_from_json(
                       R"({"dim": 5, "autoencoder_width": 12, "epochs": 8, "batch_size": 32, "reg_adversary": 1,
                           "penalty_adversary": 1, "precision": ")" + precision + "\"}"),
                   "privateuseone")[0];
  };
  const Vector single = losses("float32"), mixed = losses("bf16-mixed");
  CHECK(distance(mixed, single) > 1e-6);
  CHECK(distance(mixed, single) < 0.05);
}

TEST_CASE("steps that return are recorded, and do the same", "[device]") {
  const Screen values(16, false, false), counts(16, true, true);
  const std::string many = R"("epochs": 16, )",
                    adversaries = many + R"("reg_adversary": 2, "penalty_adversary": 1, "adversary_steps": 2)";
  const auto replays = [](const Screen& screen, const compert::Architecture& a, const std::string& settings) {
    host_device::take_counts();
    check_same(screen, a, settings);
    return host_device::take_counts().replays;
  };
  const int64_t steps = 16 * 4;
  // Without draws all batches but the first ones and the last of an epoch look alike.
  CHECK(replays(values, of_genes(values), adversaries + R"(, "reg_counterfactual": 0)") > steps / 2);
  CHECK(replays(values, of_genes(values), adversaries) > steps / 4);
  CHECK(replays(counts, of_genes(counts), adversaries + R"(, "loss_ae": "nb", "doser_type": "mlp")") > steps / 4);
  CHECK(replays(values, of_genes(values), adversaries + R"(, "clip_grad_norm": 0.5, "embeddings_lr": 0.01)") > steps / 4);
  CHECK(replays(values, of_genes(values), many + R"("loss_ae": "gauss", "parity": "fb")") > steps / 2);
  // A weight that warms up is another one at every step.
  CHECK(replays(values, of_genes(values), adversaries + R"(, "adversary_warmup_epochs": 12)") > 0);
  // Random numbers are drawn before.
  CHECK(replays(values, of_genes(values),
                adversaries + R"(, "variational": true, "encoder_dropout": 0.1, "adversary_dropout": 0.2)") > steps / 4);
  CHECK(replays(counts, counts.architecture(),
                adversaries + R"(, "model": "multicpa", "fusion": "poe", "variational": true,
                                   "loss_ae": "nb", "protein_loss": "nb_mixture")") > steps / 8);
}

TEST_CASE("recordings of a warm-up make room for those of the steps after it", "[device]") {
  const Screen values(60, false, false);
  const auto replays = [&](int64_t epochs) {
    host_device::take_counts();
    outcome(values, of_genes(values),
            compert::settings_from_json(R"({"threads": 1, "dim": 5, "autoencoder_width": 12, "batch_size": 32,
                "reg_adversary": 1, "adversary_steps": 2, "reg_counterfactual": 0, "adversary_warmup_epochs": 24,
                "epochs": )" + std::to_string(epochs) + "}"), "privateuseone");
    return host_device::take_counts().replays;
  };
  const auto per_epoch = static_cast<int64_t>(values.train.size() / 32);  // beside the shorter last one
  CHECK(replays(54) - replays(34) > 20 * (per_epoch - 1));
}

TEST_CASE("a device that is not there is an error", "[device]") {
  const Screen screen(2);
  Settings settings;
  settings.device = "cuda:91";
  CHECK_THROWS_AS(compert::Model(screen.architecture(), settings), compert::Error);
}
