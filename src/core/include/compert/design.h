#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace compert {

constexpr uint8_t kRna = 1, kProteins = 2;

/// The coded design: for each of `n` rows (cells or conditions) up to `n_slots` perturbations with
/// their doses, and one level per covariate. Codes are 0-based. An empty slot has perturbation -1
/// and dose 0. Row-major: slot m of row i is at `i * n_slots + m`, covariate k at
/// `i * n_covariates + k`. In the design of a *condition* a covariate of -1 means "as in the cell".
struct Design {
  std::size_t n = 0;
  std::size_t n_slots = 1;
  std::size_t n_covariates = 0;
  std::size_t n_continuous = 0;
  std::vector<int32_t> perturbation;
  std::vector<double> dose;
  std::vector<int32_t> covariate;
  /// Values of the continuous covariates, centred and scaled, n x n_continuous. In the design of a
  /// condition NaN means "as in the cell".
  std::vector<double> continuous;
  /// Of training cells, which ones have like values of the continuous covariates: with another number they
  /// are another condition for the terms that compare conditions. Empty: all are alike.
  std::vector<int32_t> bin;
  /// The row's class for an adversary that guesses whole conditions (perturbations without doses);
  /// empty where no such adversary is trained.
  std::vector<int32_t> condition;
  /// Which modalities were measured in the row's cell, a sum of kRna and kProteins; empty: all.
  std::vector<uint8_t> measured;

  /// Rows `rows[0 .. count)` of this design, in that order. Throws `Error` for a row that it has not.
  Design rows(const int64_t* rows, std::size_t count) const;
  /// The same with one slot per perturbation, in order; those that are absent have dose 0.
  Design one_hot(int64_t n_perturbations) const;
  /// Throws `Error` when a code lies outside its range, a dose is negative, or a value not finite.
  void check(int64_t n_perturbations, const std::vector<int64_t>& covariate_levels, int64_t n_continuous,
             bool open_covariates) const;
};

/// Differentially expressed genes of the cells' conditions, for `reg_multi_task`: `genes[group[i]]`
/// are those of cell i; a group of -1 has none. Empty: no such task.
struct DegTargets {
  std::vector<int32_t> group;
  std::vector<std::vector<int64_t>> genes;
};

/// Which conditions are scored, from which cells, against which cells: used for validation during
/// training. Entry k compares cells `truth[k]` with predictions made from `source[k]` under row k
/// of `target`; `degs[k]` are the genes of the DEG scores (may be empty: those scores are NaN).
struct EvaluationPlan {
  std::vector<std::vector<int64_t>> truth, source, degs;
  Design target;
  std::vector<int64_t> cells;  ///< all cells of the parts that are scored, controls too, for theislab/cpa's metric
  std::size_t size() const { return truth.size(); }
};

}  // namespace compert
