# Found on the system first, fetched and pinned otherwise. A machine without network points CMake's
# FETCHCONTENT_SOURCE_DIR_<NAME> at sources it already has.
include(FetchContent)
set(FETCHCONTENT_QUIET ON)

FetchContent_Declare(fmt GIT_REPOSITORY https://github.com/fmtlib/fmt GIT_TAG 9.1.0 FIND_PACKAGE_ARGS 9)
FetchContent_Declare(CLI11 GIT_REPOSITORY https://github.com/CLIUtils/CLI11 GIT_TAG v2.1.2 FIND_PACKAGE_ARGS 2.1)
FetchContent_Declare(nlohmann_json GIT_REPOSITORY https://github.com/nlohmann/json GIT_TAG v3.11.2
                     FIND_PACKAGE_ARGS 3.10)
set(CLI11_BUILD_TESTS OFF)
set(CLI11_BUILD_EXAMPLES OFF)
FetchContent_MakeAvailable(fmt CLI11 nlohmann_json)

# PCRE2: Unicode regular expressions, for the tokenizer.
find_library(PCRE2_LIBRARY pcre2-8)
find_path(PCRE2_INCLUDE_DIR pcre2.h)
if(PCRE2_LIBRARY AND PCRE2_INCLUDE_DIR)
  add_library(pcre2 INTERFACE)
  target_link_libraries(pcre2 INTERFACE ${PCRE2_LIBRARY})
  target_include_directories(pcre2 INTERFACE ${PCRE2_INCLUDE_DIR})
else()
  set(PCRE2_SUPPORT_JIT ON)
  set(PCRE2_BUILD_TESTS OFF)
  set(PCRE2_BUILD_PCRE2GREP OFF)
  FetchContent_Declare(pcre2_source GIT_REPOSITORY https://github.com/PCRE2Project/pcre2 GIT_TAG pcre2-10.42)
  FetchContent_MakeAvailable(pcre2_source)
  add_library(pcre2 INTERFACE)
  target_link_libraries(pcre2 INTERFACE pcre2-8)
  target_include_directories(pcre2 INTERFACE ${pcre2_source_BINARY_DIR})
endif()

# xxHash: digests of files and data, for checkpoints and runs.
find_library(XXHASH_LIBRARY xxhash)
find_path(XXHASH_INCLUDE_DIR xxhash.h)
if(XXHASH_LIBRARY AND XXHASH_INCLUDE_DIR)
  add_library(xxhash_library INTERFACE)
  target_link_libraries(xxhash_library INTERFACE ${XXHASH_LIBRARY})
  target_include_directories(xxhash_library INTERFACE ${XXHASH_INCLUDE_DIR})
else()
  set(XXHASH_BUILD_XXHSUM OFF)
  FetchContent_Declare(xxhash_source GIT_REPOSITORY https://github.com/Cyan4973/xxHash GIT_TAG v0.8.1
                       SOURCE_SUBDIR cmake_unofficial)
  FetchContent_MakeAvailable(xxhash_source)
  add_library(xxhash_library INTERFACE)
  target_link_libraries(xxhash_library INTERFACE xxHash::xxhash)
endif()

find_package(OpenMP COMPONENTS CXX)
if(NOT OpenMP_CXX_FOUND)
  message(NOTICE "-- OpenMP not found: g++ brings its own; clang needs the libomp of its version (Debian: libomp-dev, "
                 "or libomp-19-dev for clang-19)")
  message(FATAL_ERROR "OpenMP not found")
endif()
find_package(PNG)
if(NOT PNG_FOUND)
  message(NOTICE "-- libpng not found: no picture of the position embeddings (Debian: libpng-dev)")
endif()
find_package(ZLIB)
if(NOT ZLIB_FOUND)
  message(NOTICE "-- zlib not found: .gz files cannot be read (Debian: zlib1g-dev)")
endif()
find_library(ZSTD_LIBRARY zstd)
find_path(ZSTD_INCLUDE_DIR zstd.h)
if(NOT ZSTD_LIBRARY OR NOT ZSTD_INCLUDE_DIR)
  message(NOTICE "-- zstd not found: .zst files cannot be read (Debian: libzstd-dev)")
endif()
find_package(dnnl CONFIG)
if(NOT dnnl_FOUND)
  message(NOTICE "-- oneDNN not found: matrix products on the CPU will be slow (Debian: libdnnl-dev)")
endif()

# MPI starts processes and carries values between processors; NCCL carries them between GPUs. Without them the
# programs are one process each (12_ddp).
set(MPI_CXX_SKIP_MPICXX ON)  # the C functions alone
find_package(MPI COMPONENTS CXX)
if(NOT MPI_CXX_FOUND)
  message(NOTICE "-- MPI not found: one process at a time on the CPU (Debian: libopenmpi-dev openmpi-bin)")
endif()
if(GPT2_CUDA)
  find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
  find_library(NCCL_LIBRARY nccl HINTS ${CUDAToolkit_LIBRARY_DIR})
  if(NOT NCCL_INCLUDE_DIR OR NOT NCCL_LIBRARY)
    message(NOTICE "-- NCCL not found: one GPU at a time (libnccl-dev)")
  endif()
endif()

# cuDNN and its C++ front end, for attention on a GPU: the library beside the toolkit, the headers from the
# system, from Python's nvidia-cudnn-frontend or from GitHub. From 1.19 on the headers want libcuda, which is
# missing where there is no driver. Without all that a GPU has our own kernels alone.
set(CUDNN_FRONTEND_VERSION 1.18.0)

function(find_cudnn_frontend)
  string(CONCAT ask "import site\n"
                    "folders = site.getsitepackages() + [site.getusersitepackages()]\n"
                    "print(';'.join(folder + '/include' for folder in folders))")
  execute_process(COMMAND python3 -c "${ask}" OUTPUT_VARIABLE python_includes OUTPUT_STRIP_TRAILING_WHITESPACE
                  ERROR_QUIET)
  find_path(CUDNN_FRONTEND_INCLUDE_DIR cudnn_frontend.h HINTS ${python_includes})
  if(CUDNN_FRONTEND_INCLUDE_DIR)
    return()
  endif()
  set(url https://github.com/NVIDIA/cudnn-frontend)
  execute_process(COMMAND git ls-remote --exit-code ${url} v${CUDNN_FRONTEND_VERSION} TIMEOUT 20
                  RESULT_VARIABLE unreachable OUTPUT_QUIET ERROR_QUIET)
  if(FETCHCONTENT_SOURCE_DIR_CUDNN_FRONTEND OR unreachable STREQUAL 0)
    FetchContent_Declare(cudnn_frontend GIT_REPOSITORY ${url} GIT_TAG v${CUDNN_FRONTEND_VERSION}
                         GIT_SHALLOW ON SOURCE_SUBDIR include)  # headers alone: nothing is built
    FetchContent_MakeAvailable(cudnn_frontend)
    set(CUDNN_FRONTEND_INCLUDE_DIR ${cudnn_frontend_SOURCE_DIR}/include CACHE PATH "" FORCE)
  endif()
endfunction()

if(GPT2_CUDA)
  find_path(CUDNN_INCLUDE_DIR cudnn.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
  find_library(CUDNN_LIBRARY cudnn HINTS ${CUDAToolkit_LIBRARY_DIR})
  if(CUDNN_INCLUDE_DIR AND CUDNN_LIBRARY)
    find_cudnn_frontend()
  endif()
  if(CUDNN_FRONTEND_INCLUDE_DIR)
    message(STATUS "cuDNN: ${CUDNN_LIBRARY}, ${CUDNN_FRONTEND_INCLUDE_DIR}")
    add_library(cudnn INTERFACE)
    target_link_libraries(cudnn INTERFACE ${CUDNN_LIBRARY})
    target_include_directories(cudnn SYSTEM INTERFACE ${CUDNN_INCLUDE_DIR} ${CUDNN_FRONTEND_INCLUDE_DIR})
  else()
    message(STATUS "cuDNN or its front end not found: attention on a GPU is our own flash kernels alone "
                   "(pip install nvidia-cudnn-frontend==${CUDNN_FRONTEND_VERSION})")
  endif()
endif()
