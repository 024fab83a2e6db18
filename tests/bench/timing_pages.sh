# shellcheck shell=bash disable=SC2154  # the script that sources this file sets the variables
# The pages of the timing table: table.md and table.svg from table.json, and the tables in the README.
# tests/bench/timing sources this file.
#
# The README has a part for each kind of device, which its first marker names together with the folder of the table:
#   <!-- timing:cpu docs/timing/amd_epyc_2_cores -->
#   ...
#   <!-- /timing:cpu -->

slug() { tr '[:upper:]' '[:lower:]' <<<"$1" | sed -E 's/[^a-z0-9]+/_/g; s/^_//; s/_$//'; }

# page WHAT TABLE.JSON: what timing.jq makes of a table: markdown, commands, or readme("FOLDER").
page() { jq -r -L tests/bench "include \"timing\"; $1" "$2"; }

# render_folder FOLDER TO: writes the pages of FOLDER/table.json into the folder TO.
render_folder() {
  page markdown "$1/table.json" >"$2/table.md"
  page commands "$1/table.json" >"$2/commands"
  common/app/draw svg "Milliseconds per training step" <"$2/commands" >"$2/table.svg"
  rm "$2/commands"
}

# readme_with KIND FOLDER: the README on stdout, with the table of FOLDER/table.json between the markers of KIND.
readme_with() {
  page "readme(\"$2\")" "$2/table.json" | awk -v kind="$1" -v folder="$2" '
    NR == FNR { part = part $0 "\n"; next }
    $0 == "<!-- /timing:" kind " -->" { inside = 0 }
    !inside && index($0, "<!-- timing:" kind " ") == 1 {
      printf "<!-- timing:%s %s -->\n%s", kind, folder, part
      inside = 1
    }
    !inside { print }' - README.md
}

# update_readme KIND FOLDER TO: writes the README with this table to the file TO.
update_readme() {
  if ! grep -q "^<!-- timing:$1 .*-->$" README.md || ! grep -q "^<!-- /timing:$1 -->$" README.md; then
    note "README.md has no part for $1: the table is in $2 only"
    return
  fi
  readme_with "$1" "$2" >"$work/README.md"
  cat "$work/README.md" >"$3"
}

# The folder that the README's marker of a kind names; nothing where no table was measured yet.
readme_folder() { sed -n "s/^<!-- timing:$1 \(docs\/[^ ]*\) -->\$/\1/p" README.md; }

need_pages_tools() {
  if ! have jq || ! have gnuplot; then ensure_packages "${plot_packages[@]}"; fi
  have jq || die "jq is missing (Debian: jq)"
  have gnuplot || die "gnuplot is missing (Debian: gnuplot-nox)"
}

render() {
  local table folder kind
  need_pages_tools
  work=$(mktemp -d)
  for table in docs/timing/*/table.json; do
    folder=$(dirname "$table")
    render_folder "$folder" "$folder"
    note "$folder/table.md, table.svg"
  done
  for kind in cpu gpu; do
    folder=$(readme_folder "$kind")
    if [[ -n $folder ]]; then update_readme "$kind" "$folder" README.md; fi
  done
  rm -r "$work"
}

# A picture depends on gnuplot's version, which is written in it; with another version it is not compared.
same_picture() {
  [[ $(grep '<desc>' "$1") != "$(grep '<desc>' "$2")" ]] || cmp -s "$1" "$2"
}

check() {
  local table folder kind
  need_pages_tools
  work=$(mktemp -d)
  for table in docs/timing/*/table.json; do
    folder=$(dirname "$table")
    render_folder "$folder" "$work"
    cmp -s "$folder/table.md" "$work/table.md" || die "$folder/table.md is out of date: ./course timing --render"
    same_picture "$folder/table.svg" "$work/table.svg" ||
      die "$folder/table.svg is out of date: ./course timing --render"
  done
  for kind in cpu gpu; do
    folder=$(readme_folder "$kind")
    [[ -n $folder ]] || continue
    readme_with "$kind" "$folder" | cmp -s - README.md || die "README.md is out of date: ./course timing --render"
  done
  rm -r "$work"
}
