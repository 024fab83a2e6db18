"""Draws the figures of the chapters, or checks that the committed ones are up to date. ./draw calls it."""

import importlib
import pathlib
import sys

from registry import FIGURES

HERE = pathlib.Path(__file__).parent
MODULES = ["library", "model", "text", "training", "recipe", "formats", "fusion", "flash", "ranks", "runs", "weights"]


def stale_files(pictures):
    """Names of files that differ from what the scripts draw, and of files that no script draws."""
    for name, svg in pictures.items():
        path = HERE / f"{name}.svg"
        if not path.exists() or path.read_text(encoding="utf-8") != svg:
            yield f"docs/figures/{name}.svg: not what docs/figures/draw makes; run docs/figures/draw"
    for path in sorted(HERE.glob("*.svg")):
        if path.stem not in pictures:
            yield f"docs/figures/{path.name}: no script draws it; delete it"


def missing_embeddings():
    """Figures that no page shows with their alt text."""
    pages = "".join(p.read_text(encoding="utf-8") for p in sorted(HERE.parent.rglob("*.md")))
    for name, (_, _, alt) in FIGURES.items():
        if f"/{name}.svg)" not in pages:
            yield f"docs/figures/{name}.svg: no page shows it"
        elif not any(f"![{alt}]({folder}figures/{name}.svg)" in pages for folder in ("", "../")):
            yield f"docs/figures/{name}.svg: the page's alt text is not the script's: {alt}"


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit("draw: expected no argument or --check")
    for module in MODULES:
        importlib.import_module(module)
    pictures = {name: draw().svg(title, alt) for name, (draw, title, alt) in FIGURES.items()}
    if not arguments:
        for name, svg in pictures.items():
            (HERE / f"{name}.svg").write_text(svg, encoding="utf-8")
    problems = [*stale_files(pictures), *missing_embeddings()]
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(pictures)} figures, {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
