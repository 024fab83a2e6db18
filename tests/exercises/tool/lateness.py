"""The cost of being late: free days, then a share of the points for each further day, up to a cap."""

import math
from datetime import datetime

from errors import CourseError


def parse_due(text):
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise CourseError(
            f"grade: --due {text}: expected a date like 2026-10-01 or 2026-10-01T23:59+02:00"
        ) from None


def days_late(due, received):
    """Each day begun counts. `received`: seconds since 1970, when the file was received (its modification
    time)."""
    return max(0, math.ceil((received - due.timestamp()) / 86400))


def after_cost(points, days, options):
    costly = max(0, days - options.late_days)
    return round(points * (1 - min(costly * options.late_percent, options.late_cap) / 100), 2)
