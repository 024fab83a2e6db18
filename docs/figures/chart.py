"""Axes for the figures that show data: ticks, grid lines, curves with their names beside them, bars."""

import csv
import math
import pathlib

from style import SMALL, text_width

DATA = pathlib.Path(__file__).parent / "data"


def read_columns(name):
    """The columns of data/NAME.csv as lists of floats; empty cells are None."""
    with open(DATA / f"{name}.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {key: [float(row[key]) if row[key] else None for row in rows] for key in rows[0]}


class Axes:
    """Maps data to a rectangle of the figure (left, top, width, height)."""

    def __init__(self, figure, box, xlim, ylim, xlog=False, ylog=False):
        self.figure = figure
        self.left, self.top, self.width, self.height = box
        self.xlim, self.ylim, self.xlog, self.ylog = xlim, ylim, xlog, ylog

    def x(self, value):
        return self.left + self.width * _position(value, self.xlim, self.xlog)

    def y(self, value):
        return self.top + self.height * (1 - _position(value, self.ylim, self.ylog))

    def xticks(self, values, labels=None, title=None):
        bottom = self.top + self.height
        self.figure.line([(self.left, bottom), (self.left + self.width, bottom)], "muted", 1)
        for value, label in zip(values, labels or [f"{v:g}" for v in values]):
            self.figure.line([(self.x(value), bottom), (self.x(value), bottom + 4)], "muted", 1)
            self.figure.text(self.x(value), bottom + 19, label, SMALL, "muted", "middle")
        if title:
            self.figure.text(self.left + self.width, bottom + 38, title, SMALL, "muted", "end")

    def yticks(self, values, labels=None, title=None):
        labels = labels or [f"{v:g}" for v in values]
        for value, label in zip(values, labels):
            self.figure.line([(self.left, self.y(value)), (self.left + self.width, self.y(value))], "faint", 1)
            self.figure.text(self.left - 8, self.y(value) + 4.5, label, SMALL, "muted", "end")
        if title:
            start = max(4, self.left - 8 - max(text_width(label, SMALL) for label in labels))
            self.figure.text(start, self.top - 12, title, SMALL, "muted")

    def curve(self, xs, ys, color, width=2, dash=None):
        points = [(self.x(x), self.y(y)) for x, y in zip(xs, ys) if y is not None]
        self.figure.line(points, color, width, dash)

    def dots(self, xs, ys, color, r=3):
        for x, y in zip(xs, ys):
            if y is not None:
                self.figure.circle(self.x(x), self.y(y), r, color)

    def label(self, x, y, text, color, dx=0, dy=0, **style):
        self.figure.text(self.x(x) + dx, self.y(y) + dy, text, color=color, **style)


def _position(value, limits, log):
    if log:
        value, limits = math.log10(value), [math.log10(v) for v in limits]
    return (value - limits[0]) / (limits[1] - limits[0])
