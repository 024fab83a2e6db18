# What tests/bench/timing knows and what it shows: rows and runs in, complaints, table, Markdown and SVG out.
#
# A row is one line of the table: {key, step, flags, idea, check, arithmetic, before, video_ms, torch, skipped}.
# A run is one start of a program: {key, torch: true or false, round, error, events: its log}; torch's key is the
# row's `torch`.

def warm_up: 3;          # steps that are not timed
def compared: 5;         # losses that are compared
# How far a loss may be from what it is compared with, relatively: bf16 and TF32 round each factor by up to 2^-8 and
# 2^-11. Where the vocabulary is padded, other weights are drawn: only the size of the losses is compared. `start`:
# the first loss alone.
def tolerances: {fp32: 1e-4, tf32: 5e-3, bf16: 5e-3, padded: 5e-2, start: 5e-2};

def models: {
  "tiny": {L: 4, C: 128, V: 257}, "gpt2": {L: 12, C: 768, V: 50257},
  "gpt2-medium": {L: 24, C: 1024, V: 50257}, "gpt2-large": {L: 36, C: 1280, V: 50257},
  "gpt2-xl": {L: 48, C: 1600, V: 50257}
};

# Multiplications and additions of a token's matrix products, forward and backward (PaLM, appendix B): nothing is
# taken off for the causal mask, nothing added for a padded vocabulary.
def flops_per_token($settings): models[$settings.model] as {$L, $C, $V} |
  6 * (12 * $L * $C * $C + $V * $C) + 12 * $L * $C * $settings.seq;

def abs: if . < 0 then -. else . end;
def largest: reduce .[] as $x (0; if $x > . then $x else . end);
def is_finite: type == "number" and (isnan | not) and (isinfinite | not);
def median: sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2;

def fixed($digits):  # 2.5 | fixed(2) is "2.50"
  if $digits == 0 then round | tostring else
    (. * pow(10; $digits) | round | tostring) as $all |
    (if ($all | length) > $digits then $all else "0" * ($digits + 1 - ($all | length)) + $all end) |
    .[:-$digits] + "." + .[-$digits:]
  end;
def commas: round | tostring | [while(length > 0; .[:-3]) | .[-3:]] | reverse | join(",");
def ms_text: fixed(if . < 20 then 1 else 0 end);
def ms_and_spread: if .ms? then "\(.ms | ms_text) (\(.spread | map(ms_text) | join("-")))" else "-" end;
def bytes_text: if . then "\(. / 1e6 | commas) MB" else "-" end;
def times_text: if . then "\(fixed(2))x" else "-" end;

# gpu_peaks.json -> {fp32, tf32, bf16, source} of the GPU with this name, in TFLOP/s; empty if it is not there.
def known_peak($name):
  first(
    (."data sheets"[] | select(.name as $known | $name | test("^(\($known))$")) | del(.name)),
    (.GeForce as {$fp32, $sources} | ($name | capture("^NVIDIA GeForce RTX (?<card>.*)$").card) as $card |
      $fp32[$card] // empty | {fp32: ., tf32: ., bf16: (2 * .), source: $sources[$card[:2]]}));

# ---- the losses

def losses: [.events[] | select(.event == "step").loss];

# null, or how the losses (in) differ from the expected ones: beyond the tolerance, with `slack` added to each.
def difference($expected; $check; $slack; $what):
  tolerances[$check] as $tolerance | (if $check == "start" then 1 else compared end) as $n |
  [.[:$n], $expected[:$n]] | transpose | map(select(all(. != null))) |
  map({by: (.[0] / .[1] - 1 | abs), allowed: ($tolerance + $slack / .[1])}) |
  if length == 0 then "no loss to compare with \($what)"
  elif all(.by | is_finite) and all(.by <= .allowed) then null
  else "its losses differ from \($what) by \(map(.by) | max * 1000 | fixed(2))e-3, relatively; \($tolerance) is allowed"
  end;

# The row's first complaint, or null. The first row is what the others are compared with; its own first loss is that
# of a model which knows nothing: ln V.
def complaint($row; $rows; $runs; $settings):
  [$runs[] | select(.torch | not)] as $ours |
  models[$settings.model].V as $V |
  (($V + 127) / 128 | floor * 128 / $V | log) as $padding |
  ([$ours[] | select(.key == $rows[0].key)][0] | if . then losses else [] end) as $reference |
  [$runs[] | select(.torch and .key == $row.torch and .error == null)] as $torch |
  first(
    (if any($ours[]; .key == $row.key) then empty else "its program was not started" end),
    ($ours[] | select(.key == $row.key) |
      if .error then .error
      else losses as $losses |
        if ($losses | length) != $settings.steps or ($losses | all(is_finite) | not)
        then "its log has no finite loss for each of the \($settings.steps) steps"
        elif $row.key == $rows[0].key and ($losses[0] - ($V | log) | abs > 0.3)
        then "its first loss is \($losses[0]), not near ln \($V)"
        else
          ($losses | difference($reference; $row.check; 0; "those of \($rows[0].key)")),
          ($torch[] | . as $run | (if $row.check == "padded" then "bf16" else $row.check end) as $check |
            $losses | difference($run | losses; $check;
              if $row.check == "padded" then $padding else 0 end; "torch's"))
        end
      end), null | select(. != null)) // null;

def complaints($rows; $runs; $settings):
  [$rows[] | {key, value: complaint(.; $rows; $runs; $settings)} | select(.value != null)] | from_entries;

# ---- the table

def timing_of($runs):  # of one program: null if it was not timed
  [$runs[].events | map(select(.event == "step").ms)[warm_up:][]] as $ms |
  if ($ms | length) == 0 then null else {
    ms: ($ms | median), spread: [$ms | min, max],
    peak_bytes: ([$runs[].events[] | select(.event == "done").peak_bytes // empty] | max)
  } end;

def run_text:  # of a run, for who waits for it
  "round \(.round): \(if .torch then "torch " else "" end)\(.key): " +
  (.error // (timing_of([.]) | if . then "\(.ms | ms_text) ms" else "no step is timed" end));

def torch_timing($row; $runs):
  [$runs[] | select(.torch and .key == $row.torch)] as $of_chapter |
  if ($of_chapter | length) == 0 then null else
    (timing_of([$of_chapter[] | select(.error == null)]) // {ms: null}) +
    {chapter: $row.torch,
     notes: [$of_chapter[] | .error // empty, (.events[] | select(.event == "note").text)] | unique}
  end;

# settings: what the run was (model, batch, seq ...); peak: {fp32, tf32, bf16, source} in TFLOP/s or null.
def table($rows; $runs; $settings; $peak):
  complaints($rows; $runs; $settings) as $failures |
  ($settings.batch * $settings.seq) as $tokens |
  [$rows[] | . as $row |
    (if $failures[.key] then null else timing_of([$runs[] | select((.torch | not) and .key == $row.key)]) end) as $own |
    torch_timing($row; $runs) as $torch |
    {key, step, flags, idea, check, arithmetic, before, failure: $failures[.key], video_ms,
     losses: ([$runs[] | select((.torch | not) and .key == $row.key)][0] | if . then losses[:compared] else [] end)} +
    ($own // {ms: null, spread: null, peak_bytes: null}) + {torch: $torch}
  ] as $timed |
  ($timed | map({key, value: .ms}) | from_entries) as $ms_of |
  def ratio($a; $b): if $a and $b then $a / $b else null end;
  $settings + {warm_up: warm_up, compared_losses: compared, tolerances: tolerances, peak_tflops: $peak,
    flops_per_token: flops_per_token($settings),
    rows: [$timed[] | . + {
      tokens_per_sec: (if .ms then 1000 * $tokens / .ms else null end),
      mfu: (if .ms and $peak then flops_per_token($settings) * $tokens / .ms / 1e9 / $peak[.arithmetic] else null end),
      over_before: ratio($ms_of[.before // ""]; .ms), over_first: ratio($timed[0].ms; .ms),
      over_torch: ratio(.torch.ms; .ms)}]};

# ---- Markdown

def sentences:
  "GPT-2 " + (if .model == "gpt2" then "124M" else .model end) + ", B = \(.batch), T = \(.seq), on \(.device)",
  "\(.rounds) \(if .rounds == 1 then "round" else "rounds" end) of \(.steps) steps, the first \(.warm_up) of each start left out; commit \(.commit), \(.date)",
  (select(.libraries != "") | "with \(.libraries)");

def notes:
  . as $table |
  "Times are medians (fastest-slowest) of a step. The programs take turns, so that what disturbs one disturbs all.",
  "Losses are compared first, \(.compared_losses) of each start: with those of \(.rows[0].key)" +
    (if .torch then ", and with torch's" else "" end) +
    ", up to \(.tolerances.fp32) (fp32), \(.tolerances.bf16) (TF32, bf16), \(.tolerances.padded) (other weights, " +
    "from 09 on).",
  (if .peak_tflops then
    "MFU: \(.flops_per_token / 1e6 | fixed(0)) MFLOP a token, over what the device does in the row's arithmetic: " +
    ([.rows[].arithmetic] | unique | map("\($table.peak_tflops[.] | fixed(2)) TFLOP/s \(.)") | join(", ")) +
    " (\(.peak_tflops.source))."
   else "MFU: the device's peak is not known." end),
  (if .torch then
    "torch \(.torch.version): the video's code at the same chapter, AdamW \(.torch.adamw), its allocator tuned " +
    "(tests/bench/torch_gpt2.py); over torch: its time / ours."
   else empty end),
  "The video's times are of B = 16, T = 1024 on an A100.",
  .notes[], ([.rows[].torch | select(. != null) | "torch, chapter \(.chapter): \(.notes[])"] | unique[]);

def cells: . as $table |
  (["step", "idea", "ms a step", "over the step before", "over \(.rows[0].step[:2])", "tokens/s", "MFU", "peak memory",
    "video, ms"] + if .torch then ["torch, ms", "over torch"] else [] end),
  (.rows[] | [.step + (if .flags == "" then "" else " `\(.flags)`" end), .idea,
    (if .failure then "FAILED" else ms_and_spread end), (.over_before | times_text), (.over_first | times_text),
    (if .tokens_per_sec then .tokens_per_sec | commas else "-" end),
    (if .mfu then "\(100 * .mfu | fixed(1))%" else "n/a" end), (.peak_bytes | bytes_text), "\(.video_ms // "-")"] +
    if $table.torch then [(.torch | ms_and_spread), (.over_torch | times_text)] else [] end);

def padded_lines:  # arrays of cells -> Markdown, aligned
  ([.[]] | transpose | map(map(length) | max)) as $widths |
  def line: [., $widths] | transpose | map(.[0] + (" " * (.[1] - (.[0] | length)) // "")) | "| " + join(" | ") + " |";
  (.[0] | line), ($widths | map("-" * (. + 2)) | "|" + join("|") + "|"), (.[1:][] | line);

def markdown:
  ([cells] | padded_lines), "",
  ([sentences] | join("; ") + "."), (notes | "- " + .) ,
  (.rows[] | select(.failure) | "- FAILED: \(.key): \(.failure)");

# ---- SVG: a bar for each row, torch's below it; colours that can be read on white and on black

def svg_text($x; $y; $size; $class):
  "<text x=\"\($x | fixed(1))\" y=\"\($y)\" font-size=\"\($size)\" class=\"\($class)\">\(@html)</text>";

def svg_bar($x; $y; $width; $class):
  ([$width, 1] | max | fixed(1)) as $width |
  "<rect x=\"\($x)\" y=\"\($y)\" width=\"\($width)\" height=\"15\" rx=\"2\" class=\"\($class)\"/>";

def svg_row($y; $left; $scale; $pitch):
  ("\(.step) \(.flags | gsub("--[a-z-]+ "; ""))" | sub(" $"; "") |
    svg_text($left - 12; $y + $pitch / 2 - 5; 13; "name left")),
  (.idea | svg_text($left - 12; $y + $pitch / 2 + 9; 11; "left")),
  (if .ms then
    (.ms * $scale) as $width | svg_bar($left; $y + 3; $width; "ours"),
    ("\(.ms | ms_text)\(if .before then ", \(.over_first | times_text)" else "" end)" |
      svg_text($left + $width + 7; $y + 15; 12; "name"))
  else "not timed" | svg_text($left + 7; $y + 15; 12; "name") end),
  (if .torch.ms? then
    (.torch.ms * $scale) as $width | svg_bar($left; $y + 20; $width; "torch"),
    (.torch.ms | ms_text | svg_text($left + $width + 7; $y + 32; 12; ""))
  else empty end);

def svg_key($x; $class; $name): svg_bar($x; 56; 15; $class), ($name | svg_text($x + 21; 68; 12; ""));

def svg:
  . as $table | 310 as $left | 86 as $top | (if .torch then 46 else 34 end) as $pitch |
  ($top + $pitch * (.rows | length) + 12) as $height |
  (440 / ([.rows[] | .ms, .torch.ms] | largest | if . > 0 then . else 1 end)) as $scale |
  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 \($height)\" width=\"860\" height=\"\($height)\">",
  "<title>Milliseconds a training step</title>",
  "<style>",
  "text { fill: #7a8490; font-family: system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; }",
  ".name { font-weight: 600; } .left { text-anchor: end; }",
  ".ours { fill: #2f81f7; } .torch { fill: #e0812c; } .axis { stroke: #7a8490; }",
  "</style>",
  ("Milliseconds a training step" | svg_text(16; 24; 15; "name")), (first(sentences) | svg_text(16; 43; 12; "")),
  svg_key($left; "ours"; "this repository, and how many times as fast as \(.rows[0].step[:2])"),
  (if .torch then svg_key($left + 350; "torch"; "torch \(.torch.version)") else empty end),
  (.rows | to_entries[] | ($top + $pitch * .key) as $y | .value | svg_row($y; $left; $scale; $pitch)),
  "<line x1=\"\($left)\" y1=\"\($top)\" x2=\"\($left)\" y2=\"\($height - 12)\" class=\"axis\"/>",
  "</svg>";
