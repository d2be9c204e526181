# OneDNN::OneDNN, from a system package, conda or Homebrew. oneDNN's own CMake package is not asked: on
# Debian it insists on the headers of OpenCL.
#
# Sets OneDNN_FOUND. One whose threads are not OpenMP's does not count.

find_path(OneDNN_INCLUDE_DIR dnnl.hpp HINTS $ENV{CONDA_PREFIX} PATH_SUFFIXES include)
find_library(OneDNN_LIBRARY dnnl HINTS $ENV{CONDA_PREFIX} PATH_SUFFIXES lib)
mark_as_advanced(OneDNN_INCLUDE_DIR OneDNN_LIBRARY)
set(_config ${OneDNN_INCLUDE_DIR}/oneapi/dnnl/dnnl_config.h)
if(EXISTS ${_config})
  file(STRINGS ${_config} OneDNN_OPENMP REGEX "define DNNL_CPU_THREADING_RUNTIME DNNL_RUNTIME_OMP")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OneDNN
  REQUIRED_VARS OneDNN_LIBRARY OneDNN_INCLUDE_DIR OneDNN_OPENMP
  REASON_FAILURE_MESSAGE "Debian: apt-get install libdnnl-dev")

if(OneDNN_FOUND AND NOT TARGET OneDNN::OneDNN)
  add_library(OneDNN::OneDNN INTERFACE IMPORTED)
  target_include_directories(OneDNN::OneDNN SYSTEM INTERFACE ${OneDNN_INCLUDE_DIR})
  target_link_libraries(OneDNN::OneDNN INTERFACE ${OneDNN_LIBRARY})
endif()
