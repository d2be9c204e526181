// Training speed of the core without R, for machines that have none: tools/bench device.
//
//   core_bench DEVICE CELLS GENES BATCH EPOCHS THREADS
//
// Prints a line of JSON per model: cells per second of every epoch after the first, in which libraries settle
// and steps are recorded. Cells are drawn, 10 % of their values stored.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "compert/error.h"
#include "compert/model.h"
#include "compert/progress.h"

namespace {

constexpr int32_t kDrugs = 11, kTypes = 3;  // the first drug is the control

struct Screen {
  std::vector<double> values;
  std::vector<int32_t> genes, offsets{0};
  compert::Design design;
  std::vector<int64_t> all;

  Screen(std::size_t n_cells, std::size_t n_genes) {
    std::mt19937_64 random(1);
    std::exponential_distribution<double> height(0.5);
    design.n = n_cells;
    design.n_covariates = 1;
    for (std::size_t i = 0; i < n_cells; ++i) {
      for (std::size_t g = random() % 10; g < n_genes; g += 1 + random() % 19) {
        genes.push_back(static_cast<int32_t>(g));
        values.push_back(1 + std::floor(height(random)));
      }
      offsets.push_back(static_cast<int32_t>(genes.size()));
      const auto drug = static_cast<int32_t>(random() % kDrugs);
      design.perturbation.push_back(drug);
      design.dose.push_back(drug == 0 ? 1 : 0.1 * static_cast<double>(1 + random() % 10));
      design.covariate.push_back(static_cast<int32_t>(random() % kTypes));
      design.condition.push_back(drug);
      all.push_back(static_cast<int64_t>(i));
    }
  }
};

class Clock final : public compert::Progress {
 public:
  std::vector<double> seconds;  // at the end of every epoch
  void on_epoch(const compert::EpochRecord&, int64_t) override {
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count());
  }
  bool should_stop() override { return false; }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void measure(const Screen& screen, const std::string& name, const std::string& settings,
             const std::string& run, std::size_t n_genes) {
  const compert::Settings s = compert::settings_from_json("{" + run + ", " + settings + "}");
  compert::Architecture a;
  a.n_genes = static_cast<int64_t>(n_genes);
  a.n_perturbations = kDrugs;
  a.covariate_levels = {kTypes};
  a.condition_weight.assign(kDrugs, 1);
  compert::Model model(a, s);
  const compert::SparseCells cells(screen.values.data(), screen.genes.data(), screen.offsets.data(), n_genes,
                                   screen.design.n);
  Clock clock;
  model.fit(cells, screen.design, screen.all, {}, "", clock);
  std::printf("{\"model\": \"%s\", \"device\": \"%s\", \"precision\": \"%s\", \"cells_per_second\": [", name.c_str(),
              s.device.c_str(), s.precision.c_str());
  for (std::size_t e = 1; e < clock.seconds.size(); ++e)
    std::printf("%s%.0f", e > 1 ? ", " : "",
                static_cast<double>(screen.design.n) / (clock.seconds[e] - clock.seconds[e - 1]));
  std::printf("]}\n");
  std::fflush(stdout);
}

int run(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: core_bench DEVICE CELLS GENES BATCH EPOCHS THREADS\n");
    return 2;
  }
  const std::string device = argv[1];
  const std::size_t n_cells = std::stoul(argv[2]), n_genes = std::stoul(argv[3]);
  const Screen screen(n_cells, n_genes);
  // Sizes of facebookresearch/CPA, as in models.R.
  const std::string reference =
      R"("loss_ae": "gauss", "doser_type": "sigm", "dim": 128, "autoencoder_width": 128, "autoencoder_depth": 3,
         "decoder_skip": false, "adversary_width": 64, "adversary_depth": 2, "reg_adversary": 60,
         "penalty_adversary": 60, "reg_alignment": 0, "reg_counterfactual": 0)";
  std::vector<std::string> precisions = {"float32"};
  if (device != "cpu") precisions.push_back("bf16-mixed");
  for (const std::string& precision : precisions) {
    const std::string common = "\"device\": \"" + device + "\", \"precision\": \"" + precision +
                               "\", \"batch_size\": " + argv[4] + ", \"epochs\": " + argv[5] +
                               ", \"threads\": " + argv[6] + ", \"checkpoint_freq\": 1000";
    measure(screen, "default, gauss", R"("loss_ae": "gauss")", common, n_genes);
    measure(screen, "default, nb", R"("loss_ae": "nb")", common, n_genes);
    measure(screen, "the reference's sizes", reference, common, n_genes);
    measure(screen, "parity = fb", R"("loss_ae": "gauss", "doser_type": "sigm", "parity": "fb")", common, n_genes);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const compert::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
  }
  return 1;
}
