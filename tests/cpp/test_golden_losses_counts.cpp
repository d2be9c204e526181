// Agreement of the count likelihoods with golden files losses*.h5. `fb_`, `chem_`, `multi_`,
// `scvi_` name the reference that computed a result.
#include <functional>

#include "compert/likelihoods.h"
#include "compert/mixtures.h"
#include "golden_losses.h"
#include "sweep_elements.h"

namespace golden_losses {
namespace {

using compert::NbTerm;
using Form = NbTerm (*)(double, double, double);

constexpr double kLargeTheta = 1e3;  // above it the references lose digits in their gamma functions
constexpr double kLargeAbsolute = 1e-6;

struct Reference {
  std::string name;
  double sign;  // -1: a loss
  Form form;
};
const std::vector<Reference>& references() {
  static const std::vector<Reference> all = {{"fb_NBLoss", -1, compert::nb_log_prob},
                                             {"chem_NBLoss", -1, compert::nb_log_prob_2021},
                                             {"multi_NB", -1, compert::nb_log_prob_2021},
                                             {"scvi_log_nb_positive", 1, compert::nb_log_prob}};
  return all;
}

/// Sum of the magnitudes of the terms of log NB, which its arithmetic adds up.
double size_of_terms(double y, double mu, double theta) {
  const auto log_size = [](double factor, double v) {
    return factor == 0 ? 0 : factor * std::abs(std::log(v + 1e-8));
  };
  return std::abs(std::lgamma(y + theta)) + std::abs(std::lgamma(theta)) + std::lgamma(y + 1) +
         log_size(theta, theta) + log_size(y, mu) + log_size(y + theta, theta + mu);
}

struct Counts {
  Vector y, mu, theta;
  std::vector<bool> small, large;  // theta
  std::vector<bool> single;        // terms of which single precision keeps 1e-5

  Counts(const Group& group, const std::string& mu_name)
      : y(group.values("y")), mu(group.values(mu_name)), theta(group.values("theta")) {
    for (std::size_t i = 0; i < y.size(); ++i) {
      small.push_back(theta[i] <= kLargeTheta);
      large.push_back(theta[i] > kLargeTheta);
      single.push_back(size_of_terms(y[i], mu[i], theta[i]) < 100);
    }
  }
  std::size_t size() const { return y.size(); }
};

/// value(i) at every place.
Vector at_every(std::size_t n, const std::function<double(std::size_t)>& value) {
  Vector out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = value(i);
  return out;
}

/// For derivatives, the largest term that automatic differentiation adds and takes away again.
Vector by_mu(const Counts& in, const Vector& mu) {
  return at_every(in.size(), [&](std::size_t i) { return in.y[i] / (mu[i] + 1e-8); });
}
Vector by_theta(const Counts& in) {
  return at_every(in.size(), [&](std::size_t i) { return (1 + in.y[i]) / (in.theta[i] + 1e-8); });
}

/// Each place relative to itself, but not closer than 1 and four units in the last place of `terms`
/// (none for values): 1e-9 where theta is small, 1e-5 in single precision where that can keep it.
/// At large theta, in double precision, an absolute 1e-6 that grows as the references' lgamma does.
void compare(Group& group, const std::string& precision, const std::string& name, const Counts& in,
             const Vector& ours, const Vector& terms) {
  if (!group.has(precision, name)) return;
  const Vector reference = group.result(precision, name);
  const bool is_single = precision == "f32";
  const double tolerance = is_single ? kSingle : kDouble;
  const double units = 4 * (is_single ? std::numeric_limits<float>::epsilon()
                                      : std::numeric_limits<double>::epsilon());
  const Vector floor = at_every(in.size(), [&](std::size_t i) {
    return terms.empty() ? 1 : std::max(1.0, units / tolerance * terms[i]);
  });
  const std::vector<bool>& keep = is_single ? in.single : in.small;
  group.add(precision, name,
            worst_place(where(ours, keep), where(reference, keep), where(floor, keep)), tolerance);
  if (is_single) return;
  double worst = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (!in.large[i]) continue;
    const double scale = std::max(1.0, in.theta[i] / 1e8) *
                         (terms.empty() ? 1 : std::max(1.0, std::abs(reference[i])));
    worst = std::max(worst, std::abs(ours[i] - reference[i]) / scale);
  }
  group.add("f64 large theta", name, worst, kLargeAbsolute);
}

double worst_distance(const Vector& a, const Vector& b) {
  return worst_place(a, b, Vector(a.size(), 1e300)) * 1e300;
}

/// The references' own distance from the exact values at large theta must exceed ours.
void compare_with_exact(Group& group, const Counts& in, const Vector& ours, const Vector& exact,
                        const std::string& precision) {
  const Vector our_part = where(ours, in.large), exact_part = where(exact, in.large);
  for (const Reference& r : references()) {
    if (exact_part.empty() || !group.has(precision, r.name)) continue;
    Vector theirs = where(group.result(precision, r.name), in.large);
    for (double& v : theirs) v *= r.sign;
    group.add(precision + " error / reference's", r.name,
              worst_distance(our_part, exact_part) / worst_distance(theirs, exact_part), 1);
  }
}

/// The sweep of training in single precision against the exact values, relative to the largest term
/// of the formula: that is what its sums in single precision can keep.
void check_single_sweep(Group& group, const Counts& in, const Vector& exact) {
  std::vector<bool> keep;
  for (std::size_t i = 0; i < in.size(); ++i)
    keep.push_back(std::min(in.mu[i], in.theta[i]) > sweep::kReachable);
  const Vector y = where(in.y, keep), mu = where(in.mu, keep), theta = where(in.theta, keep);
  const sweep::Elements e = sweep::elements<float>(sweep::Family::kNegativeBinomial, y, mu, theta);
  Vector log_prob, d_mu, d_theta, of_value, of_mu, of_theta;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const NbTerm t = compert::nb_log_prob(y[i], mu[i], theta[i]);
    const double total = theta[i] + mu[i], log_share = std::log1p(mu[i] / theta[i]);
    log_prob.push_back(-e.loss[i]);
    d_mu.push_back(-t.d_mu);
    d_theta.push_back(-t.d_theta);
    of_value.push_back(theta[i] * log_share + mu[i] * std::abs(t.d_mu) +
                       theta[i] * std::abs(t.d_theta));
    of_mu.push_back(y[i] / mu[i] + (theta[i] + y[i]) / total);
    of_theta.push_back(log_share + (mu[i] + y[i]) / total +
                       compert::log_gamma_ratio(y[i], theta[i]).d_theta);
  }
  group.add("f32 sweep", "value", worst_place(log_prob, where(exact, keep), of_value), kSingle);
  group.add("f32 sweep", "d_mu", worst_place(e.d_first, d_mu, of_mu), kSingle);
  group.add("f32 sweep", "d_theta", worst_place(e.d_second, d_theta, of_theta), kSingle);
  Vector ours = exact;  // where the sweep cannot go, nothing is claimed
  for (std::size_t i = 0, k = 0; i < in.size(); ++i)
    if (keep[i]) ours[i] = log_prob[k++];
  compare_with_exact(group, in, ours, exact, "f32");
}

}  // namespace

void check_nb_grid(const golden::File& file, golden::Tally& tally) {
  Group group(file, "nb_grid", tally);
  const Counts in(group, "mu");
  const Vector exact = group.values("exact_log_nb");
  const auto term = [&](const Reference& r, std::size_t i) {
    return r.form(in.y[i], in.mu[i], in.theta[i]);
  };
  const Vector ours =
      at_every(in.size(), [&](std::size_t i) { return term(references()[0], i).log_prob; });
  group.add("exact", "every theta", worst_place(ours, exact, Vector(in.size(), 0)), kDouble);
  for (const auto& precision : group.precisions()) {
    for (const Reference& r : references()) {
      const auto all = [&](double NbTerm::*member) {
        return at_every(in.size(), [&](std::size_t i) { return r.sign * (term(r, i).*member); });
      };
      compare(group, precision.first, r.name, in, all(&NbTerm::log_prob), {});
      compare(group, precision.first, r.name + "_dmu", in, all(&NbTerm::d_mu), by_mu(in, in.mu));
      compare(group, precision.first, r.name + "_dtheta", in, all(&NbTerm::d_theta), by_theta(in));
    }
  }
  compare_with_exact(group, in, ours, exact, "f64");
  check_single_sweep(group, in, exact);
  group.finish();
}

void check_nb_matrix(const golden::File& file, golden::Tally& tally) {
  Group group(file, "nb_matrix", tally);
  const golden::Array y = group.input("y");
  const Vector mu = group.values("mu"), theta = group.values("theta");
  const Vector theta1d = group.values("theta1d");
  // scvi-tools' distribution and one loss of facebookresearch/CPA have one theta per column.
  Vector log_prob, loss, loss_2021, loss_1d, variance, row_sums(y.rows());
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double column_theta = theta1d[i % y.cols()];
    loss.push_back(-compert::nb_log_prob(y.values[i], mu[i], theta[i]).log_prob);
    loss_2021.push_back(-compert::nb_log_prob_2021(y.values[i], mu[i], theta[i]).log_prob);
    log_prob.push_back(compert::nb_log_prob(y.values[i], mu[i], column_theta).log_prob);
    loss_1d.push_back(-log_prob.back());
    variance.push_back(compert::nb_variance(mu[i], column_theta));
    row_sums[i / y.cols()] += loss_2021.back();
  }
  for (const auto& [precision, tolerance] : group.precisions()) {
    group.each(precision, "fb_NBLoss", {mean(loss)}, tolerance);
    group.each(precision, "fb_NBLoss_theta1d", {mean(loss_1d)}, tolerance);
    group.each(precision, "chem_NBLoss", {mean(loss_2021)}, tolerance);
    group.each(precision, "multi_NB_mean", {mean(loss_2021)}, tolerance);
    group.each(precision, "multi_NB_sum", row_sums, tolerance);
    group.each(precision, "scvi_nb", log_prob, tolerance);
    group.each(precision, "scvi_nb_mean", mu, tolerance);
    group.each(precision, "scvi_nb_variance", variance, tolerance);
  }
  group.finish();
}

// A negative mean or dispersion: the references turn the NaN of their logarithm into an infinite
// loss (facebookresearch/CPA, by a slip of sign, into minus infinity, which training would seek).
// Ours stays NaN, so that training stops and names the batch.
void check_nb_invalid(const golden::File& file, golden::Tally& tally) {
  Group group(file, "nb_invalid", tally);
  const Vector y = group.values("y"), mu = group.values("mu"), theta = group.values("theta");
  for (const auto& [precision, tolerance] : group.precisions()) {
    for (const Reference& r : references()) {
      if (!group.has(precision, r.name)) continue;
      const Vector reference = group.result(precision, r.name);
      Vector ours, expected;
      for (std::size_t i = 0; i < y.size(); ++i) {
        const bool valid = y[i] >= 0 && mu[i] >= 0 && theta[i] >= 0;
        ours.push_back(r.sign * r.form(y[i], mu[i], theta[i]).log_prob);
        expected.push_back(valid || !std::isinf(reference[i])
                               ? reference[i]
                               : std::numeric_limits<double>::quiet_NaN());
      }
      group.add(precision, r.name, worst_place(ours, expected, Vector(y.size(), 1)), tolerance);
    }
  }
  group.finish();
}

void check_zinb_grid(const golden::File& file, golden::Tally& tally) {
  Group group(file, "zinb_grid", tally);
  const Counts in(group, "mu");
  const Vector logit = group.values("pi_logits");
  std::vector<compert::ZinbTerm> terms;
  for (std::size_t i = 0; i < in.size(); ++i)
    terms.push_back(compert::zinb_log_prob(in.y[i], in.mu[i], in.theta[i], logit[i]));
  const auto all = [&](double compert::ZinbTerm::*member) {
    return at_every(in.size(), [&](std::size_t i) { return terms[i].*member; });
  };
  for (const auto& [precision, tolerance] : group.precisions()) {
    compare(group, precision, "log_prob", in, all(&compert::ZinbTerm::log_prob), {});
    compare(group, precision, "dmu", in, all(&compert::ZinbTerm::d_mu), by_mu(in, in.mu));
    compare(group, precision, "dtheta", in, all(&compert::ZinbTerm::d_theta), by_theta(in));
    compare(group, precision, "dpi", in, all(&compert::ZinbTerm::d_logit), {});
    group.each(
        precision, "mean",
        at_every(in.size(), [&](std::size_t i) { return compert::zinb_mean(in.mu[i], logit[i]); }),
        tolerance);
  }
  group.finish();
}

void check_nb_mixture(const golden::File& file, golden::Tally& tally) {
  using Term = compert::NbMixtureTerm;
  Group group(file, "nb_mixture", tally);
  const Counts in(group, "mu1");
  const Vector mu2 = group.values("mu2"), logit = group.values("pi_logits");
  /// sign * member of every place, with theta of the second part given as a multiple of the first.
  const auto all = [&](double sign, double Term::*member, double ratio) {
    return at_every(in.size(), [&](std::size_t i) {
      return sign * (compert::nb_mixture_log_prob(in.y[i], in.mu[i], mu2[i], in.theta[i],
                                                  ratio * in.theta[i], logit[i]).*
                     member);
    });
  };
  Vector d_theta = all(-1, &Term::d_theta1, 1);
  const Vector loss = all(-1, &Term::log_prob, 1), second = all(-1, &Term::d_theta2, 1);
  for (std::size_t i = 0; i < in.size(); ++i) d_theta[i] += second[i];
  for (const auto& [precision, tolerance] : group.precisions()) {
    for (const std::string& name : group.names(precision)) {
      if (name.find("scvi_log_mixture_nb") != 0) continue;
      const bool own = name.find("theta2_is_") != std::string::npos;
      const double ratio = own ? number_after(name, "theta2_is_") : 1;
      compare(group, precision, name, in, all(1, &Term::log_prob, ratio), {});
    }
    compare(group, precision, "multi_NBMixture", in, loss, {});
    // In single precision the reference's mean holds its errors at large theta: ours must be nearer
    // to the mean in double precision.
    if (precision == "f64") {
      group.each(precision, "multi_NBMixture_mean", {mean(loss)}, tolerance);
    } else if (group.has(precision, "multi_NBMixture_mean")) {
      const double theirs = group.result(precision, "multi_NBMixture_mean").at(0);
      const double truth = group.result("f64", "multi_NBMixture_mean").at(0);
      group.add("f32 error / reference's", "multi_NBMixture_mean",
                std::abs(mean(loss) - truth) / std::abs(theirs - truth), 1);
    }
    compare(group, precision, "dmu1", in, all(-1, &Term::d_mu1, 1), by_mu(in, in.mu));
    compare(group, precision, "dmu2", in, all(-1, &Term::d_mu2, 1), by_mu(in, mu2));
    compare(group, precision, "dtheta", in, d_theta, by_theta(in));
    compare(group, precision, "dpi", in, all(-1, &Term::d_logit, 1), {});
  }
  group.finish();
}

}  // namespace golden_losses
