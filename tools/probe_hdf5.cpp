// Used by configure: opens, writes and closes an in-memory file.
#include <hdf5.h>

#include <cstdio>

int main() {
#if H5_VERS_MAJOR < 1 || (H5_VERS_MAJOR == 1 && H5_VERS_MINOR < 10)
  std::fprintf(stderr, "HDF5 %s is too old: 1.10 or newer is needed\n", H5_VERS_INFO);
  return 3;
#endif
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  if (H5get_libversion(&major, &minor, &release) < 0) return 4;
  if (major != H5_VERS_MAJOR || minor != H5_VERS_MINOR) {
    std::fprintf(stderr, "headers of HDF5 %d.%d, but the library is %u.%u\n", H5_VERS_MAJOR,
                 H5_VERS_MINOR, major, minor);
    return 5;
  }
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (H5Pset_fapl_core(access, 65536, false) < 0) return 6;
  const hid_t file = H5Fcreate("probe.h5", H5F_ACC_TRUNC, H5P_DEFAULT, access);
  if (file < 0 || H5Fflush(file, H5F_SCOPE_GLOBAL) < 0 || H5Fget_file_image(file, nullptr, 0) <= 0) {
    return 7;
  }
  if (H5Zfilter_avail(H5Z_FILTER_DEFLATE) <= 0) {
    std::fprintf(stderr, "this HDF5 was built without the deflate (gzip) filter\n");
    return 8;
  }
  H5Fclose(file);
  H5Pclose(access);
  std::printf("%u.%u.%u\n", major, minor, release);
  return 0;
}
