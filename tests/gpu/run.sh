#!/usr/bin/env bash
# All that wants a GPU, on a machine that has one: builds the CUDA preset, runs the CUDA tests, times every step
# beside torch, then compute-sanitizer over the tests and ncu over one step; keeps the times for the page of predictions.
#
#   OUT=folder [SOURCES=folder] [ARCH=90a] tests/gpu/run.sh [STAGE...]
#
# Stages: build test timing large memcheck racecheck ncu keep; all of them by default, in about 25 minutes. Everything is
# written below OUT, a summary is printed last. SOURCES has a folder for each dependency the machine lacks (fmt, CLI11,
# nlohmann_json, googletest, pcre2_source, cudnn_frontend), for machines without a network.
set -uo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." || exit
: "${OUT:?OUT=folder tests/gpu/run.sh}"
mkdir -p "$OUT"
bin=build/cuda/bin
summary=()

# run_stage NAME SECONDS COMMAND...: its output in $OUT/NAME.txt, its fate in the summary.
run_stage() {
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

# one NAME STEP FLAGS...: a step's last line on the screen, its log in $OUT/NAME.jsonl.
one() {
  echo "== $*"
  "$bin/$2" --device cuda --model gpt2 --log "$OUT/$1.jsonl" "${@:3}" | tail -n 2
}

# one_torch NAME CHAPTER FLAGS...: the same of torch, which reads the same text.
one_torch() {
  echo "== torch $*"
  python3 tests/bench/torch_gpt2.py --chapter "$2" --device cuda --adamw fused --data "$OUT/tales.txt" "${@:3}" \
    >"$OUT/$1.jsonl" && tail -n 1 "$OUT/$1.jsonl"
}

# Each step, then torch's same chapter, at the video's batch; where jq is installed, ./course timing makes a table.
timing() {
  local flags=(--batch 16 --seq 1024 --steps 25) chapter
  "$bin/tales" --bytes 4000000 >"$OUT/tales.txt"
  one 04 04_overfit "${flags[@]}"
  one 05_highest 05_tf32 "${flags[@]}" --matmul-precision highest
  one 05 05_tf32 "${flags[@]}"
  one 06 06_bf16 "${flags[@]}" --count
  one 07 07_fusion "${flags[@]}" --count
  one 08_own 08_flash_attention "${flags[@]}" --attention own --count
  one 08_cudnn 08_flash_attention "${flags[@]}" --attention cudnn
  one 09 09_vocab "${flags[@]}"
  for chapter in 04 05 06 07 08 09; do one_torch "torch_$chapter" "$chapter" "${flags[@]}"; done
}

# What a large card is for: 65,536 tokens at a time.
large() {
  local flags=(--batch 64 --seq 1024 --steps 20)
  "$bin/tales" --bytes 4000000 >"$OUT/tales.txt"
  one 08_own_64 08_flash_attention "${flags[@]}" --attention own
  one 08_cudnn_64 08_flash_attention "${flags[@]}" --attention cudnn
  one 09_64 09_vocab "${flags[@]}"
  one_torch torch_09_64 09 "${flags[@]}"
  one 10_64 10_adamw "${flags[@]}"
  one 14_64 14_cuda_graph "${flags[@]}" --total-batch 65536
  one 14_graph_64 14_cuda_graph "${flags[@]}" --total-batch 65536 --cuda-graph on
  # The night's first hundred steps, 52 million tokens.
  one 13_night 13_fineweb --batch 64 --seq 1024 --total-batch 524288 --steps 100 --warmup 715
}

stage_build() { run_stage build 500 bash -c configure; }
stage_test() { run_stage test 300 ctest --preset cuda --label-regex '^cuda$'; }
stage_timing() { run_stage timing 500 bash -c timing; }
stage_large() { run_stage large 420 bash -c large; }
stage_memcheck() {
  run_stage memcheck 500 compute-sanitizer --error-exitcode 1 "$bin/common_test" '--gtest_filter=*/cuda*'
}
stage_racecheck() {  # of our own kernels: cuBLASLt's and cuDNN's take too long
  run_stage racecheck 500 compute-sanitizer --tool racecheck --error-exitcode 1 "$bin/common_test" \
    '--gtest_filter=*/cuda*-*Matmul*:*Cudnn*'
}
# One step of 09, without matrix products, which are tried out in the first step.
stage_ncu() {
  run_stage ncu 400 ncu --clock-control none --set basic --kernel-name 'regex:_kernel|cudnn|sdpa' --csv \
    "$bin/09_vocab" --device cuda --model gpt2 --batch 64 --seq 1024 --steps 1 --attention cudnn
}

# keep_measured STEP BATCH FLAGS...: for the columns "measured" of docs/timing/gpu_predictions.md.
keep_measured() {
  local gpu
  gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader | grep -oE -m 1 'H200|H100|A100|RTX 4090') || return 0
  python3 tests/gpu/predict measured --gpu "$gpu" --step "$1" --batch "$2" "${@:3}"
}

keep() {
  local batch suffix
  for batch in 16 64; do
    suffix=$([[ $batch == 64 ]] && echo _64)
    keep_measured 08_flash_attention "$batch" --attention own --log "$OUT/08_own$suffix.jsonl"
    keep_measured 08_flash_attention "$batch" --attention cudnn --log "$OUT/08_cudnn$suffix.jsonl"
    keep_measured 09_vocab "$batch" --attention cudnn --log "$OUT/09$suffix.jsonl"
  done
  keep_measured 06_bf16 16 --log "$OUT/06.jsonl"
  keep_measured 07_fusion 16 --log "$OUT/07.jsonl"
  keep_measured 10_adamw 64 --attention cudnn --log "$OUT/10_64.jsonl"
  keep_measured 13_fineweb 64 --attention cudnn --log "$OUT/13_night.jsonl"
  keep_measured 09_vocab 64 --ncu "$OUT/ncu.txt"
  cp docs/timing/gpu_measured.json "$OUT/"
}
stage_keep() { run_stage keep 60 bash -c keep; }

export -f configure timing large one one_torch keep keep_measured
export bin OUT ARCH SOURCES
(($#)) || set -- build test timing large memcheck racecheck ncu keep
for name in "$@"; do
  "stage_$name" || [[ $name != build ]] || break
done
printf '%s\n' "${summary[@]}" | tee "$OUT/summary.txt"
tail -n 40 "$OUT/test.txt" "$OUT/timing.txt" "$OUT/large.txt" 2>/dev/null
