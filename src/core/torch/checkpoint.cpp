// Checkpoints, and which of a fit's weights they hold.
#include <cstdio>
#include <fstream>

#include "../io/links.h"
#include "impl.h"
#include "place.h"

namespace compert {
namespace {

/// Whether it could be written; a file that is there already stays whole.
bool write_atomically(const std::string& path, const std::vector<uint8_t>& bytes) {
  const std::string final = behind_links(path).string(), temporary = final + ".part";
  std::ofstream out(temporary, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (out && std::rename(temporary.c_str(), final.c_str()) == 0) return true;
  std::remove(temporary.c_str());
  return false;
}

}  // namespace

bool Model::Impl::go_to_best(const std::optional<ParameterStore::Snapshot>& best) {
  if (!best || !settings.restore_best || weights_are_best) return false;
  last = network.store().snapshot();
  network.store().restore(*best);
  weights_are_best = true;
  return true;
}

void Model::Impl::go_to_last() {
  if (!last) return;
  network.store().restore(*last);
  last.reset();
  weights_are_best = false;
}

bool Model::Impl::write_checkpoint(const std::optional<ParameterStore::Snapshot>& best,
                                   const std::string& meta) {
  const bool writes = !settings.checkpoint.empty() && (!group || group->rank() == 0);
  std::optional<Writing> busy;
  std::vector<uint8_t> bytes;
  if (writes) {
    busy.emplace();
    const bool keeps_last = go_to_best(best);
    bytes = state(meta);
    if (keeps_last) go_to_last();
  }
  bool written = true;
  const auto write = [&] {
    if (writes) written = write_atomically(settings.checkpoint, bytes);
  };
  if (group) group->in_first(write);
  else write();
  return written;
}

}  // namespace compert
