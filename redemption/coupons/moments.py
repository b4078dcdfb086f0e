"""Moments and days as people write them into tables, in the programme's time zone."""

from datetime import datetime, timedelta

from loyalty import api as loyalty

_LAYOUTS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y%m%d")


def read_moment(text: str) -> datetime | None:
    """Return the instant that a cell names; of a day alone its first one. None when it is neither."""
    plain = text.strip().replace("/", "-").replace(".", "-").replace("年", "-").replace("月", "-").replace("日", "")
    zone = loyalty.programme_zone()
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        found = None
    for layout in _LAYOUTS:
        if found is not None:
            break
        try:
            found = datetime.strptime(plain, layout)  # noqa: DTZ007
        except ValueError:
            continue
    if found is None or not 2000 <= found.year < 2100:
        return None
    return found if found.tzinfo else found.replace(tzinfo=zone)


def read_last_day(text: str) -> datetime | None:
    """Return the first instant after what a cell names as the last: after a moment itself, after a day the next one's
    beginning. None when it is neither."""
    moment = read_moment(text)
    if moment is None:
        return None
    return moment if ":" in text else moment + timedelta(days=1)
