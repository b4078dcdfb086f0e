"""When people buy: the weight of a day and of an hour, against an ordinary one."""

from datetime import date

# The two great sales have a run-up and a tail; the smaller festivals are a single busy day or two.
_PEAKS: dict[tuple[int, int], float] = {
    (1, 10): 2.0,
    (3, 8): 2.5,
    (5, 20): 1.8,
    (6, 1): 2.5,
    (6, 16): 2.5,
    (6, 17): 3.0,
    (6, 18): 7.0,
    (6, 19): 1.8,
    (9, 9): 2.0,
    (11, 1): 4.0,
    (11, 9): 1.8,
    (11, 10): 3.5,
    (11, 11): 11.0,
    (11, 12): 2.2,
    (12, 11): 1.8,
    (12, 12): 4.5,
}
_MONTHS = (1.25, 0.6, 1.0, 1.15, 1.0, 1.1, 0.85, 0.85, 1.05, 1.1, 1.35, 1.2)
_WEEKDAYS = (1.05, 1.0, 1.0, 1.0, 0.95, 1.1, 1.2)

# How many of a day's buyers come in each hour, from midnight on: a noon hump and a long evening.
HOURS = (6, 3, 1, 1, 1, 1, 2, 4, 7, 10, 12, 11, 12, 12, 10, 10, 10, 9, 9, 12, 16, 18, 16, 11)


def day_weight(day: date) -> float:
    """Return how busy a day is against an ordinary one."""
    peak = _PEAKS.get((day.month, day.day), 1.0)
    return _MONTHS[day.month - 1] * _WEEKDAYS[day.weekday()] * peak


def price_level(day: date) -> tuple[int, int]:
    """Return the least and the greatest per cent of the list price that a buyer pays on a day."""
    return (78, 88) if _PEAKS.get((day.month, day.day), 1.0) >= 2.5 else (90, 100)
