# shellcheck shell=bash disable=SC2034,SC2154  # the script that sources this file sets the variables
# What the tour shows of each step: tour_NN, called with the step's name. tests/tour/tour sources this file and has
# `show`, `check`, `compare` and `row`.

# exact LIMIT: 0, the limit of equal losses. On a GPU each program times cuBLASLt's algorithms itself and may choose
# another one, so the losses are equal up to rounding, and LIMIT is the limit.
exact() { if [[ $preset == cuda ]]; then echo "$1"; else echo 0; fi; }

tour_01() {
  local claim="GPT-2 124M in the checkpoint's shapes, untied"
  if (($(available_mb) < 3000)); then
    row "$1" "$claim" "needs 3 GB of free memory" skipped
  elif show "$1" "$claim" --model gpt2 --batch 1 --seq 64; then
    check "$1" "$claim" 'parameters(149; 163037184)'
  fi
  claim="a forward pass from ids to logits"
  show "$1" "$claim" || return 0
  check "$1" "$claim" logits
}

tour_02() {
  local claim="a checkpoint of transformers, opened; its logits" difference verdict=FAILED
  local ids=39,68,75,75,78,11,220,0,256,255,187,188,39,39,39,1,120  # tests/golden/hf.json
  show "$1" "$claim" --model data/fixtures/tiny-gpt2 --ids "$ids" --logits "$out/logits.npy" || return 0
  difference=$(tests/tour/npy_difference "$out/logits.npy" tests/golden/tiny_gpt2_logits.npy) || difference=nan
  if awk -v d="$difference" 'BEGIN { exit !(d != "nan" && d + 0 <= 1e-4) }'; then verdict=ok; fi
  row "$1" "$claim" "off by $difference of the largest" "$verdict"
}

tour_03() {
  local claim="the ids that torch samples with seed 42" torch
  show "$1" "$claim" --model data/fixtures/tiny-gpt2 --ids 46,77,66,68,220,84,79 --num-sequences 5 \
    --max-tokens 30 --top-k 50 --seed 42 || return 0
  torch=$(jq -c '.sampled[0].ids' tests/golden/sampling.json)
  check "$1" "$claim" "sampled($torch; 7)"
  claim="a model of the tales tells one"
  show "$1" "$claim" --model data/tales-gpt2 --prompt Once --num-sequences 1 --max-tokens 120 || return 0
  check "$1" "$claim" tells_a_tale
}

tour_04() {
  local claim="one batch, learnt by heart; the loss"
  show "$1" "$claim" --overfit --steps 1000 || return 0
  check "$1" "$claim" learnt_by_heart
  check "$1" "$speed_claim" median_speed
}

tour_05() {
  show "$1" "fp32 products, timed" --matmul-precision highest --steps 50 || return 0
  compare "$1" "full float32: 04's losses" "$(exact 1e-4)" 04_overfit --steps 50
  check "$1" "$speed_claim" speed
}

tour_06() {
  show "$1" "autocast" --steps 50 || return 0
  compare "$1" "matrix products in bf16: 05's curve" 1e-3 05_tf32 --steps 50
  check "$1" "$speed_claim" speed
}

tour_07() {
  show "$1" "fused ops" --steps 50 || return 0
  compare "$1" "fused by hand: 06's curve within bf16" 1e-3 06_bf16 --steps 50
  check "$1" "$speed_claim" speed
}

tour_08() {
  show "$1" "flash attention" --steps 50 || return 0
  compare "$1" "no T x T matrix: 07's curve within bf16" 1e-3 07_fusion --steps 50
  check "$1" "$speed_claim" speed
}

tour_09() {
  local claim="257 bytes in 384 columns; the loss"
  show "$1" "$claim" --steps 50 || return 0
  check "$1" "$claim" 'falls_below(3.5)'
  check "$1" "$speed_claim" speed
}

tour_10() {
  local claim="the recipe: warm-up, clipping, decay groups"
  show "$1" "$claim" --steps 50 || return 0
  check "$1" "$claim" recipe
  check "$1" "$speed_claim" speed
}

fp32=(--dtype fp32 --matmul-precision highest)  # TF32, a GPU's default, would hide what is compared

tour_11() {
  show "$1" "accumulated gradients" --total-batch 1024 --batch 4 "${fp32[@]}" --steps 20 || return 0
  compare "$1" "4 micro-batches are one batch" 1e-5 \
    11_grad_accum --total-batch 1024 --batch 16 "${fp32[@]}" --steps 20
  check "$1" "$speed_claim" speed
}

ranks_text() {
  case $shown_ranks in
    1) echo "one rank" ;;
    2) echo "two ranks" ;;
    *) echo "$shown_ranks ranks" ;;
  esac
}

tour_12() {
  show "$1" "many processes" "${fp32[@]}" --steps 20 || return 0
  compare "$1" "one model on $(ranks_text): 11's losses" 1e-5 11_grad_accum "${fp32[@]}" --steps 20
  check "$1" "$speed_claim" speed
}

# Starts a run of 13 with these flags and kills it at its second checkpoint.
start_and_kill() {
  "$bin/$1" "${@:2}" --log "$out/$1.jsonl" >/dev/null 2>&1 &
  until [[ -d $out/13_out/step_000020 ]] || ! kill -0 $! 2>/dev/null; do sleep 0.02; done
  { kill -KILL $! && wait $!; } 2>/dev/null || true
}

tour_13() {
  local claim="killed on the way, resumed: 12's losses" COURSE_RANKS=1 texts=$out/13_texts flags from limit=1e-5
  flags=(--order video "${fp32[@]}" --steps 60 --checkpoint-every 10 --out "$out/13_out" --val-every 20
    --val-data "$texts.txt")
  "$bin/tales" --bytes 200000 --seed 7 >"$texts.txt"
  "$bin/tales" --hellaswag 400 --seed 7 >"$texts.jsonl"
  rm -rf "$out/13_out"
  start_and_kill "$1" "${flags[@]}"
  show "$1" "$claim" "${flags[@]}" --resume || return 0
  from=$(sed -n 's/^going on from .*step_0*//p' "$out/$1.txt")
  if [[ -z $from ]]; then limit=-1; fi  # it ended before it was killed: nothing was resumed
  compare "$1" "killed, resumed at step ${from:-0}: 12's losses" "$limit" 12_ddp "${fp32[@]}" --steps 60
  check "$1" "the loss on other tales" 'validated(4)'
  claim="the trained model picks the right ending of four"
  show "$1" "$claim" --model data/tales-gpt2 --batch 12 --seq 256 --total-batch 3072 --steps 1 \
    --hellaswag-every 1 --hellaswag "$texts.jsonl" || return 0
  check "$1" "$claim" ends_tales
}

tour_14() {
  local COURSE_RANKS=1
  show "$1" "the step as a graph" --steps 20 || return 0
  compare "$1" "the step as a CUDA graph: 13's losses" "$(exact 1e-3)" 13_fineweb --steps 20
  check "$1" "$speed_claim" speed
}

tour_15() {
  local COURSE_RANKS=1
  show "$1" "in float32: 14's losses" "${fp32[@]}" --steps 10 || return 0
  compare "$1" "in float32: 14's losses" "$(exact 1e-4)" 14_cuda_graph "${fp32[@]}" --steps 10
  show "$1" "weights in bf16" --steps 50 || return 0
  compare "$1" "weights in bf16: 14's curve within bf16" 5e-3 14_cuda_graph --steps 50
  check "$1" "$speed_claim" speed
}

tour_16() {
  local COURSE_RANKS=1
  show "$1" "blocks recomputed" --recompute block --steps 20 || return 0
  compare "$1" "blocks recomputed: 15's losses" "$(exact 1e-3)" 15_bf16_weights --steps 20
  check "$1" "$speed_claim" speed
}

tour_17() {
  local other_ranks
  if [[ $preset != cuda ]] && have mpirun; then local COURSE_RANKS=2; fi
  show "$1" "the optimizer's state divided" --steps 20 || return 0
  other_ranks=$shown_ranks
  compare "$1" "its state divided, $(ranks_text): 15's losses" "$(exact 1e-3)" 15_bf16_weights --steps 20
  check "$1" "$speed_claim" speed
}
