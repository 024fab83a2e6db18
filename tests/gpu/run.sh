#!/usr/bin/env bash
# All that wants a GPU, in one go on a machine that has one: builds the CUDA preset, runs the CUDA tests, times
# 04_overfit beside torch, then compute-sanitizer over the tests and ncu over the slowest kernels.
#
#   OUT=folder [SOURCES=folder] [ARCH=90a] tests/gpu/run.sh
#
# Everything is written below OUT, a summary is printed last. SOURCES has a folder for each dependency the machine
# lacks (fmt, CLI11, nlohmann_json, googletest, pcre2_source), for machines without a network.
set -uo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." || exit
: "${OUT:?OUT=folder tests/gpu/run.sh}"
mkdir -p "$OUT"
bin=build/cuda/bin
summary=()

# stage NAME SECONDS COMMAND...: its output in $OUT/NAME.txt, its fate in the summary.
stage() {
  local name=$1 limit=$2 start=$SECONDS status=0
  shift 2
  timeout "$limit" "$@" >"$OUT/$name.txt" 2>&1 || status=$?
  summary+=("$(printf '%-12s exit %3d  %4d s' "$name" "$status" $((SECONDS - start)))")
  return "$status"
}

configure() {
  local flags=(--preset cuda "-DCMAKE_CUDA_ARCHITECTURES=${ARCH:-90a}") folder
  for folder in "${SOURCES:-/nonexistent}"/*/; do
    [[ -d $folder ]] && flags+=("-DFETCHCONTENT_SOURCE_DIR_$(basename "$folder" | tr '[:lower:]' '[:upper:]')=$(realpath "$folder")")
  done
  nvidia-smi && cmake "${flags[@]}" && cmake --build --preset cuda
}

timing() {
  local flags=(--model gpt2 --batch 16 --seq 1024 --steps 20)
  "$bin/04_overfit" --device cuda "${flags[@]}" --log "$OUT/04_overfit.jsonl"
  python3 tests/bench/torch_gpt2.py --chapter 04 --device cuda "${flags[@]}"
}

export -f configure timing
export bin OUT ARCH SOURCES
if stage build 400 bash -c configure; then
  stage test 120 ctest --preset cuda --label-regex cuda
  stage timing 200 bash -c timing
  stage memcheck 300 compute-sanitizer --error-exitcode 1 "$bin/common_test" '--gtest_filter=*/cuda*'
  stage racecheck 300 compute-sanitizer --tool racecheck --error-exitcode 1 "$bin/common_test" \
    '--gtest_filter=*/cuda*-*Matmul*'
  stage ncu 200 ncu --clock-control none --set basic --launch-skip 600 --launch-count 300 --csv \
    "$bin/04_overfit" --device cuda --model gpt2 --batch 16 --seq 1024 --steps 3
fi
printf '%s\n' "${summary[@]}" | tee "$OUT/summary.txt"
tail -n 25 "$OUT/test.txt" "$OUT/timing.txt" 2>/dev/null
