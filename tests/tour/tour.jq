# What the tour finds out from a log's events: each filter makes [figure, true or false].
#
# A verdict must be false where a value is missing or is not a number, so nothing here relies on `max`, which hides NaN,
# or on an order, in which null and NaN come first.

def event($name): .[] | select(.event == $name);
def is_finite: type == "number" and (isnan | not) and (isinfinite | not);
def digits($n): . * pow(10; $n) | round / pow(10; $n);
def commas: tostring | [while(length > 0; .[:-3]) | .[-3:]] | reverse | join(",");
def losses: [event("step").loss];

# The log's losses differ from the other run's by $limit at most, relatively; there is at least one, and as many.
def compared($other; $limit):
  losses as $losses | [$losses, $other] | transpose |
  if ($losses | length) == 0 then ["no losses in the log", false]
  elif ($losses | length) != ($other | length)
  then ["\($losses | length) losses, but \($other | length) to compare with", false]
  elif all(.[][]; is_finite) | not then ["a loss is not a finite number", false]
  else map((.[0] / .[1] - 1) | fabs) |
    ["\(length) losses, off by \(max * 1e7 | round / 1e7) at most", all(.[]; . <= $limit)]
  end;

# The loss of a model that knows nothing is ln 257: every byte is as likely as any other.
def starts_at_chance: is_finite and (. - (257 | log) | fabs) < 0.2;

def parameters($tensors; $parameters): [event("config")] | first |
  ["\(.tensors) tensors, \(.parameters | commas) parameters", .tensors == $tensors and .parameters == $parameters];

def logits: [event("done")] | first | ["\(.logits | map(tostring) | join(" x ")) logits, std \(.std | digits(3))",
  ([.mean, .std] | all(is_finite)) and .std > 0];

# $ids: what torch samples; the prompt has $prompt ids.
def sampled($ids; $prompt): [event("sample").ids] |
  ["\(map(length - $prompt) | add // 0) ids in \(length) sequences", length > 0 and . == $ids];

def tells_a_tale: [event("sample").text] | first | ["\(.[:36])...", test("^Once upon a time, [ -~\n]+$")];

def learnt_by_heart: losses |
  ["\(first | digits(2)) -> \(min | digits(4)) in \(length) steps",
   all(is_finite) and (first | starts_at_chance) and min < 0.01];

def falls_below($limit): losses |
  ["\(first | digits(2)) -> \(last | digits(2)) in \(length) steps",
   all(is_finite) and (first | starts_at_chance) and last < $limit];

def recipe: [event("step")] | ["\(.[0].loss | digits(2)) -> \(.[-1].loss | digits(2)), lr \(.[9].lr)",
  (map(.loss, .norm) | all(is_finite)) and .[9].lr == 6e-4 and .[-1].loss < 3.5];

def median_speed: [event("step").tokens_per_sec] | sort | .[length / 2 | floor] | [(round | commas), is_finite and . > 0];
def speed: [event("done").tokens_per_sec] | first | [(round | commas), is_finite and . > 0];

def validated($count): [event("val").loss] | ["\(first | digits(2)) -> \(last | digits(2))",
  all(is_finite) and length == $count and last < 3.5];

def ends_tales: [event("hellaswag")] | first |
  ["\(.acc_norm) of \(.items) stories; chance is 0.25", (.acc_norm | is_finite) and .acc_norm > 0.8];
