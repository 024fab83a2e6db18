#!/usr/bin/env bash
# Builds here what runs on a machine with a GPU but without compilers, packages and network: tests/gpu/bundle.sh [FOLDER]
#
# FOLDER (build/bundle) gets bin/ (programs and test binaries for compute capability 9.0a, and PTX of 8.0 for others),
# lib/ (the shared libraries that a stock Ubuntu 24.04 with CUDA 13 lacks), and the goldens, fixtures and scripts that
# they read. Copy it there and start tests/gpu/run.sh in it.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."
folder=${1:-build/bundle}
build=build/bundle_build
limit_mb=60

die() {
  echo "bundle: $*" >&2
  exit 1
}

# What Ubuntu 24.04 has at once, and what CUDA and torch's packages bring.
present='^(linux-vdso|ld-linux-x86-64|libc|libm|libdl|librt|libpthread|libgcc_s|libstdc\+\+|libz|libgomp|libudev)[.]so'
of_cuda='^(libcudart|libcublas|libcublasLt|libcudnn[a-z_]*|libnccl|libnvrtc|libcuda)[.]so'

compile() {
  local headers flags
  headers=$(tests/gpu/fetch_cudnn_frontend)
  flags=(--preset cuda -B "$build" "-DCMAKE_CUDA_ARCHITECTURES=90a-real;80-virtual" -DGPT2_NATIVE=OFF
    -DGPT2_TEST_ROOT=. -DGPT2_TEST_BIN=bin)
  cmake "${flags[@]}" ${headers:+"-DCUDNN_FRONTEND_INCLUDE_DIR=$headers"} >&2
  cmake --build "$build" --target steps tales_program gpu_tests >&2
}

# The libraries of a program that the other machine lacks, as paths.
missing_libraries() {
  ldd "$1" | awk '$3 ~ /^\// { print $1, $3 }' | grep -vE "$present" | grep -vE "$of_cuda" | awk '{ print $2 }' || true
}

copy_programs() {
  local program
  mkdir -p "$folder"/{bin,lib}
  for program in "$build"/bin/*; do
    [[ -f $program && $program =~ /([0-9][0-9]_[a-z0-9_]+|common_test|tales)$ ]] || continue
    strip -o "$folder/bin/$(basename "$program")" "$program"
    missing_libraries "$program" | xargs -I % cp -L % "$folder/lib/"
  done
}

copy_files() {
  mkdir -p "$folder"/{tests,data,docs/timing}
  cp -R tests/golden tests/gpu tests/bench "$folder/tests/"
  cp -R data/fixtures data/tales-gpt2 "$folder/data/"
}

compile
rm -rf "$folder"
copy_programs
copy_files
size=$(du -sm "$folder" | cut -f 1)
echo "$folder: $(find "$folder/bin" -type f | wc -l) programs, $(find "$folder/lib" -type f | wc -l) libraries, $size MB"
((size <= limit_mb)) || die "$folder has $size MB; at most $limit_mb MB travel: leave something out"
