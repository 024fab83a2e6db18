"""The look of every figure: one palette, one set of type sizes, and the few shapes that the figures are made of.

A figure is an SVG file whose colours are CSS classes. A `prefers-color-scheme` rule swaps them in a dark theme. The
ground is opaque and swaps with them, so that a figure is legible even where page and browser disagree about the theme.
Text stays text: it can be searched, selected and read aloud, and the files stay small. Its width depends on the
reader's font, so widths are computed for DejaVu Sans, the widest of the usual ones, and whatever fits in it fits.
"""

import math

import drawsvg

WIDTH = 560  # of every figure, in its own units and in CSS pixels; a phone shows it at about 0.6 of this
BODY, SMALL = 15, 13  # font sizes

# name: (light, dark). "-soft" colours fill shapes, plain ones are for lines and text.
PALETTE = {
    "ground": ("#ffffff", "#131416"),
    "ink": ("#1d2630", "#e4e7eb"),
    "muted": ("#5b6672", "#9ba6b2"),
    "faint": ("#d3d9df", "#3b424b"),
    "panel": ("#f1f3f6", "#20242a"),
    "blue": ("#1f5fc4", "#79b0ff"),
    "blue-soft": ("#d9e7fc", "#1d3557"),
    "orange": ("#b4520a", "#ffab5e"),
    "orange-soft": ("#fde4cd", "#4d3013"),
    "green": ("#0b7565", "#52cdb4"),
    "green-soft": ("#d0efe8", "#143f37"),
    "purple": ("#6a45bd", "#bda6ff"),
    "purple-soft": ("#e7dffa", "#372a5c"),
    "red": ("#b81f4c", "#ff86a3"),
    "red-soft": ("#fbdbe3", "#541f30"),
}

SANS = "system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"

# Advance widths of DejaVu Sans from ' ' to '~', in hundredths of the font size.
_ADVANCES = [
    32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34,
    84, 84, 84, 53, 100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75, 79, 60, 79, 69, 63, 61, 73, 68, 99,
    69, 61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35, 63, 63, 28, 28, 58, 28, 97, 63, 61, 63, 63, 41, 52,
    39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84,
]  # fmt: skip


def text_width(text, size=BODY, bold=False, mono=False):
    """The width of a line of text in DejaVu Sans."""
    if mono:
        return 0.602 * size * len(text)
    hundredths = sum(_ADVANCES[ord(c) - 32] if 32 <= ord(c) < 127 else 75 for c in text)
    return hundredths / 100 * size * (1.1 if bold else 1)


class Figure:
    """A drawing of WIDTH x height with the origin at the top left. Colours are names of PALETTE."""

    def __init__(self, height, width=WIDTH):
        self.width, self.height = width, height
        self.items = []
        self.used = set()

    def _class(self, fill=None, stroke=None):
        names = ["fill-" + fill if fill else "no-fill", *(["stroke-" + stroke] if stroke else [])]
        for color in (fill, stroke):
            if color and color not in PALETTE:
                raise ValueError(f"no colour {color}")
        self.used.update(names)
        return " ".join(names)

    def text(self, x, y, text, size=BODY, color="ink", anchor="start", bold=False, mono=False, italic=False, turn=0):
        """A line of text with its baseline at y."""
        room = text_width(text, size, bold, mono)
        left = x - {"start": 0, "middle": room / 2, "end": room}[anchor]
        if not turn and (left < 0 or left + room > self.width or y > self.height):
            raise ValueError(f"text outside of the figure: {text!r} from {left:.0f} to {left + room:.0f}, y {y}")
        classes = self._class(fill=color) + (" mono" if mono else "")
        attributes = {"text_anchor": anchor} if anchor != "start" else {}
        if bold:
            attributes["font_weight"] = "600"
        if italic:
            attributes["font_style"] = "italic"
        if turn:
            attributes["transform"] = f"rotate({turn} {_n(x)} {_n(y)})"
        self.items.append(drawsvg.Text(text, size, _n(x), _n(y), class_=classes, **attributes))

    def letters(self, x, y, text, advance, size=SMALL, color="ink"):
        """A line of text whose letters are exactly `advance` apart, in any monospaced font."""
        length = advance * len(text)
        attributes = {"textLength": _n(length), "lengthAdjust": "spacing", "class_": self._class(fill=color) + " mono"}
        self.items.append(drawsvg.Text(text, size, _n(x), _n(y), **attributes))

    def lines(self, x, y, texts, size=BODY, leading=1.35, **style):
        """Several lines of text, the first with its baseline at y."""
        for i, text in enumerate(texts):
            self.text(x, y + i * size * leading, text, size, **style)

    def rect(self, x, y, w, h, fill=None, stroke=None, width=1.5, radius=4, dash=None):
        attributes = {"stroke_width": width} if stroke else {}
        if dash:
            attributes["stroke_dasharray"] = dash
        self.items.append(
            drawsvg.Rectangle(_n(x), _n(y), _n(w), _n(h), rx=radius, class_=self._class(fill, stroke), **attributes)
        )

    def box(self, x, y, w, h, text, color="blue", size=BODY, **style):
        """A coloured box with one or more centred lines of text."""
        texts = [text] if isinstance(text, str) else text
        for line in texts:
            if text_width(line, size, style.get("bold", False), style.get("mono", False)) > w - 4:
                raise ValueError(f"text is wider than its box: {line!r} in {w}")
        plain = color in ("panel", "ground")
        self.rect(x, y, w, h, color if plain else color + "-soft", "muted" if plain else color)
        top = y + h / 2 - (len(texts) - 1) * size * 0.625 + size * 0.36
        self.lines(x + w / 2, top, texts, size, leading=1.25, anchor="middle", **style)

    def line(self, points, color="muted", width=1.5, dash=None, arrow=False, both=False):
        """Straight lines through the points; an arrow head at the end, or at both ends."""
        points = [(float(x), float(y)) for x, y in points]
        shown = list(points)
        if arrow or both:
            shown[-1] = self._head(points[-2], points[-1], color, width)
        if both:
            shown[0] = self._head(points[1], points[0], color, width)
        path = "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in shown)
        self.path(path, color, width, dash)

    def path(self, d, color="muted", width=1.5, dash=None, fill=None):
        attributes = {"stroke_width": width} if color else {}
        if dash:
            attributes["stroke_dasharray"] = dash
        self.items.append(drawsvg.Path(d, class_=self._class(fill, color), **attributes))

    def curve(self, start, control_1, control_2, end, color="muted", width=1.5, dash=None, arrow=True):
        """A cubic Bezier curve, by default with an arrow head at its end."""
        if arrow:
            end = self._head(control_2, end, color, width)
        numbers = [_n(v) for point in (start, control_1, control_2, end) for v in point]
        self.path("M{} {}C{} {} {} {} {} {}".format(*numbers), color, width, dash)

    def circle(self, x, y, r, fill=None, stroke=None, width=1.5):
        attributes = {"stroke_width": width} if stroke else {}
        self.items.append(drawsvg.Circle(_n(x), _n(y), r, class_=self._class(fill, stroke), **attributes))

    def plus(self, x, y, r=10, color="ink"):
        """A circle with a plus sign: an addition."""
        self.circle(x, y, r, "ground", color, 1.8)
        self.line([(x - r * 0.55, y), (x + r * 0.55, y)], color, 1.8)
        self.line([(x, y - r * 0.55), (x, y + r * 0.55)], color, 1.8)

    def bracket(self, x0, x1, y, color="muted", depth=6):
        """A bracket below or, with a negative depth, above what lies between x0 and x1."""
        self.line([(x0, y), (x0, y + depth), (x1, y + depth), (x1, y)], color)

    def image(self, x, y, w, h, png):
        """A picture, given as base64 of a PNG file. Its pixels stay sharp."""
        self.items.append(
            drawsvg.Raw(
                f'<image x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" height="{_n(h)}" preserveAspectRatio="none" '
                f'style="image-rendering:pixelated" href="data:image/png;base64,{png}"/>'
            )
        )

    def _head(self, before, tip, color, width):
        """Draws an arrow head at `tip`; returns the point where its line has to end."""
        angle = math.atan2(tip[1] - before[1], tip[0] - before[0])
        length, half = 5 + 2 * width, 2 + 1.1 * width
        back = (tip[0] - length * math.cos(angle), tip[1] - length * math.sin(angle))
        side = (half * math.sin(angle), -half * math.cos(angle))
        corners = [tip, (back[0] + side[0], back[1] + side[1]), (back[0] - side[0], back[1] - side[1])]
        self.path("M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in corners) + "Z", None, fill=color)
        return (back[0] + 0.5 * math.cos(angle), back[1] + 0.5 * math.sin(angle))

    def _css(self):
        def rules(theme):
            found = []
            for name, colors in PALETTE.items():
                for kind in ("fill", "stroke"):
                    if f"{kind}-{name}" in self.used:
                        found.append(f".{kind}-{name}{{{kind}:{colors[theme]}}}")
            return "".join(found)

        base = f"text{{font-family:{SANS}}}.mono{{font-family:{MONO}}}.no-fill{{fill:none}}"
        lines = "path,line{stroke-linecap:round;stroke-linejoin:round}"
        return f"{base}{lines}\n{rules(0)}\n@media(prefers-color-scheme:dark){{{rules(1)}}}"

    def svg(self, title, description):
        """The file's text. Title and description are what a screen reader says."""
        self.used.add("fill-ground")
        drawing = drawsvg.Drawing(self.width, self.height, id_prefix="f")
        drawing.append(drawsvg.Raw(f"<title>{_escape(title)}</title><desc>{_escape(description)}</desc>"))
        drawing.append_css(self._css())
        drawing.append(drawsvg.Rectangle(0, 0, self.width, self.height, rx=8, class_="fill-ground"))
        for item in self.items:
            drawing.append(item)
        return drawing.as_svg() + "\n"


def _n(value):
    """A coordinate with at most one decimal, so that files are small and equal on every machine."""
    rounded = round(float(value), 1)
    return int(rounded) if rounded == int(rounded) else rounded


def _escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
