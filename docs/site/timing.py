"""The measurements of docs/timing/ as bars, curves and rows. The colours are the theme's, so both themes are served."""
import json

from repository import escaped, root


def tables():
    """The committed tables, GPUs first: [(path of the folder, table)]."""
    found = [(str(path.parent.relative_to(root)), json.loads(path.read_text())) for path in
             sorted(root.glob("docs/timing/*/table.json"))]
    return sorted(found, key=lambda item: item[1]["kind"] != "cuda")


def size(table):
    return f"{'GPT-2 124M' if table['model'] == 'gpt2' else table['model']}, B = {table['batch']}, T = {table['seq']}, on {table['device']}"


def bars(rows, unit, legend):
    """rows: [(label, hint, [value or None, ...])]; one bar for each value, in the order of the legend."""
    largest = max(value for _, _, values in rows for value in values if value)
    keys = "".join(f'<span class="key series-{i}">{escaped(text)}</span>' for i, text in enumerate(legend))
    html = [f'<div class="bars" role="img" aria-label="{escaped(unit)}"><div class="keys">{keys}<span>{escaped(unit)}</span></div>']
    for label, hint, values in rows:
        lines = "".join(
            f'<span class="bar series-{i}" style="--share:{value / largest:.3f}">{value:,.0f}</span>'
            for i, value in enumerate(values) if value)
        html.append(f'<div class="row"><span class="label"><b>{escaped(label)}</b> <i>{escaped(hint)}</i></span>'
                    f'<span class="lines">{lines}</span></div>')
    return raw("\n".join([*html, "</div>"]))


def raw(html):
    return f"```{{raw}} html\n{html}\n```\n"


def ladder(table, short=False):
    rows = [row for row in table["rows"] if row.get("ms") and not (short and "-" in row["key"])]
    has_torch = any(row.get("torch") for row in rows)
    return bars([(row["key"].replace("-", " "), row["idea"],
                  [row["ms"]] + [row["torch"] and row["torch"]["ms"]] * has_torch) for row in rows],
                "milliseconds a step; shorter is faster", ["these programs"] + ["PyTorch at the same chapter"] * has_torch)


def memory(table):
    rows = [row for row in table["rows"] if row.get("peak_bytes")]
    return bars([(row["key"].replace("-", " "), row["idea"],
                  [row["peak_bytes"] / 1e6, row["torch"] and row["torch"]["peak_bytes"] / 1e6]) for row in rows],
                "peak memory in MB", ["these programs", "PyTorch at the same chapter"])


def row_table(step):
    """A chapter's rows of all tables, as Markdown."""
    lines = []
    for folder, table in tables():
        rows = [row for row in table["rows"] if row["step"] == step and row.get("ms")]
        if not rows:
            continue
        lines += [f"{size(table)} ([the full table]({folder}/table.md)):", "",
                  "| program | idea | ms a step (fastest-slowest) | over the step before | over 04 | PyTorch, ms | video, ms |",
                  "|---|---|---|---|---|---|---|"]
        for row in rows:
            torch = f"{row['torch']['ms']:.0f}" if row["torch"] else "-"
            before = f"{row['over_before']:.2f}x" if row["over_before"] else "-"
            lines.append(f"| `{row['step']} {row['flags']}`".rstrip(" `") + f"` | {row['idea']} | {row['ms']:.0f} "
                         f"({row['spread'][0]:.0f}-{row['spread'][1]:.0f}) | {before} | {row['over_first']:.2f}x | {torch} "
                         f"| {row['video_ms'] or '-'} |")
        lines.append("")
    return "\n".join(lines)


def points(path):
    """{"train": [(step, loss)], "val": ...} of a log."""
    curves = {"train": [], "val": []}
    for line in (root / path).read_text(encoding="utf-8", errors="replace").splitlines():
        event = json.loads(line)
        if event["event"] in ("step", "val"):
            curves["val" if event["event"] == "val" else "train"].append((event["step"], event["loss"]))
    return curves


def curve(path, width=720, height=300, margin=40):
    """An SVG of the losses in a log."""
    curves = points(path)
    every = [point for curve in curves.values() for point in curve]
    last, low, high = max(x for x, _ in every), int(min(y for _, y in every)), max(y for _, y in every)
    to_x = lambda x: margin + (width - 2 * margin) * x / last
    to_y = lambda y: height - margin - (height - 2 * margin) * (y - low) / (high - low)
    parts = [f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="loss over steps">']
    for y in range(low, int(high) + 1):
        parts.append(f'<line class="grid" x1="{margin}" x2="{width - margin}" y1="{to_y(y):.0f}" y2="{to_y(y):.0f}"/>'
                     f'<text x="{margin - 8}" y="{to_y(y) + 4:.0f}" text-anchor="end">{y}</text>')
    for x in range(0, last + 1, max(1, last // 5)):
        parts.append(f'<text x="{to_x(x):.0f}" y="{height - margin + 20}" text-anchor="middle">{x}</text>')
    for i, (name, curve_points) in enumerate(curves.items()):
        line = " ".join(f"{to_x(x):.1f},{to_y(y):.1f}" for x, y in curve_points)
        parts.append(f'<polyline class="series-{i}" points="{line}"/>')
        parts += [f'<circle class="series-{i}" cx="{to_x(x):.1f}" cy="{to_y(y):.1f}" r="4"/>' for x, y in curve_points * (name == "val")]
    parts.append(f'<text x="{width - margin}" y="{margin - 12}" text-anchor="end">loss over steps: line, training; dots, validation</text></svg>')
    return raw("\n".join(parts))


def page():
    parts = ["# Charts\n\nDrawn from the tables and logs in `docs/timing/`; [how they were measured](README.md).\n"]
    for folder, table in tables():
        parts += [f"\n## {table['device']}\n\n{size(table)}; {table['date']}, commit {table['commit']}. Numbers with their "
                  f"spread: [table](../{folder.removeprefix('docs/')}/table.md).\n\n### Milliseconds a step\n\n", ladder(table),
                  "\n### Peak memory\n\n", memory(table)]
        for log in sorted(root.glob(f"{folder}/*.jsonl")):
            path = str(log.relative_to(root))
            parts += [f"\n### {log.stem}: the loss of a run\n\n", curve(path)]
    return "".join(parts)
