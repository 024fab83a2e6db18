# shellcheck shell=bash disable=SC2154  # the script that sources this file sets the variables
# The rows of the timing table, in $work/rows.jsonl. tests/bench/timing sources this file.

# row KEY NUMBER FLAGS CHECK ARITHMETIC BEFORE VIDEO_MS TORCH IDEA
#   check: how far its losses may be from the first row's (timing.jq); before: the row it should be faster than;
#   torch: the chapter and flags of torch_gpt2.py, or none.
row() {
  jq -cn --arg key "$1" --arg step "$(step_named "$2")" --arg flags "$3" --arg check "$4" \
    --arg arithmetic "$5" --arg before "$6" --arg video_ms "$7" --arg torch "$8" --arg idea "$9" '
    {$key, $step, $flags, $check, $arithmetic, before: (if $before == "" then null else $before end),
     video_ms: ($video_ms | tonumber? // null), $torch, $idea}' >>"$work/rows.jsonl"
}

has_step() { [[ -n $(step_names | sed -n "/^$1_/p") ]]; }

list_rows() {
  local attention high=tf32
  [[ $device == cpu ]] && high=fp32
  row 04 04 "" fp32 fp32 "" 1000 04 "every op by itself, in float32"
  if has_step 05; then
    row 05-highest 05 "--matmul-precision highest" fp32 fp32 04 1000 04 "full float32 matrix products"
    row 05 05 "" "$high" "$high" 05-highest 333 05 "high: TF32 on a GPU, float32 on a CPU"
    if [[ $device == cpu ]]; then
      row 05-medium 05 "--matmul-precision medium" bf16 bf16 05-highest "" "05 --matmul-precision medium" \
        "matrix inputs rounded to bf16"
    fi
  fi
  if has_step 06; then row 06 06 "" bf16 bf16 05 300 06 "autocast: matrix products in bf16"; fi
  if has_step 07; then row 07 07 "" bf16 bf16 06 130 07 "fused kernels, few passes over memory"; fi
  if has_step 08; then
    row 08 08 "--attention own" bf16 bf16 07 96 08 "flash attention"
    attention=08
    if has_cudnn; then
      row 08-cudnn 08 "--attention cudnn" bf16 bf16 07 96 08 "flash attention, cuDNN's"
      attention=08-cudnn
    fi
  fi
  # 09 has cuDNN's attention where it is there.
  if has_step 09; then row 09 09 "" padded bf16 "$attention" 93 09 "a vocabulary of 50304"; fi
  list_later_rows
}

# The further rows of steps 15 and 16, with the flag that makes the row at the end.
list_variants() {
  case $1 in
    15) row 15-off 15 "$2 --master-weights off" start bf16 15 "" none "weights in bf16 only" ;;
    16)
      row 16-layernorm 16 "$2 --recompute layernorm" start bf16 15 "" none "GELUs and LayerNorms recomputed"
      row 16-block 16 "$2 --recompute block" start bf16 15 "" none "blocks recomputed"
      ;;
  esac
}

# Steps that train on other terms, of which only the first loss can be compared: one batch a step each.
list_later_rows() {
  local step before=09 flags='' variant idea
  while read -r step; do
    ((10#$step < 11)) || flags="--total-batch $((batch * seq))"
    variant=$flags
    case $step in
      10) idea="clipping, schedule, decay of matrices" ;;
      11) idea="accumulation, here of one micro-batch" ;;
      12) idea="many processes, here one" ;;
      13) idea="real data, evaluation, checkpoints" ;;
      14) idea="the step recorded as a CUDA graph" ;;
      15) variant+=" --master-weights on" idea="weights in bf16, float32 masters" ;;
      16) variant+=" --recompute gelu" idea="GELUs recomputed" ;;
      17) idea="optimizer's state divided, here by one" ;;
      *) idea=$(step_named "$step") ;;
    esac
    row "$step" "$step" "$variant" start bf16 "$before" "" none "$idea"
    list_variants "$step" "$flags"
    [[ $step == 16 ]] || before=$step  # 17 makes nothing again
  done < <(step_names | sed -n 's/^\([1-9][0-9]\)_.*/\1/p')
}
