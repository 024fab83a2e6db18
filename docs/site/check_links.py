"""Checks the built site: every link and image inside it leads to a file, and every #anchor to an id of that file.

check_links.py HTML_FOLDER
"""
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.links, self.ids = [], {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids.update(value for value in (attributes.get("id"), attributes.get("name")) if value)
        self.links += [value for value in (attributes.get("href"), attributes.get("src")) if value]


folder = Path(sys.argv[1]).resolve()
pages = {path: Page(path) for path in folder.rglob("*.html")}
broken = checked = 0
for path, page in pages.items():
    for link in page.links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        checked += 1
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        fine = target.is_file() and target.is_relative_to(folder)
        if fine and target in pages:
            fine = unquote(parts.fragment) in pages[target].ids
        if not fine:
            broken += 1
            print(f"site: {path.relative_to(folder)}: broken link to {link}", file=sys.stderr)
print(f"{len(pages)} pages, {checked} internal links, {broken} of them broken")
sys.exit(broken > 0)
