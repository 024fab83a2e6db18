"""A Sphinx extension: a page for each source file that the site links to, with numbered lines as anchors."""
import json
from pathlib import Path

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound

root = Path(__file__).resolve().parents[2]


def lexer_for(path):
    try:
        return get_lexer_for_filename(path)
    except ClassNotFound:
        return TextLexer()


def pages(app):
    for path in json.loads((Path(app.srcdir).parent / "sources.json").read_text()):
        formatter = HtmlFormatter(linenos="inline", lineanchors="L", anchorlinenos=True)
        html = highlight((root / path).read_text(encoding="utf-8"), lexer_for(path), formatter)
        html = html.replace('name="L-', 'name="L').replace('id="L-', 'id="L').replace('href="#L-', 'href="#L')
        body = f'<h1 class="source-title">{path}</h1>\n<div class="source-file">{html}</div>'
        yield f"source/{path}", {"title": path, "body": body, "furo_hide_toc": True}, "page.html"


def leave_out_contents(app, name, template, context, doctree):
    """The contents in the sidebar take most of the build's time; a source file does without."""
    if name.startswith("source/"):
        context.pop("toctree", None)


def setup(app):
    app.connect("html-collect-pages", pages)
    app.connect("html-page-context", leave_out_contents, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
