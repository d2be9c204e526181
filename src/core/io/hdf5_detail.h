#pragma once

// What the translation units of the HDF5 wrapper share; nobody else includes this.

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "hdf5.h"

namespace compert::hdf5::detail {

/// Holds the library's lock and keeps HDF5 from printing, until the end of the scope.
class Quiet {
 public:
  Quiet();
  ~Quiet();
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  std::lock_guard<std::recursive_mutex> lock_;
  H5E_auto2_t function_ = nullptr;
  void* data_ = nullptr;
};

/// Makes the lock anew in a copied process, where its owner no longer exists.
void renew_lock();

/// The first cause that HDF5 recorded for the call that just failed.
std::string last_error();

/// Applies a macro to every type of numbers that is read.
#define COMPERT_FOR_NUMBERS(apply)                                                             \
  apply(double) apply(float) apply(std::int8_t) apply(std::uint8_t) apply(std::int32_t)        \
  apply(std::uint32_t) apply(std::int64_t) apply(std::uint64_t)

/// The type of T in memory.
template <typename T>
hid_t native();

/// Variable-length UTF-8.
Handle utf8_type();

Type describe(hid_t type);

/// Asks for the layout of HDF5 1.8: its metadata carry checksums, so that damage is found, and
/// every version in use reads it.
void use_checksums(hid_t access);
/// Without time stamps: the same content gives the same bytes.
Handle creation_list();

/// Dimensions of a dataspace; {0} for an empty one.
Shape dimensions(hid_t space);
/// Their product; throws std::overflow_error when it does not fit.
std::size_t count(const Shape& shape);
Handle make_space(const Shape& shape);
/// A dataset whose header was damaged may claim any size. Deflate shrinks by 1032 at best; n values
/// that take more than that and than 64 megabytes are not believed.
bool is_plausible(hid_t dataset, std::size_t n);
/// The number under which LZF is registered; it shrinks by 88 at best.
constexpr H5Z_filter_t kLzf = 32000;
/// Makes LZF known to the library, where no plugin of its own does it.
void add_lzf();

/// Reads n strings stored as `type`. `read(memory_type, buffer)` does the reading.
using Reader = std::function<herr_t(hid_t, void*)>;
bool collect_strings(hid_t type, std::size_t n, const Reader& read, std::vector<std::string>& out);

}  // namespace compert::hdf5::detail
