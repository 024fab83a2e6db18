# What tests/bench/timing knows and what it shows: rows and runs in, complaints, table, Markdown and gnuplot's
# commands out.
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

# The README's table: at most six columns, and no line longer than 100 characters. It names a row by the step's number,
# and by the flag's value where a step has several rows.
def short_name($rows): . as $row | (.flags | split(" ") | last // "") as $value |
  if $value != "" and ([$rows[] | select(.step == $row.step)] | length) > 1 then "\(.step[:2]) \($value)" else .step[:2] end;

def short_cells: .rows as $rows | (.torch != null) as $torch |
  (["step", "idea", "ms/step", "over \(.rows[0].step[:2])"] +
    if $torch then ["torch, ms", "over torch"] else ["tokens/s", "peak memory"] end),
  (.rows[] | [short_name($rows), .idea, (if .failure then "FAILED" elif .ms then .ms | ms_text else "-" end),
    (.over_first | times_text)] +
    if $torch then [(if .torch.ms? then .torch.ms | ms_text else "-" end), (.over_torch | times_text)]
    else [(if .tokens_per_sec then .tokens_per_sec | commas else "-" end), (.peak_bytes | bytes_text)] end);

def readme($folder):
  ([short_cells] | padded_lines), "", (sentences | sub("^with "; "Built with ") | "- \(.)." ) ,
  "- [All columns and notes](\($folder)/table.md).", "", "![Milliseconds per training step](\($folder)/table.svg)";

# ---- gnuplot's commands: a bar for each row, torch's below it

def quoted: "'" + gsub("'"; "''") + "'";  # in single quotes gnuplot substitutes nothing

# A label at a pixel of the picture.
def page_text($x; $y; $font): "set label \(quoted) at screen \($x) / real(width), 1 - \($y) / real(height) textcolor rgb grey font \($font)";
# A bar of $ms at $y pixels below the plot's top; `rows` is its height there.
def bar($ms; $y; $colour): "set object rectangle from 0, \($y) to \($ms), \($y + 15) fillstyle solid noborder " +
  "fillcolor rgb \($colour)";
def bar_text($ms; $y; $font): "set label \(quoted) at \($ms), \($y + 8) offset 0.8, 0 textcolor rgb grey font \($font)";
def left_text($y; $font): "set label \(quoted) at 0, \($y) right offset -1.5, 0 textcolor rgb grey font \($font)";
def key($x; $colour): "set object rectangle at screen (\($x) + 7.5) / real(width), 1 - 64 / real(height) " +
  "size screen 15 / real(width), 15 / real(height) fillstyle solid noborder fillcolor rgb \($colour)",
  page_text($x + 23; 64; "'sans-serif,12'");

def row_commands($y; $pitch):
  ("\(.step) \(.flags | gsub("--[a-z-]+ "; ""))" | sub(" $"; "") | left_text($y + $pitch / 2 - 9; "bold.',13'")),
  (.idea | left_text($y + $pitch / 2 + 6; "'sans-serif,11'")),
  (if .ms then
    bar(.ms; $y + 3; "ours"),
    (.ms as $ms | "\(.ms | ms_text)\(if .before then ", \(.over_first | times_text)" else "" end)" |
      bar_text($ms; $y + 3; "bold.',12'"))
  else "not timed" | bar_text(0; $y + 3; "bold.',12'") end),
  (if .torch.ms? then
    bar(.torch.ms; $y + 20; "torch"), (.torch.ms as $ms | $ms | ms_text | bar_text($ms; $y + 20; "'sans-serif,12'"))
  else empty end);

def commands:
  . as $table | 310 as $left | 86 as $top | (if .torch then 46 else 34 end) as $pitch |
  ($pitch * (.rows | length)) as $height |
  ([.rows[] | .ms, .torch.ms] | largest | if . > 0 then . else 1 end) as $longest |
  "width = 860; height = \($top + $height + 12); ours = '#2f81f7'; torch = '#e0812c'", "load style",
  ("Milliseconds per training step" | page_text(16; 20; "bold.',15'")), (first(sentences) | page_text(16; 39; "'sans-serif,12'")),
  ("this repository, and how many times as fast as \(.rows[0].step[:2])" | key($left; "ours")),
  (if .torch then "torch \(.torch.version)" | key($left + 350; "torch") else empty end),
  (.rows | to_entries[] | ($pitch * .key) as $y | .value | row_commands($y; $pitch)),
  "set lmargin at screen \($left) / real(width); set rmargin at screen \($left + 440) / real(width)",
  "set tmargin at screen 1 - \($top) / real(height); set bmargin at screen 12 / real(height)",
  "unset grid; unset xtics; unset ytics; unset key; set border 2",
  "set xrange [0:\($longest)]; set yrange [\($height):0]", "plot -1 notitle";
