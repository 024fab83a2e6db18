# What common/app/plot draws: a log's lines in, curves out; the curves of all logs in, SVG out.
#
# A point is [step, value]. The curves of a log are {file, data, train, val, hellaswag}: each a list of points in the
# order of their steps, without those whose value is no finite number.

def most_points: 1000;  # of a curve: more than there are pixels
# What a run is measured by: GPT-2's loss on FineWeb-EDU's validation shard, published accuracies. Losses can be
# compared on the same tokens only.
def baselines: {
  loss: [{y: 3.2924, text: "GPT-2 124M: 3.2924"}],
  hellaswag: [{y: 0.2945, text: "GPT-2 124M: 0.2945"}, {y: 0.337, text: "GPT-3 124M: 0.337"}]
};

def is_finite: type == "number" and . > -1e30 and . < 1e30;  # false for NaN, too
def at_least($x): if . < $x then $x else . end;
def at_most($x): if . > $x then $x else . end;
def mean: add / length;

# ---- a log

def fail: "plot: \(.)\n" | halt_error(1);

# Lines of text -> objects. Only the last may be cut off: that of a run which was killed, or is still running.
def events($file):
  foreach inputs as $line ({number: 0, cut: false};
    if .cut then "\($file): line \(.number) is not JSON" | fail else . end |
    .number += 1 |
    .event = ($line | if test("^\\s*$") then {} else try fromjson catch null end) |
    if .event | type == "object" then .
    elif .number == 1 then "\($file): not JSON; a log has one object a line" | fail
    else .cut = true end;
    select(.cut | not) | .event);

# Of a step that was taken again after --resume, the last.
def points($name; $field):
  [.[] | select(.event == $name) | [.step, .[$field]] | select(all(is_finite))] | group_by(.[0]) | map(last);

# Means over bins of as many points each.
def thinned:
  ((length / most_points | ceil) | at_least(1)) as $bin |
  [range(0; length; $bin) as $i | .[$i:$i + $bin] | transpose | map(mean)];

# Means of a point's neighbours: few at the start, where the loss falls steeply, a fortieth of the curve to each side
# from then on.
def smoothed:
  . as $points | length as $n | [0, foreach .[] as $point (0; . + $point[1])] as $sums |
  [range(0; $n) as $i | ([$i / 4, $n / 40] | min | floor) as $half | ($i + $half | at_most($n - 1)) as $to |
    [$points[$i][0], ($sums[$to + 1] - $sums[$i - $half]) / ($to + 1 - $i + $half)]];

def curves($file):
  [events($file)] |
  {$file, data: (map(select(.event == "config").data)[0] | if type == "string" then . else "" end),
   train: (points("step"; "loss") | thinned), val: (points("val"; "loss") | thinned),
   hellaswag: (points("hellaswag"; "acc_norm") | thinned)} |
  if .train == [] and .val == [] and .hellaswag == []
  then "\($file): no step, val or hellaswag event with a number to draw" | fail else . end;

# ---- numbers as text

def fixed($digits):  # 2.5 | fixed(2) is "2.50"
  if . < 0 then "-" + (-. | fixed($digits))
  elif $digits == 0 then round | tostring else
    (. * pow(10; $digits) | round | tostring) as $all |
    (if ($all | length) > $digits then $all else "0" * ($digits + 1 - ($all | length)) + $all end) |
    .[:-$digits] + "." + .[-$digits:]
  end;
def commas: if test("^[0-9]{4,15}$") then [while(length > 0; .[:-3]) | .[-3:]] | reverse | join(",") else . end;

# [[value, text]...]: about $n round numbers from $low to $high, at least $smallest apart.
def ticks($low; $high; $n; $smallest):
  (($high - $low) / $n | at_least($smallest)) as $least | pow(10; $least | log10 | floor) as $power |
  first([1, 2, 5, 10][] * $power | select(. >= $least * 0.999)) as $step |
  [($step | log10 + 1e-9 | floor | -. | at_least(0)) as $digits |
    range($low / $step | ceil; ($high / $step | floor) + 1) * $step + 0 | [., (fixed($digits) | commas)]];

# ---- what stands where

# Paths -> what the legend calls them: file names, or the paths if two names are the same; of a log in the folder of a
# run the folder.
def names:
  map(gsub("[[:cntrl:]]"; "?") | sub("/log\\.jsonl$"; "") | sub("\\.jsonl$"; "")) | . as $paths | map(sub("^.*/"; "")) |
  (if (unique | length) == length then . else $paths end) |
  map(if length > 40 then .[:18] + "…" + .[-21:] else . end);

# Hues a golden angle apart stay distinct however many there are; the lightness can be read on white and on black.
def colour($i): "hsl(\((212 + 137.5 * $i) % 360), 60%, 52%)";

def extent: [min, max];
def ys: [.[].points[][1]];
# Points behind the first twentieth of their curve; all, if there are none.
def bodies: map(.points |= ((.[0][0] + (.[-1][0] - .[0][0]) / 20) as $start | map(select(.[0] >= $start))));

# {y: [low, high], cut}: where the first steps of a long run would squash all others, they leave at the top, and `cut`
# says from where.
def loss_range:
  (ys | extent) as [$low, $high] | (bodies | ys | extent) as [$body_low, $body_high] |
  ($body_high - $body_low) as $body |
  if $body > 0 and 3 * $body < $high - $low and $body_low == $low
  then {y: [$low, $body_high + $body / 4], cut: $high} else {y: [$low, $high], cut: null} end;

# Adds the baselines within three quarters of the range from it, and room above and below.
def with_baselines($all; $smallest):
  .y as [$low, $high] | ([$smallest - ($high - $low), 0] | max / 2) as $more |
  ($high - $low + 2 * $more) as $range |
  .baselines = [$all[] | select(.y > $low - $more - 0.75 * $range and .y < $high + $more + 0.75 * $range)] |
  .y = ([$low - $more, $high + $more, .baselines[].y] | extent | [.[0] - $range / 20, .[1] + $range / 20]);

def x_range: [.[].points[][0]] | extent | if .[0] == .[1] then [.[0] - 1, .[1] + 1] else . end;

# Curves of all logs -> [{title, y, cut, baselines, x, curves: [{name, colour, points, faint, dots, text}]}].
def panels:
  (map(.file) | names) as $names | . as $logs |
  # The validation's colour is the next one; each log takes two, if any has a validation.
  (if any(.[]; .val != []) then 2 else 1 end) as $colours |
  [range(0; length) as $i | $logs[$i] | {name: $names[$i]} as $log | ($colours * $i) as $c |
    ({points: .train} | select(.points != []) | $log + {colour: colour($c), faint: .points,
      points: (.points | smoothed), what: "training", dots: false}),
    ({points: .val} | select(.points != []) | $log + . + {colour: colour($c + 1), what: "validation", dots: true})
  ] as $losses |
  [range(0; length) as $i | $logs[$i] | {points: .hellaswag} | select(.points != []) |
    . + {name: $names[$i], colour: colour($colours * $i), what: null, dots: true}] as $accuracies |
  # A loss over other tokens says nothing beside GPT-2's.
  (if all(.[]; .data == "tales" or (.data | endswith(".txt"))) then [] else baselines.loss end) as $comparable |
  ($losses | select(length > 0) | (map(.points = (.faint // .points)) | loss_range) |
    with_baselines($comparable; 0.01) + {title: "Loss", curves: $losses, x: ($losses | x_range)}),
  # Nor does an accuracy on the tales' own items.
  (if all(.[]; .data == "tales") then [] else baselines.hellaswag end) as $published |
  ($accuracies | select(length > 0) | {y: (ys | extent), cut: null} |
    with_baselines($published; 0.05) +
    {title: "HellaSwag accuracy", curves: $accuracies, x: ($accuracies | x_range)});

# ---- SVG

def svg_text($x; $y; $size; $class):
  "<text x=\"\($x | fixed(1))\" y=\"\($y | fixed(1))\" font-size=\"\($size)\" class=\"\($class)\">\(@html)</text>";
def svg_line($x1; $y1; $x2; $y2; $class):
  "<line x1=\"\($x1 | fixed(1))\" y1=\"\($y1 | fixed(1))\" x2=\"\($x2 | fixed(1))\" y2=\"\($y2 | fixed(1))\" " +
  "class=\"\($class)\"/>";

# place: {left, top, width, height} of the plot, {x, y} the ranges -> pixels.
def px($place): $place.left + (. - $place.x[0]) / ($place.x[1] - $place.x[0]) * $place.width;
def py($place): $place.top + ($place.y[1] - .) / ($place.y[1] - $place.y[0]) * $place.height;

def svg_path($place; $colour; $class):
  "<path class=\"\($class)\" stroke=\"\($colour)\" d=\"M" +
  (map("\(.[0] | px($place) | fixed(1)) \(.[1] | py($place) | fixed(1))") | join("L")) + "\"/>";

def svg_curve($place):
  .colour as $colour |
  (select(.faint and .faint != .points) | .faint | svg_path($place; $colour; "faint")),
  (.points | svg_path($place; $colour; "curve")),
  (select((.points | length) == 1 or (.dots and (.points | length) <= 50)) | .points[] |
    "<circle cx=\"\(.[0] | px($place) | fixed(1))\" cy=\"\(.[1] | py($place) | fixed(1))\" r=\"2.5\" " +
    "fill=\"\($colour)\"/>");

def svg_axes($place):
  ($place.left + $place.width) as $right | ($place.top + $place.height) as $bottom |
  (ticks($place.y[0]; $place.y[1]; 6; 0)[] | . as [$y, $text] | ($y | py($place)) as $at |
    svg_line($place.left; $at; $right; $at; "grid"), ($text | svg_text($place.left - 8; $at + 4; 11; "left"))),
  (ticks($place.x[0]; $place.x[1]; $place.width / 90; 1)[] | . as [$x, $text] | ($x | px($place)) as $at |
    svg_line($at; $bottom; $at; $bottom + 4; "axis"), ($text | svg_text($at; $bottom + 17; 11; "middle"))),
  svg_line($place.left; $bottom; $right; $bottom; "axis"),
  ("step" | svg_text($place.left + $place.width / 2; $bottom + 33; 11; "middle"));

# What a curve is, and where it ends.
def svg_key($x; $y):
  "<line x1=\"\($x)\" y1=\"\($y - 4)\" x2=\"\($x + 18)\" y2=\"\($y - 4)\" class=\"curve\" stroke=\"\(.colour)\"/>",
  ("\([.name, .what // empty] | join(", ")) (\(.points[-1][1] | fixed(4)))" | svg_text($x + 25; $y; 12; ""));

def svg_panel($place):
  # On the left a loss has yet to come down to its baselines, and an accuracy to rise.
  (if .title == "Loss" then 12 else -5 end) as $below |
  (.title | svg_text($place.left; 24; 14; "name")),
  (.curves | to_entries[] | .key as $i | .value | svg_key($place.left; 44 + 18 * $i)),
  svg_axes($place),
  "<clipPath id=\"\($place.id)\"><rect x=\"\($place.left)\" y=\"\($place.top)\" width=\"\($place.width)\" " +
    "height=\"\($place.height)\"/></clipPath>",
  "<g clip-path=\"url(#\($place.id))\">", (.curves[] | svg_curve($place)), "</g>",
  (.baselines[] | (.y | py($place)) as $at | svg_line($place.left; $at; $place.left + $place.width; $at; "baseline"),
    (.text | svg_text($place.left + 6; $at + $below; 11; ""))),
  (select(.cut) | "the first steps, from \(.cut | fixed(2)), are above" |
    svg_text($place.left + $place.width; $place.top - 6; 11; "left"));

def svg:
  [panels] as $panels | ($panels | length) as $n | (if $n == 1 then 640 else 400 end) as $width | 280 as $height |
  (46 + 18 * ($panels | map(.curves | length) | max)) as $top |
  ($n * ($width + 80)) as $all | ($top + $height + 44) as $bottom |
  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \($all) \($bottom)\" width=\"\($all)\" " +
    "height=\"\($bottom)\">",
  "<title>\($panels | map(.title) | join("; ") | @html)</title>",
  "<style>",
  "text { fill: #7a8490; font-family: system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; }",
  ".name { font-weight: 600; } .left { text-anchor: end; } .middle { text-anchor: middle; }",
  ".curve, .faint { fill: none; stroke-width: 1.8; stroke-linejoin: round; }",
  ".faint { stroke-width: 1; opacity: 0.35; }",
  ".axis { stroke: #7a8490; } .grid { stroke: #7a8490; opacity: 0.2; }",
  ".baseline { stroke: #7a8490; stroke-width: 1.2; stroke-dasharray: 6 4; }",
  "</style>",
  (range(0; $n) as $i | $panels[$i] |
    svg_panel({left: (60 + $i * ($width + 80)), $top, $width, $height, x, y, id: "panel\($i)"})),
  "</svg>";
