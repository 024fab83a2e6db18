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


def check(folder):
    """The number of links inside the site, and those that are broken: [(page, link)]."""
    pages = {path: Page(path) for path in sorted(folder.rglob("*.html"))}
    checked, broken = 0, []
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
                broken.append((path.relative_to(folder), link))
    return checked, broken


if __name__ == "__main__":
    checked, broken = check(Path(sys.argv[1]).resolve())
    for page, link in broken:
        print(f"site: {page}: broken link to {link}", file=sys.stderr)
    print(f"{checked} internal links, {len(broken)} of them broken")
    sys.exit(bool(broken))
