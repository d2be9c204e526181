// Likelihoods, divergences and classifier losses at the places that golden files do not reach.
// Expected values of the likelihoods are from 60-digit arithmetic of the formulas in the headers.
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "catch_compat.h"
#include "compert/cells.h"
#include "compert/class_losses.h"
#include "compert/divergences.h"
#include "compert/error.h"
#include "compert/inspect.h"
#include "compert/likelihoods.h"
#include "compert/mixtures.h"

namespace {

using Vector = std::vector<double>;

/// Relative to the expected value; what is below 1e-15 is round-off of differences of order 1.
void check_near(double ours, double expected, double tolerance) {
  INFO("expected " << expected << ", got " << ours);
  CHECK(std::abs(ours - expected) <= tolerance * std::abs(expected) + 1e-15);
}

/// Same without the allowance, where differences are taken as one.
void check_relative(double ours, double expected, double tolerance) {
  INFO("expected " << expected << ", got " << ours);
  CHECK(std::abs(ours - expected) <= tolerance * std::abs(expected));
}

double slope(const std::function<double(double)>& f, double x) {
  const double h = 1e-5;
  return (f(x + h) - f(x - h)) / (2 * h);
}

}  // namespace

TEST_CASE("log NB is exact from small to huge inverse dispersions", "[likelihoods]") {
  // y, mu, theta; log probability, derivatives by mu and theta
  const std::vector<Vector> rows = {
      {0, 2.5, 1e8, -2.49999996875, -0.9999999750000005, -3.124999920833335e-16},
      {3, 2.5, 1e8, -1.5428872753555898, 0.19999999020000025, 1.3749999716666672e-16},
      {3, 2.5, 1e12, -1.5428872616069649, 0.1999999951995, 1.3750000049966666e-24},
      {24, 20, 0.01, -7.833971837235459, 9.995002463770613e-05, 95.9170842968672},
      {25, 20, 0.01, -7.874877126911899, 0.00012493753085960144, 95.90875859718477},
      {1e4, 1.02e4, 1e8, -7.497694098689886, -0.019605843342195166, -1.4996447218043854e-12},
      {1e4, 0.5, 1e-3, -36.09455179058896, 39.91816207748181, -18955.512181640563},
      {0.3, 0.2, 50, -0.5775579895208406, 0.49800789332709366, 5.805708008295914e-05},
      {7.5, 3, 0.4, -3.81642923278282, 0.17647058673587085, 1.1000274607804443},
      {1, 1e-3, 1e-3, -7.601590601760179, 499.49250258748657, 499.8093503069901},
      {1500, 1200, 1e6, -39.246739103133486, 0.2497003595581111, -4.413435148924327e-08},
      {2, 0, 1, -36.84136150790473, 199999997.00000003, -0.4999999800000002}};
  for (const Vector& r : rows) {
    INFO("y " << r[0] << ", mu " << r[1] << ", theta " << r[2]);
    const compert::NbTerm t = compert::nb_log_prob(r[0], r[1], r[2]);
    check_relative(t.log_prob, r[3], 1e-11);
    check_relative(t.d_mu, r[4], 1e-12);
    check_relative(t.d_theta, r[5], 1e-7);
  }
}

TEST_CASE("log NB in the form of 2021", "[likelihoods]") {
  const std::vector<Vector> rows = {
      {0, 1, 1e-8, -1.7727533583392421e-07, -9.999999800000003e-09, -17.22753359339242},
      {3, 2.5, 1e-8, -18.826146020498772, 7.999999744000003e-10, 49999982.15617567},
      {3, 2.5, 1e8, -1.5428872753555893, 0.19999999020000025, 1.3749999416666678e-16},
      {1e4, 9e3, 5, -9.37019204824251, 6.169412054955756e-05, 0.09752583836241538},
      {0.3, 0.2, 50, -0.5775579894604195, 0.49800789332709366, 5.805707886609337e-05}};
  for (const Vector& r : rows) {
    INFO("y " << r[0] << ", mu " << r[1] << ", theta " << r[2]);
    const compert::NbTerm t = compert::nb_log_prob_2021(r[0], r[1], r[2]);
    check_relative(t.log_prob, r[3], 1e-11);
    check_near(t.d_mu, r[4], 1e-9);
    check_near(t.d_theta, r[5], 1e-9);
  }
}

TEST_CASE("log NB refuses what is not a likelihood and adds counts to zeros", "[likelihoods]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Vector> invalid = {{-1, 1, 1},  {1, -1, 1},  {1, 1, -1},
                                       {nan, 1, 1}, {1, nan, 1}, {1, 1, nan}};
  for (const Vector& r : invalid) {
    CHECK(std::isnan(compert::nb_log_prob(r[0], r[1], r[2]).log_prob));
    CHECK(std::isnan(compert::nb_log_prob(r[0], r[1], r[2]).d_theta));
    CHECK(std::isnan(compert::nb_log_prob_2021(r[0], r[1], r[2]).log_prob));
    CHECK(std::isnan(compert::zinb_log_prob(r[0], r[1], r[2], 0).log_prob));
  }
  for (const double y : {0.0, 1.0, 24.0, 25.0, 3.5, 5000.0})
    for (const double mu : {0.0, 1e-30, 0.3, 1e4})
      for (const double theta : {1e-200, 1e-3, 2.0, 1e6}) {
        INFO("y " << y << ", mu " << mu << ", theta " << theta);
        const auto zero = compert::nb_log_prob(0, mu, theta);
        const auto whole = compert::nb_log_prob(y, mu, theta);
        const auto count = compert::nb_count_term(y, mu, theta);
        CHECK(std::isfinite(count.log_prob));
        CHECK(zero.log_prob + count.log_prob == Approx(whole.log_prob).epsilon(1e-12));
        CHECK(zero.d_mu + count.d_mu == Approx(whole.d_mu).epsilon(1e-12));
        // Both ways of counting meet: just below and above the longest product.
        const double below = compert::nb_log_prob(24, mu, theta).log_prob;
        const double next = std::log((24 + theta) * (mu + 1e-8) / (theta + mu + 1e-8) / 25);
        CHECK(compert::nb_log_prob(25, mu, theta).log_prob == Approx(below + next).epsilon(1e-12));
      }
}

TEST_CASE("zero-inflated and mixed counts", "[likelihoods]") {
  const std::vector<Vector> zero_inflated = {
      {0, 2, 0.5, -3, -0.7477512615113984, -0.1799649886135516, -0.7283524292657485,
       0.052749180155375504},
      {0, 50, 1e8, 30, -9.357622968839737e-14, -1.8048730461847332e-35, -2.2560909326182288e-48,
       9.357622968839299e-14},
      {0, 1e-6, 2, -30, -9.999997449999921e-07, -0.9999994950001615, -1.274999141417035e-13,
       9.357625261456027e-20},
      {4, 2, 0.5, 2.5, -5.572865086196642, 0.19999999720000003, 0.9429430431468522,
       -0.9241418199787564},
      {1e3, 900, 1e8, -30, -9.73337015318326, 0.11111011110776545, -4.4999116652575273e-13,
       -9.357622968839299e-14}};
  for (const Vector& r : zero_inflated) {
    INFO("y " << r[0] << ", mu " << r[1] << ", theta " << r[2] << ", logit " << r[3]);
    const compert::ZinbTerm t = compert::zinb_log_prob(r[0], r[1], r[2], r[3]);
    check_near(t.log_prob, r[4], 1e-11);
    check_near(t.d_mu, r[5], 1e-11);
    check_near(t.d_theta, r[6], 1e-7);
    check_near(t.d_logit, r[7], 1e-11);
  }
  const std::vector<Vector> mixed = {
      {3, 2, 9, 0.5, 0.7, -1.5, -2.679706338812348, 0.01903278120068139, -0.03895330094807171,
       0.2012200397114792, 0.30519213632929953, 0.007902291816686035},
      {0, 2, 9, 1e8, 1e8, 30, -1.9999999800000936, -0.9999999800000002, -8.53305014299332e-17,
       -1.999999966666667e-16, -3.455885211915485e-31, 9.349089917928332e-14},
      {1e3, 900, 1100, 50, 50, -30, -6.1069353059857265, 5.139732678660386e-16,
       -0.003952569170285082, 3.84724250334907e-16, 0.005541809470927479, -5.68680087260975e-15},
      {20, 1e-3, 20, 2, 3, 0, -4.156614089324446, 1.26439147780988e-59, -6.521739124338374e-11,
       -4.6490157069012733e-63, 0.153931322956235, -0.5}};
  for (const Vector& r : mixed) {
    INFO("y " << r[0] << ", mu " << r[1] << " and " << r[2]);
    const compert::NbMixtureTerm t =
        compert::nb_mixture_log_prob(r[0], r[1], r[2], r[3], r[4], r[5]);
    check_near(t.log_prob, r[6], 1e-11);
    check_near(t.d_mu1, r[7], 1e-9);
    check_near(t.d_mu2, r[8], 1e-9);
    check_near(t.d_theta1, r[9], 1e-7);
    check_near(t.d_theta2, r[10], 1e-7);
    check_near(t.d_logit, r[11], 1e-9);
  }
}

TEST_CASE("divergences of Gaussians, products of experts, annealing", "[likelihoods]") {
  using compert::Gaussian;
  const Gaussian a{0.7, -1.2}, b{-0.4, 0.9};
  const compert::KlTerm t = compert::kl_divergence(a, b);
  const auto kl = [](Gaussian p, Gaussian q) { return compert::kl_divergence(p, q).value; };
  CHECK(kl(a, a) == Approx(0).margin(1e-15));
  CHECK(t.d_first.mean == Approx(slope([&](double x) { return kl({x, -1.2}, b); }, 0.7)));
  CHECK(t.d_first.log_variance == Approx(slope([&](double x) { return kl({0.7, x}, b); }, -1.2)));
  CHECK(t.d_second.mean == Approx(slope([&](double x) { return kl(a, {x, 0.9}); }, -0.4)));
  CHECK(t.d_second.log_variance == Approx(slope([&](double x) { return kl(a, {-0.4, x}); }, 0.9)));
  CHECK(compert::kl_to_standard(a).value == Approx(kl(a, {0, 0})));
  CHECK(compert::kl_to_standard(a).d_second.mean == 0);

  const compert::ExpertProduct alone = compert::product_of_experts({});
  CHECK(alone.joint.mean == 0);
  CHECK(alone.joint.log_variance == 0);
  const auto joint = [&](double m, double lv) {
    return compert::product_of_experts({{m, lv}, b, {2, -0.5}}).joint;
  };
  const compert::ExpertProduct three = compert::product_of_experts({a, b, {2, -0.5}});
  REQUIRE(three.weight.size() == 3);
  CHECK(three.weight[0] == Approx(slope([&](double x) { return joint(x, -1.2).mean; }, 0.7)));
  CHECK(three.weight[0] ==
        Approx(slope([&](double x) { return joint(0.7, x).log_variance; }, -1.2)));

  CHECK(compert::kl_annealing(0, 0, 0) == 1);
  CHECK(compert::kl_annealing(5, 100, 0.5) == Approx(0.1));
  CHECK(compert::kl_annealing(80, 100, 0.5) == 1);
  CHECK_THROWS_AS(compert::kl_annealing(1, 100, -0.5), compert::Error);
}

TEST_CASE("focal loss: gradient, sure guesses, wrong input", "[likelihoods]") {
  using compert::focal_loss;
  using compert::Reduction;
  const Vector logits = {0.3, -1.2, 2, 0.1, 0.1, -0.4}, weight = {0.5, 2, 1.25};
  const std::vector<int64_t> labels = {1, 0};
  for (const double gamma : {0.0, 0.5, 1.0, 2.0})
    for (const Reduction how : {Reduction::kMean, Reduction::kSum, Reduction::kWeightedMean}) {
      const compert::ClassLoss loss = focal_loss(logits, labels, weight, gamma, how);
      for (std::size_t k = 0; k < logits.size(); ++k) {
        const auto moved = [&](double x) {
          Vector other = logits;
          other[k] = x;
          return focal_loss(other, labels, weight, gamma, how).value;
        };
        CHECK(loss.gradient[k] == Approx(slope(moved, logits[k])).epsilon(1e-6));
      }
    }
  for (const double gamma : {0.0, 0.5, 2.0}) {
    const compert::ClassLoss sure = focal_loss({900, 0}, {0}, {}, gamma, Reduction::kMean);
    CHECK(sure.value == 0);
    CHECK(sure.gradient == Vector{0, 0});
    const compert::ClassLoss wrong = focal_loss({900, 0}, {1}, {}, gamma, Reduction::kMean);
    CHECK(wrong.value == Approx(900));
    CHECK(wrong.gradient[1] == Approx(-1));
  }
  CHECK_THROWS_AS(focal_loss(logits, {1, 3}, {}, 2, Reduction::kMean), compert::Error);
  CHECK_THROWS_AS(focal_loss(logits, {1, -1}, {}, 2, Reduction::kMean), compert::Error);
  CHECK_THROWS_AS(focal_loss(logits, {1, 0, 0, 0}, {}, 2, Reduction::kMean), compert::Error);
  CHECK_THROWS_AS(focal_loss(logits, labels, {1, 1}, 2, Reduction::kMean), compert::Error);
  CHECK_THROWS_AS(focal_loss({}, {}, {}, 2, Reduction::kMean), compert::Error);
}

TEST_CASE("counts with means of at least softplus(0) have the likelihood of other counts", "[likelihoods]") {
  compert::Architecture architecture;
  architecture.n_genes = 3;
  architecture.n_perturbations = 2;
  const std::vector<double> counts = {0, 3, 12, 1, 0, 40, 2, 7, 0};
  compert::Design design;
  design.n = 3;
  design.n_slots = 1;
  design.perturbation = {0, 1, 0};
  design.dose = {1, 1, 1};
  for (const std::string activation : {"linear", "ReLU"}) {
    compert::Settings settings = compert::settings_from_json(R"({"parity": "fb", "loss_ae": "nb", "device": "cpu"})");
    settings.precision = "float64";
    settings.decoder_activation = activation;
    compert::Model model(architecture, settings);
    const auto ours = compert::Inspector(model).forward(compert::DenseCells(counts.data(), 3, 3), design, false);
    const auto &mean = ours.at("reconstruction_means").values, &theta = ours.at("reconstruction_variances").values;
    double loss = 0;
    for (std::size_t i = 0; i < counts.size(); ++i)
      loss -= compert::nb_log_prob(counts[i], mean[i], theta[i]).log_prob / static_cast<double>(counts.size());
    INFO(activation);
    CHECK(ours.at("loss_reconstruction").values[0] == Approx(loss).epsilon(1e-12));
  }
}
