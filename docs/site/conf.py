"""Sphinx's settings. make_pages.py has written the pages; see site for how all of it is run."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "GPT-2 from an empty file"
html_title = project
extensions = ["myst_parser", "source_pages"]
myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 4
highlight_language = "text"
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
smartquotes = False
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-bar": "#2962a8", "color-bar-2": "#c9a227", "color-add": "#e3f4e4", "color-del": "#fbe6e4"},
    "dark_css_variables": {"color-bar": "#6ea8ee", "color-bar-2": "#d9b84a", "color-add": "#16351b", "color-del": "#3f1d1c"},
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "github-dark"
