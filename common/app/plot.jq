# What common/app/plot draws: a log's lines in, curves out; the curves of all logs in, gnuplot's commands out.
#
# A point is [step, value]. The curves of a log are {file, data, size, train, val, hellaswag}: each curve is a list
# of points sorted by step, without non-finite values. Llm.c's main.log is read as well as ours.

def most_points: 1000;  # per curve: more than there are pixels
# The baselines of each size: GPT-2's losses on the validation shards of FineWeb, and for 124M of FineWeb-EDU, and its
# and GPT-3's accuracies, as llm.c's notebook has them. Losses can only be compared on the same tokens.
def sizes: [
  {size: "124M", parameters: 124.4e6, fineweb: 3.425, edu: 3.2924, gpt2: 0.2955, gpt3: 0.337},
  {size: "350M", parameters: 354.8e6, fineweb: 3.083, gpt2: 0.375, gpt3: 0.436},
  {size: "774M", parameters: 774e6, fineweb: 3.001, gpt2: 0.432, gpt3: 0.510},
  {size: "1558M", parameters: 1557.6e6, fineweb: 2.831, gpt2: 0.489, gpt3: 0.547}];
def loss_baselines($is_edu):
  .[] | if $is_edu and .edu then {y: .edu, text: "GPT-2 \(.size): \(.edu)"}
        else {y: .fineweb, text: "GPT-2 \(.size), FineWeb: \(.fineweb)"} end;
def hellaswag_baselines:
  .[] | {y: .gpt2, text: "GPT-2 \(.size): \(.gpt2)"}, {y: .gpt3, text: "GPT-3 \(.size): \(.gpt3)"};

def is_finite: type == "number" and . > -1e30 and . < 1e30;  # false for NaN
def at_least($x): if . < $x then $x else . end;
def at_most($x): if . > $x then $x else . end;
def mean: add / length;

# ---- a log

def fail: "plot: \(.)\n" | halt_error(1);

# A line of llm.c's main.log -> the event of our log; null if it is not such a line.
def llmc_event:
  {trl: ["step", "loss"], tel: ["val", "loss"], eval: ["hellaswag", "acc_norm"]} as $streams |
  (capture("^s:(?<step>[0-9]+) (?<stream>trl|tel|eval):(?<value>[^ ]+)") // null) |
  if . then $streams[.stream] as [$event, $field] |
    {$event, step: (.step | tonumber), ($field): (.value | try tonumber catch null)}
  else null end;

# Lines of text -> objects. Only the last line may be incomplete: the run was killed or is still running.
def events($file):
  foreach inputs as $line ({number: 0, cut: false};
    if .cut then "\($file): line \(.number) is not JSON" | fail else . end |
    .number += 1 |
    .event = ($line | if test("^\\s*$") then {} elif startswith("s:") then llmc_event
                     else try fromjson catch null end) |
    if .event | type == "object" then .
    elif .number == 1 then "\($file): not JSON; a log has one object a line" | fail
    else .cut = true end;
    select(.cut | not) | .event);

# If a step was repeated after --resume, its last value.
def points($name; $field):
  [.[] | select(.event == $name) | [.step, .[$field]] | select(all(is_finite))] | group_by(.[0]) | map(last);

# Means over bins with equal numbers of points.
def thinned:
  ((length / most_points | ceil) | at_least(1)) as $bin |
  [range(0; length; $bin) as $i | .[$i:$i + $bin] | transpose | map(mean)];

# Means of a point's neighbours: few at the start, where the loss falls steeply; later a fortieth of the curve
# on each side.
def smoothed:
  . as $points | length as $n | [0, foreach .[] as $point (0; . + $point[1])] as $sums |
  [range(0; $n) as $i | ([$i / 4, $n / 40] | min | floor) as $half | ($i + $half | at_most($n - 1)) as $to |
    [$points[$i][0], ($sums[$to + 1] - $sums[$i - $half]) / ($to + 1 - $i + $half)]];

# The size whose number of parameters is the nearest, by ratio; for llm.c's log, which does not say it, the size in its
# path (log_gpt2_350M/main.log); otherwise the smallest.
def size($file):
  (map(select(.event == "config").parameters)[0] | if type == "number" and . > 0 then . else null end) as $parameters |
  if $parameters then sizes | min_by(.parameters / $parameters | log | fabs)
  else first((sizes[] | select(.size as $size | $file | test("(^|[^0-9])\($size)"))), sizes[0]) end | .size;

def curves($file):
  [events($file)] |
  {$file, size: size($file), data: (map(select(.event == "config").data)[0] | if type == "string" then . else "" end),
   train: (points("step"; "loss") | thinned), val: (points("val"; "loss") | thinned),
   hellaswag: (points("hellaswag"; "acc_norm") | thinned)} |
  if .train == [] and .val == [] and .hellaswag == []
  then "\($file): no step, val or hellaswag event with a number to draw" | fail else . end;

# ---- what stands where

# Paths -> names in the legend: the file name, or for a log in a run's folder the folder's name; the full
# paths if two names are equal.
def names:
  map(gsub("[[:cntrl:]]"; "?") | sub("/(log\\.jsonl|main\\.log)$"; "") | sub("\\.(jsonl|log)$"; "")) | . as $paths | map(sub("^.*/"; "")) |
  (if (unique | length) == length then . else $paths end) |
  map(if length > 40 then .[:18] + "…" + .[-21:] else . end);

# Hues at multiples of the golden angle stay distinct for any number of curves; this lightness is readable on
# white and on black.
def colour($i): "hsv2rgb(\((212 + 137.5 * $i) % 360 / 360), 0.713, 0.808)";

def extent: [min, max];
def ys: [.[].points[][1]];
# The points after the first twentieth of their curve; all points if there are none.
def bodies: map(.points |= ((.[0][0] + (.[-1][0] - .[0][0]) / 20) as $start | map(select(.[0] >= $start))));

# {y: [low, high], cut}: the range leaves out high values at the start of a long run, which would flatten the
# rest of the curve; `cut` is the highest of them.
def loss_range:
  (ys | extent) as [$low, $high] | (bodies | ys | extent) as [$body_low, $body_high] |
  ($body_high - $body_low) as $body |
  if $body > 0 and 3 * $body < $high - $low and $body_low == $low
  then {y: [$low, $body_high + $body / 4], cut: $high} else {y: [$low, $high], cut: null} end;

# Extends the range to baselines at a distance of at most three quarters of it, and adds a margin above and
# below.
def with_baselines($all; $smallest):
  .y as [$low, $high] | ([$smallest - ($high - $low), 0] | max / 2) as $more |
  ($high - $low + 2 * $more) as $range |
  .baselines = [$all[] | select(.y > $low - $more - 0.75 * $range and .y < $high + $more + 0.75 * $range)] |
  .y = ([$low - $more, $high + $more, .baselines[].y] | extent | [.[0] - $range / 20, .[1] + $range / 20]);

def x_range: [.[].points[][0]] | extent | if .[0] == .[1] then [.[0] - 1, .[1] + 1] else . end;

# Curves of all logs -> [{title, y, cut, baselines, x, curves: [{name, colour, points, faint, dots, text}]}].
def panels:
  (map(.file) | names) as $names | . as $logs |
  # The validation curve has the next colour; if any log has validation, each log takes two colours.
  (if any(.[]; .val != []) then 2 else 1 end) as $colours |
  [range(0; length) as $i | $logs[$i] | {name: $names[$i]} as $log | ($colours * $i) as $c |
    ({points: .train} | select(.points != []) | $log + {colour: colour($c), faint: .points,
      points: (.points | smoothed), what: "training", dots: false}),
    ({points: .val} | select(.points != []) | $log + . + {colour: colour($c + 1), what: "validation", dots: true})
  ] as $losses |
  [range(0; length) as $i | $logs[$i] | {points: .hellaswag} | select(.points != []) |
    . + {name: $names[$i], colour: colour($colours * $i), what: null, dots: true}] as $accuracies |
  (map(.size) as $shown | sizes | map(select([.size] | inside($shown)))) as $sizes |
  # A loss on other tokens cannot be compared with GPT-2's.
  (if all(.[]; .data == "tales" or (.data | endswith(".txt"))) then []
   else [any(.[]; .data | test("edu")) as $is_edu | $sizes | loss_baselines($is_edu)] end) as $comparable |
  ($losses | select(length > 0) | (map(.points = (.faint // .points)) | loss_range) |
    with_baselines($comparable; 0.01) + {title: "Loss", curves: $losses, x: ($losses | x_range)}),
  # The same is true for accuracies on the tales' own items.
  (if all(.[]; .data == "tales") then [] else [$sizes | hellaswag_baselines] end) as $published |
  ($accuracies | select(length > 0) | {y: (ys | extent), cut: null} |
    with_baselines($published; 0.05) +
    {title: "HellaSwag accuracy", curves: $accuracies, x: ($accuracies | x_range)});

# ---- gnuplot's commands

def quoted: "'" + gsub("'"; "''") + "'";  # in single quotes gnuplot substitutes nothing

def line_colour: "linecolor rgb \(.colour)";
# A faint curve's colour is mixed with the background.
def faint_colour: "linecolor rgb (0xa6000000 + \(.colour))";

# Names of data blocks: panel, curve, and whether it is the faint one.
def block($panel; $curve; $kind): "$data_\($panel)_\($curve)_\($kind)";
def data_block($name): "\($name) << END", (.[] | "\(.[0]) \(.[1])"), "END";

def curve_blocks($panel):
  .curves | to_entries[] | .key as $i | .value |
  (.points | data_block(block($panel; $i; "curve"))),
  (select(.faint and .faint != .points) | .faint | data_block(block($panel; $i; "faint")));

# A curve's name and last value.
def key_title: "title sprintf('%s (%.4f)', \([.name, .what // empty] | join(", ") | quoted), \(.points[-1][1]))";

def curve_plots($panel):
  .curves | to_entries[] | .key as $i | .value |
  (select(.faint and .faint != .points) |
    "\(block($panel; $i; "faint")) with lines linewidth 1 \(faint_colour) notitle"),
  "\(block($panel; $i; "curve")) with " +
    (if (.points | length) == 1 or (.dots and (.points | length) <= 50) then "linespoints pointtype 7 pointsize 0.45"
     else "lines" end) + " linewidth 1.8 \(line_colour) \(key_title)";

def baseline_commands($below):
  "set arrow from graph 0, first \(.y) to graph 1, first \(.y) nohead linewidth 1.2 dashtype (12, 8) linecolor rgb grey",
  "set label \(.text | quoted) at graph 0, first \(.y) offset 0.8, \($below) textcolor rgb grey font 'sans-serif,11'";

# The round number of steps, 1, 2 or 5 times a power of ten, that cuts the range (in) into at most $n parts.
def tick_step($n): (. / $n | at_least(1)) as $least | pow(10; $least | log10 | floor) as $power |
  first([1, 2, 5, 10][] * $power | select(. >= $least * 0.999));

# place: {left, top, width, height} of the plot in a picture of {all_width, all_height} pixels.
def panel_commands($panel; $place):
  def across: . / $place.all_width;
  def up: 1 - . / $place.all_height;
  curve_blocks($panel),
  "unset label; unset arrow",
  "set lmargin at screen \($place.left | across); set rmargin at screen \($place.left + $place.width | across)",
  "set tmargin at screen \($place.top | up); set bmargin at screen \($place.top + $place.height | up)",
  "set label \(.title | quoted) at screen \($place.left | across), \(20 | up) textcolor rgb grey font bold.',14'",
  "set key at screen \($place.left - 8 | across), \(31 | up) left top Left reverse samplen 1.5 width 0 maxcols 1",
  "set xrange [\(.x[0]):\(.x[1])]; set yrange [\(.y[0]):\(.y[1])]",
  "set xtics \(.x[1] - .x[0] | tick_step($place.width / 75)); set xlabel 'step' offset 0, 1",
  # At the left, the curve is still far from its baselines: a loss is above them, an accuracy below.
  ((if .title == "Loss" then -0.8 else 0.8 end) as $below | .baselines[] | baseline_commands($below)),
  (select(.cut) | "set label sprintf('the first steps, from %.2f, are above', \(.cut)) at graph 1, graph 1 right " +
    "offset 0, 0.6 textcolor rgb grey font 'sans-serif,11'"),
  ("plot \([curve_plots($panel)] | join(", "))");

def commands:
  [panels] as $panels | ($panels | length) as $n | (if $n == 1 then 640 else 400 end) as $width | 280 as $height |
  (46 + 18 * ($panels | map(.curves | length) | max) + (if any($panels[]; .cut) then 14 else 0 end)) as $top |
  ($n * ($width + 80)) as $all_width | ($top + $height + 44) as $all_height |
  "width = \($all_width); height = \($all_height)", "load style",
  "set multiplot", "set format x '%.0f'",
  (range(0; $n) as $i | $panels[$i] |
    panel_commands($i; {left: (60 + $i * ($width + 80)), $top, $width, $height, $all_width, $all_height})),
  "unset multiplot";
