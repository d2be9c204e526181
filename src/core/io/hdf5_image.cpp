// Files in memory.

#include <atomic>

#include "compert/error.h"
#include "hdf5.h"
#include "hdf5_detail.h"

namespace compert::hdf5 {

using detail::Quiet;

namespace {

const char* const kMemoryName = "(in memory)";

// The core driver tells its files apart by name.
std::string next_memory_name() {
  static std::atomic<unsigned long> counter{0};
  return "compert-memory-" + std::to_string(++counter);
}

std::uint32_t rotate(std::uint32_t value, int bits) {
  return (value << bits) | (value >> (32 - bits));
}

// Bob Jenkins' lookup3 over whole and partial blocks of twelve bytes, as the HDF5 file format
// specification asks for in metadata.
std::uint32_t lookup3(const std::uint8_t* data, std::size_t length) {
  const std::uint32_t start = 0xdeadbeefU + static_cast<std::uint32_t>(length);
  std::uint32_t a = start, b = start, c = start;
  const auto word = [&](std::size_t offset) {
    std::uint32_t value = 0;
    for (std::size_t k = 0; k < 4 && offset + k < length; ++k) {
      value |= static_cast<std::uint32_t>(data[offset + k]) << (8 * k);
    }
    return value;
  };
  std::size_t at = 0;
  for (;; at += 12) {
    a += word(at);
    b += word(at + 4);
    c += word(at + 8);
    if (length - at <= 12) break;
    // clang-format off
    a -= c; a ^= rotate(c, 4);  c += b;
    b -= a; b ^= rotate(a, 6);  a += c;
    c -= b; c ^= rotate(b, 8);  b += a;
    a -= c; a ^= rotate(c, 16); c += b;
    b -= a; b ^= rotate(a, 19); a += c;
    c -= b; c ^= rotate(b, 4);  b += a;
  }
  c ^= b; c -= rotate(b, 14);
  a ^= c; a -= rotate(c, 11);
  b ^= a; b -= rotate(a, 25);
  c ^= b; c -= rotate(b, 16);
  a ^= c; a -= rotate(c, 4);
  b ^= a; b -= rotate(a, 14);
  c ^= b; c -= rotate(b, 24);
  // clang-format on
  return c;
}

// H5Fget_file_image clears the flag "open for writing" in its copy of a superblock of version 2 but
// leaves the checksum of the old flag, and the bytes would be refused.
void renew_checksum(std::vector<std::uint8_t>& bytes) {
  if (bytes.size() < 12 || bytes[8] < 2) return;
  const std::size_t length = 12 + 4 * std::size_t{bytes[9]};
  if (bytes.size() < length + 4) return;
  const std::uint32_t sum = lookup3(bytes.data(), length);
  for (int k = 0; k < 4; ++k) bytes[length + k] = static_cast<std::uint8_t>(sum >> (8 * k));
}

}  // namespace

File File::create_image() {
  const Quiet quiet;
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  const Handle creation = detail::creation_list();
  detail::use_checksums(access.id());
  H5Pset_fapl_core(access.id(), std::size_t{1} << 20, 0);
  Handle file(H5Fcreate(next_memory_name().c_str(), H5F_ACC_TRUNC, creation.id(), access.id()),
              H5Fclose);
  if (!file) {
    throw Error("", "An HDF5 file in memory could not be made", detail::last_error());
  }
  return File(std::move(file), kMemoryName);
}

File File::from_image(const std::vector<std::uint8_t>& bytes) {
  const Quiet quiet;
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_fapl_core(access.id(), std::size_t{1} << 20, 0);
  Handle file;
  // HDF5 copies the bytes and does not write to them.
  if (!bytes.empty() &&
      H5Pset_file_image(access.id(), const_cast<std::uint8_t*>(bytes.data()), bytes.size()) >= 0) {
    file = Handle(H5Fopen(next_memory_name().c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose);
  }
  if (!file) {
    throw Error("", "The bytes must be those of a complete HDF5 file",
                std::to_string(bytes.size()) + " bytes could not be opened: " +
                    (bytes.empty() ? "there are none" : detail::last_error()));
  }
  return File(std::move(file), kMemoryName);
}

std::vector<std::uint8_t> File::image() const {
  const Quiet quiet;
  if (H5Fflush(id(), H5F_SCOPE_LOCAL) < 0) fail("writing out", "/");
  const ssize_t size = H5Fget_file_image(id(), nullptr, 0);
  if (size < 0) fail("measuring", "/");
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  if (H5Fget_file_image(id(), bytes.data(), bytes.size()) != size) fail("copying", "/");
  renew_checksum(bytes);
  return bytes;
}

}  // namespace compert::hdf5
