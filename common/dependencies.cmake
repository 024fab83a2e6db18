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

find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(PNG)                # without it the picture of the position embeddings is not written
find_package(ZLIB)               # without it no .gz is read
find_library(ZSTD_LIBRARY zstd)  # without it no .zst is read
find_path(ZSTD_INCLUDE_DIR zstd.h)
find_package(dnnl CONFIG)        # without it matrix products on the CPU are plain loops
if(NOT dnnl_FOUND)
  message(WARNING "oneDNN not found: matrix products on the CPU will be slow (Debian: libdnnl-dev)")
endif()
