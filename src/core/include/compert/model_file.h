#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "compert/progress.h"

namespace compert {

/// The saved form of a fit: an HDF5 file of version `kModelFileVersion`.
///
/// | path | content |
/// |---|---|
/// | attributes of `/` | `format` = "compert-fit", `version` |
/// | `meta` | JSON of the front end (names of genes, perturbations, levels ...), kept as given |
/// | `settings`, `architecture` | JSON |
/// | `weights/<name>` | parameters and buffers that predictions use, (out, in) as in PyTorch |
/// | `last/<name>` | the last weights, when `weights` are those of an earlier, better epoch |
/// | `optimizer/<group>/{step, lr, exp_avg/<name>, exp_avg_sq/<name>}` | Adam |
/// | `history/<column>` | one value per epoch |
/// | attributes of `training` | counters of the schedule and of early stopping |
///
/// A file of a newer version, of another format, or a damaged one is refused with one `Error`.
constexpr int64_t kModelFileVersion = 2;

/// The front end's JSON.
std::string state_meta(const std::vector<uint8_t>& image);
/// Settings and counters without building the model.
struct StateInfo {
  std::string settings;
  int64_t n_parameters = 0, epochs_done = 0, best_epoch = 0;
};
StateInfo state_info(const std::vector<uint8_t>& image);
std::vector<EpochRecord> state_history(const std::vector<uint8_t>& image);

}  // namespace compert
