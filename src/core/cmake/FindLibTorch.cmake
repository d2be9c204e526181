# LibTorch::LibTorch from a system package (Debian keeps headers and libraries apart), an unpacked
# archive, conda, or Python's torch. LibTorch's own CMake package is not asked: for a CUDA build it
# stops where no CUDA toolkit is installed, though none is needed to compile against it.
#
# Sets LibTorch_FOUND, LibTorch_VERSION, LibTorch_CUDA (has its CUDA library), LibTorch_CUDA_GRAPHS (and
# what capturing them needs), LibTorch_C10D (Gloo).

set(_hints $ENV{LIBTORCH_HOME} $ENV{LIBTORCH_INCLUDE} $ENV{LIBTORCH_LIB} $ENV{CONDA_PREFIX})
string(REPLACE ":" ";" _environment "$ENV{CMAKE_PREFIX_PATH}")
foreach(_prefix IN LISTS CMAKE_PREFIX_PATH _environment)
  list(APPEND _hints ${_prefix})
  if(_prefix MATCHES "/share/cmake(/Torch)?/?$")  # what torch.utils.cmake_prefix_path says
    string(REGEX REPLACE "/share/cmake(/Torch)?/?$" "" _prefix ${_prefix})
    list(APPEND _hints ${_prefix})
  endif()
endforeach()

find_path(LibTorch_API_INCLUDE torch/version.h HINTS ${_hints}
  PATH_SUFFIXES torch/csrc/api/include include/torch/csrc/api/include)
find_path(LibTorch_INCLUDE ATen/ATen.h HINTS ${_hints} PATH_SUFFIXES include)
foreach(_name torch torch_cpu c10 torch_cuda c10_cuda)
  find_library(LibTorch_${_name}_LIBRARY ${_name} HINTS ${_hints} PATH_SUFFIXES lib)
  mark_as_advanced(LibTorch_${_name}_LIBRARY)
endforeach()
mark_as_advanced(LibTorch_API_INCLUDE LibTorch_INCLUDE)

if(LibTorch_API_INCLUDE)
  foreach(_header torch/version.h torch/headeronly/version.h)  # it moved in LibTorch 2.9
    foreach(_root ${LibTorch_API_INCLUDE} ${LibTorch_INCLUDE})
      if(EXISTS ${_root}/${_header})
        file(STRINGS ${_root}/${_header} _lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
        string(REGEX MATCHALL "[0-9]+" _numbers "${_lines}")
        if(_numbers)
          list(JOIN _numbers . LibTorch_VERSION)
        endif()
      endif()
    endforeach()
  endforeach()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_torch_LIBRARY LibTorch_torch_cpu_LIBRARY LibTorch_c10_LIBRARY
    LibTorch_INCLUDE LibTorch_API_INCLUDE
  VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "Debian: apt-get install libtorch-dev. Elsewhere: -DCMAKE_PREFIX_PATH=DIR")

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  set(LibTorch_CUDA FALSE)
  set(_libraries ${LibTorch_torch_LIBRARY} ${LibTorch_torch_cpu_LIBRARY} ${LibTorch_c10_LIBRARY})
  if(LibTorch_torch_cuda_LIBRARY AND LibTorch_c10_cuda_LIBRARY)
    set(LibTorch_CUDA TRUE)
    # Nothing refers to a symbol of these, and without them there is no CUDA device.
    list(APPEND _libraries -Wl,--no-as-needed ${LibTorch_torch_cuda_LIBRARY}
      ${LibTorch_c10_cuda_LIBRARY} -Wl,--as-needed)
  endif()
  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE ${LibTorch_API_INCLUDE}
    ${LibTorch_INCLUDE})
  target_link_libraries(LibTorch::LibTorch INTERFACE ${_libraries})

  # LibTorch's headers of CUDA graphs read CUDA's own: of a toolkit, or of the Python package beside it.
  set(LibTorch_CUDA_GRAPHS FALSE)
  if(LibTorch_CUDA)
    get_filename_component(_folder ${LibTorch_torch_cuda_LIBRARY} DIRECTORY)
    file(GLOB _beside ${_folder}/../../nvidia/cu*)
    find_path(LibTorch_CUDART_INCLUDE cuda_runtime_api.h HINTS $ENV{CUDA_HOME} ${_beside} /usr/local/cuda
      PATH_SUFFIXES include)
    find_library(LibTorch_CUDART_LIBRARY NAMES cudart libcudart.so.13 libcudart.so.12
      HINTS $ENV{CUDA_HOME} ${_beside} /usr/local/cuda PATH_SUFFIXES lib64 lib)
    mark_as_advanced(LibTorch_CUDART_INCLUDE LibTorch_CUDART_LIBRARY)
    if(LibTorch_CUDART_INCLUDE AND LibTorch_CUDART_LIBRARY)
      set(LibTorch_CUDA_GRAPHS TRUE)
      target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE ${LibTorch_CUDART_INCLUDE})
      target_link_libraries(LibTorch::LibTorch INTERFACE ${LibTorch_CUDART_LIBRARY})
    endif()
  endif()

  # Since LibTorch 2.8 the function that the probe calls has a further argument.
  foreach(_flag "" -DPROBE_LAZY_INIT)
    if(NOT LibTorch_C10D)
      try_compile(LibTorch_C10D ${CMAKE_CURRENT_BINARY_DIR}/probe_c10d
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/../../../tools/probe_c10d.cpp
        CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${LibTorch_API_INCLUDE};${LibTorch_INCLUDE}"
        COMPILE_DEFINITIONS ${_flag}
        LINK_LIBRARIES ${_libraries}
        CXX_STANDARD 17)
    endif()
  endforeach()
endif()
