#pragma once
#include <filesystem>
#include <system_error>

namespace compert {

/// Where a file of that name would be written: what a symbolic link points to, be it there or not yet. A file
/// that is renamed to it leaves the link in place.
inline std::filesystem::path behind_links(std::filesystem::path path) {
  std::error_code code;
  constexpr int kMost = 40;  // as many as Linux follows
  for (int i = 0; i < kMost && std::filesystem::is_symlink(path, code); ++i)
    path = path.parent_path() / std::filesystem::read_symlink(path, code);
  return path;
}

}  // namespace compert
