# shellcheck shell=bash disable=SC2034  # the scripts that source this file use the variables Functions for
# the verbs of ./course: paths, packages, the build, the names of the steps. A verb's script sources this
# file, which sets `here` (the caller's folder) and `root` (the repository) and changes to `root`.
#
# Every script must run with bash 3.2 and BSD's tools, because macOS has those: no mapfile, no associative
# arrays, and if a list may be empty, ${list[@]+"${list[@]}"} instead of "${list[@]}".
set -euo pipefail

here=$PWD
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root"

die() {
  echo "${name:-course}: $*" >&2
  exit 1
}

# show COMMAND...: prints what the command prints. Fails if standard output is closed or full.
show() {
  local text error status=0
  text=$("$@") || exit
  { true 3>&1; } 2>/dev/null || die "standard output: it is closed; redirect it to a file or to /dev/null"
  # In a subshell: if the reader of a pipe has left, the signal ends only that.
  { error=$(printf '%s\n' "$text" 2>&1 >&3) || status=$?; } 3>&1
  [[ -z $error ]] || die "standard output: ${error##*: }"
  ((status == 0)) || exit "$status"
}

# whole_number TEXT: the number that a person means: 10 for 10, 010, 1_0, +10, 10.0 and 1e1. Fails on any other text.
whole_number() {
  local text=${1//_/}
  [[ $text =~ ^\+?[0-9]+(\.[0-9]*)?([eE]\+?[0-9])?$ ]] || return 1
  text=$(LC_ALL=C printf '%.6f' "${text#+}")
  [[ $text == *.000000 && ${#text} -le 16 ]] || return 1
  echo "${text%.*}"
}

have() { command -v "$1" >/dev/null; }

# asks_for_help ARGUMENTS...: whether the first argument is --help or -h.
asks_for_help() { [[ ${1:-} == --help || ${1:-} == -h ]]; }

cores() { nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1; }

# ---- packages

# Debian's packages for building, testing and the tour.
build_packages=(
  g++ cmake ninja-build git jq curl ca-certificates
  libdnnl-dev ocl-icd-opencl-dev  # oneDNN, and a package that its CMake files require
  libcli11-dev nlohmann-json3-dev libfmt-dev libpcre2-dev libpng-dev zlib1g-dev libzstd-dev libxxhash-dev
  libopenmpi-dev openmpi-bin  # for several processes
  libgtest-dev libbenchmark-dev
)
plot_packages=(jq gnuplot-nox)

missing_packages() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "$@" 2>/dev/null | sed -n 's/^ii *//p') || true
  comm -23 <(printf '%s\n' "$@" | sort -u) <(sort -u <<<"$installed")
}

install_packages() {
  local log=$root/build/install.log
  mkdir -p build
  echo "course: installing $*" >&2
  export DEBIAN_FRONTEND=noninteractive
  local apt=(apt-get -qq -o DPkg::Lock::Timeout=300)
  { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "$@"; } >"$log" 2>&1 ||
    die "apt-get install failed: $(grep -m 1 '^E:' "$log" || tail -n 1 "$log") (full output: build/install.log)"
  rm -f build/*/build.ninja  # so that CMake runs again and finds the new libraries
}

# ensure_packages PACKAGE...: installs the missing packages with apt. Without apt it does nothing.
ensure_packages() {
  [[ ${COURSE_INSTALL:-yes} != no ]] && have dpkg-query && have apt-get || return 0
  local missing=() package
  while read -r package; do
    [[ -z $package ]] || missing+=("$package")
  done < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  ((EUID == 0)) || die "missing packages; run: sudo apt-get install --no-install-recommends ${missing[*]}"
  install_packages "${missing[@]}"
}

require_tools() {
  local tool
  for tool in c++ cmake ninja jq; do
    have "$tool" || die "$tool is missing: install a C++20 compiler, CMake 3.25, Ninja and jq, then try again"
  done
}

# ---- what the machine has

available_mb() {
  if [[ -r /proc/meminfo ]]; then
    awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo
  else
    echo $(($(sysctl -n hw.memsize 2>/dev/null || echo 0) / 1048576))  # macOS: the total memory
  fi
}

# The version in the C++ header that the build will find; `here` if the header has no version.
library() {
  local version python
  python=$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))' 2>/dev/null) || true
  version=$(printf '#include <%s>\nfound: %s' "$1" "${2:-here}" |
    c++ -E -P -x c++ -I "${CUDA_PATH:-/usr/local/cuda}/include" -I "$python/include" - 2>/dev/null | sed -n 's/^found: //p') || true
  tr -d ' "' <<<"$version"
}

version_of() { if have "$1"; then "$@" 2>&1 | grep -oE '[0-9]+\.[0-9][0-9.]*' | sed -n 1p; fi; }

# ---- build

find_nvcc() { command -v nvcc || ls "${CUDA_PATH:-/usr/local/cuda}/bin/nvcc" 2>/dev/null; }
# Not `nvidia-smi | grep -q`: grep exits at the first match, and with pipefail the broken pipe counts as a
# failure.
have_gpu() { have nvidia-smi && [[ $(nvidia-smi -L 2>/dev/null) == GPU* ]]; }

choose_preset() {
  if [[ -n ${COURSE_PRESET:-} ]]; then
    echo "$COURSE_PRESET"
  elif have_gpu && find_nvcc >/dev/null; then
    echo cuda
  else
    echo cpu
  fi
}

# configure [CMAKE FLAGS]: sets `preset`, `build` and `bin`. Ninja runs CMake again when the lists of files change.
configure() {
  local extra
  read -ra extra <<<"${COURSE_EXTRA_PACKAGES:-}"  # .ci/run needs them
  ensure_packages "${build_packages[@]}" ${extra[@]+"${extra[@]}"}
  require_tools
  preset=$(choose_preset)
  build=build/$preset
  bin=$root/$build/bin
  [[ -f $build/build.ninja && $# == 0 ]] && return
  { mkdir -p "$build" && [[ -w $build ]]; } 2>/dev/null ||
    die "$root/$build cannot be written: copy the repository to a folder of yours and run ./course there"
  cmake --preset "$preset" "$@" >&2 ||
    die "CMake could not configure $build (3.25 or newer; ./course doctor shows what is missing)"
}

build_target() { cmake --build "$build" --target "$1" >&2 || die "the build of $1 in $build failed"; }

# ---- steps

step_names() {
  local main
  for main in steps/*/train_gpt2.cpp; do basename "${main%/*}"; done
}

# step_named NUMBER|NAME: the step's full name.
step_named() {
  local number=$1 step
  [[ $1 =~ ^[0-9]$ ]] && number=0$1
  for step in $(step_names); do
    [[ $step == "$1" || ${step%%_*} == "$number" ]] && echo "$step" && return
  done
  die "no step $1; there are $(step_names | paste -sd ' ' -)"
}

# ranks_of STEP PRESET: the number of processes that ./course starts.
ranks_of() {
  local number=${1%%_*} ranks=1
  if [[ ! $number =~ ^[0-9]+$ ]] || ((10#$number < 12)); then
    echo 1
    return
  fi
  if [[ $number == 12 ]] && have mpirun; then ranks=2; fi
  if [[ $2 == cuda ]]; then ranks=$(nvidia-smi -L 2>/dev/null | grep -c '^GPU' || true); fi
  echo "${COURSE_RANKS:-$ranks}"
}
