/// What the checks of golden files losses*.h5 share: a group of such a file with its inputs, and
/// its results per precision ("f64", "f32").
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "golden_file.h"

namespace golden_losses {

using Vector = std::vector<double>;

constexpr double kDouble = 1e-9;  // computed by the reference in double precision
constexpr double kSingle = 1e-5;  // in single precision
constexpr double kSingleGradient = 5e-5;

/// Worst |ours - reference| / max(|reference|, floor), place by place; infinity where only one of
/// them is finite.
inline double worst_place(const Vector& ours, const Vector& reference, const Vector& floor) {
  const double inf = std::numeric_limits<double>::infinity();
  if (ours.size() != reference.size() || floor.size() != reference.size()) return inf;
  double worst = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (ours[i] == reference[i] || (std::isnan(ours[i]) && std::isnan(reference[i]))) continue;
    const double e = std::abs(ours[i] - reference[i]) / std::max(std::abs(reference[i]), floor[i]);
    worst = std::isfinite(e) ? std::max(worst, e) : inf;
  }
  return worst;
}

/// The values at the places where `keep` holds.
inline Vector where(const Vector& values, const std::vector<bool>& keep) {
  Vector out;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (keep[i]) out.push_back(values[i]);
  return out;
}

inline double mean(const Vector& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

class Group {
 public:
  /// `path` is where "f64" and "f32" are, for example "nb_grid".
  Group(const golden::File& file, std::string path, golden::Tally& tally)
      : file_(file), path_(std::move(path)), tally_(tally) {}

  golden::Array input(const std::string& name) const { return file_.read(path_ + "/" + name); }
  Vector values(const std::string& name) const { return input(name).values; }
  /// The precisions that the file has, with the tolerance of each.
  std::vector<std::pair<std::string, double>> precisions() const {
    std::vector<std::pair<std::string, double>> out;
    if (file_.is_group(path_ + "/f64")) out.emplace_back("f64", kDouble);
    if (file_.is_group(path_ + "/f32")) out.emplace_back("f32", kSingle);
    return out;
  }
  std::vector<std::string> names(const std::string& precision) const {
    return file_.children(path_ + "/" + precision);
  }
  bool has(const std::string& precision, const std::string& name) const {
    return file_.has(path_ + "/" + precision + "/" + name);
  }
  /// A result of the reference, which counts as compared from here on.
  Vector result(const std::string& precision, const std::string& name) {
    used_.insert(precision + "/" + name);
    return file_.read(path_ + "/" + precision + "/" + name).values;
  }

  void add(const std::string& precision, const std::string& item, double error, double tolerance) {
    tally_.add(path_ + " " + precision, file_.stem() + " " + item, error, tolerance);
  }
  /// Compares where the file has the result: each place relative to itself, or to `floor` where the
  /// reference is smaller.
  void each(const std::string& precision, const std::string& name, const Vector& ours,
            double tolerance, double floor = 1) {
    if (!has(precision, name)) return;
    const Vector reference = result(precision, name);
    add(precision, name, worst_place(ours, reference, Vector(reference.size(), floor)), tolerance);
  }
  /// The same, relative to the largest entry.
  void largest(const std::string& precision, const std::string& name, const Vector& ours,
               double tolerance) {
    if (!has(precision, name)) return;
    add(precision, name, golden::relative_error(ours, result(precision, name)), tolerance);
  }
  /// A result that was not compared is a failure: the file knows something that we do not check.
  void finish() {
    for (const auto& precision : precisions())
      for (const std::string& name : names(precision.first))
        if (used_.count(precision.first + "/" + name) == 0)
          add(precision.first, name + " was not compared", std::numeric_limits<double>::infinity(),
              0);
  }

 private:
  const golden::File& file_;
  std::string path_;
  golden::Tally& tally_;
  std::set<std::string> used_;
};

/// The number behind `word` in a name, as "9" in "mean_from_9" or 1.5 in "theta2_is_1p5_theta".
inline double number_after(const std::string& name, const std::string& word) {
  std::string text = name.substr(name.find(word) + word.size());
  std::replace(text.begin(), text.end(), 'p', '.');
  return std::stod(text);
}

// test_golden_losses_counts.cpp
void check_nb_grid(const golden::File& file, golden::Tally& tally);
void check_nb_matrix(const golden::File& file, golden::Tally& tally);
void check_nb_invalid(const golden::File& file, golden::Tally& tally);
void check_zinb_grid(const golden::File& file, golden::Tally& tally);
void check_nb_mixture(const golden::File& file, golden::Tally& tally);

}  // namespace golden_losses
