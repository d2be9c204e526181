# RDKit::RDKit, from a system package, conda or Homebrew. RDKit's own CMake package is not asked: it
# insists on the Boost that it was built with, development files and all.
#
# Sets RDKit_FOUND. Its headers do not tell its version.

find_path(RDKit_INCLUDE_DIR GraphMol/GraphMol.h HINTS $ENV{CONDA_PREFIX}
  PATH_SUFFIXES rdkit include/rdkit)
find_path(RDKit_BOOST_INCLUDE_DIR boost/smart_ptr.hpp HINTS $ENV{CONDA_PREFIX}
  PATH_SUFFIXES include)
set(_libraries)
foreach(_name Descriptors Fingerprints PartialCharges SmilesParse GraphMol DataStructs RDGeneral)
  find_library(RDKit_${_name}_LIBRARY RDKit${_name} HINTS $ENV{CONDA_PREFIX} PATH_SUFFIXES lib)
  mark_as_advanced(RDKit_${_name}_LIBRARY)
  list(APPEND _libraries ${RDKit_${_name}_LIBRARY})
  list(APPEND _required RDKit_${_name}_LIBRARY)
endforeach()
mark_as_advanced(RDKit_INCLUDE_DIR RDKit_BOOST_INCLUDE_DIR)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(RDKit
  REQUIRED_VARS ${_required} RDKit_INCLUDE_DIR RDKit_BOOST_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "Debian: apt-get install librdkit-dev libboost-dev")

if(RDKit_FOUND AND NOT TARGET RDKit::RDKit)
  add_library(RDKit::RDKit INTERFACE IMPORTED)
  target_include_directories(RDKit::RDKit SYSTEM INTERFACE ${RDKit_INCLUDE_DIR}
    ${RDKit_BOOST_INCLUDE_DIR})
  target_link_libraries(RDKit::RDKit INTERFACE ${_libraries})
endif()
