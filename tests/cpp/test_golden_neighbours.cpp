// Agreement of the scores of neighbourhoods with golden files metrics_tl*.h5: what theislab/cpa
// (cpa/_metrics.py knn_purity, entropy_batch_mixing) computed from the points and labels in the
// same file. "onepool" is its n_pools = 1, which draws nothing: the mean over all cells.
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "catch_compat.h"
#include "compert/neighbours.h"
#include "golden_file.h"

namespace {

using golden::Array;
using golden::Tally;

constexpr double kDouble = 1e-9;  // computed by the reference in double precision

/// The number between `prefix` and `suffix`, or 0 when the name is not made like that.
int64_t number_within(const std::string& name, const std::string& prefix,
                      const std::string& suffix) {
  if (name.size() <= prefix.size() + suffix.size()) return 0;
  const std::size_t end = name.size() - suffix.size();
  if (name.compare(0, prefix.size(), prefix) != 0 || name.compare(end, suffix.size(), suffix) != 0)
    return 0;
  const std::string digits = name.substr(prefix.size(), end - prefix.size());
  const bool number = digits.find_first_not_of("0123456789") == std::string::npos;
  return number ? std::stoll(digits) : 0;
}

void check_scores(const golden::File& file, Tally& tally) {
  const Array data = file.read("data");
  const Array codes = file.read("labels");
  std::vector<int32_t> labels;
  for (double code : codes.values) labels.push_back(static_cast<int32_t>(code));
  const compert::Points points{data.values.data(), data.rows(), data.cols()};
  for (const std::string& name : file.children("/")) {
    if (const int64_t k = number_within(name, "knn_purity_", "")) {
      tally.add("knn_purity", file.stem() + " " + name,
                {compert::knn_purity(points, labels, k).mean}, file.read(name).values, kDouble);
    }
    if (const int64_t k = number_within(name, "entropy_batch_mixing_", "_onepool")) {
      tally.add("entropy_batch_mixing", file.stem() + " " + name,
                {compert::batch_mixing_entropy(points, labels, k, 1, 1, 0)}, file.read(name).values,
                kDouble);
    }
  }
}

}  // namespace

TEST_CASE("scores of neighbourhoods agree with every golden file metrics_tl*.h5",
          "[golden][neighbours]") {
  const std::vector<std::string> paths = golden::files("metrics_tl");
  INFO("directory: " << golden::directory());
  REQUIRE_FALSE(paths.empty());
  Tally tally;
  for (const std::string& path : paths) check_scores(golden::File(path), tally);
  std::cout << "neighbourhoods, " << paths.size() << " golden file(s)\n"
            << tally.table() << std::flush;
  CHECK(tally.count() >= 2 * paths.size());
  CHECK(tally.failures() == 0);
}
