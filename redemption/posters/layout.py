"""How the words of a poster are set: a drawing breaks no lines by itself. Pure.

Widths are in em: a Chinese character is one em wide, a Latin letter or digit about 0.56.
"""

import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

_LATIN = Decimal("0.56")
# What may not begin a line, and what may not end one (GB/T 15834: the usual prohibitions of Chinese typesetting).
_NOT_FIRST = "，。、；：？！）》」』”’%…·,.;:?!)"
_NOT_LAST = "（《「『“‘(¥"
ELLIPSIS = "…"


class PosterSize(StrEnum):
    """The two sizes: for a phone's screen and chat, and for a square on a page."""

    PORTRAIT = "portrait"
    SQUARE = "square"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of words and where its foot stands, in pixels from the top."""

    text: str
    y: int


def width_in_em(text: str) -> Decimal:
    """Return how wide a text is, as near as can be told without its font."""
    return sum((_width(sign) for sign in text), Decimal(0))


def broken(text: str, most: Decimal | int, lines: int) -> list[str]:
    """Break a text into at most so many lines of at most so many em, the last one cut where it does not fit.

    Chinese breaks between any two characters, save where a sign may not begin or end a line; Latin words stay whole as
    long as a line can hold them.
    """
    rest = " ".join(text.split())
    found: list[str] = []
    while rest and len(found) < lines:
        cut = _cut(rest, Decimal(most))
        found.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    if rest and found:
        found[-1] = _shortened(found[-1], Decimal(most))
    return found


def set_lines(text: str, *, most: Decimal | int, lines: int, top: int, size: int) -> list[Line]:
    """Return a text as lines below each other; ``top`` is the foot of the first, ``size`` the height of the letters."""
    leading = size * 13 // 10
    return [Line(line, top + number * leading) for number, line in enumerate(broken(text, most, lines))]


def _cut(text: str, most: Decimal) -> int:
    """Return how many characters go into a line; one at least."""
    width, fits = Decimal(0), 0
    for sign in text:
        width += _width(sign)
        if width > most:
            break
        fits += 1
    if fits >= len(text):
        return len(text)
    cut = max(fits, 1)
    for place in range(cut, 0, -1):
        if _may_break(text[place - 1], text[place]):
            return place
    return cut


def _may_break(before: str, after: str) -> bool:
    if after in _NOT_FIRST or before in _NOT_LAST:
        return False
    return before == " " or after == " " or _wide(before) or _wide(after)


def _shortened(line: str, most: Decimal) -> str:
    while line and width_in_em(line + ELLIPSIS) > most:
        line = line[:-1]
    return line.rstrip() + ELLIPSIS


def _wide(sign: str) -> bool:
    return unicodedata.east_asian_width(sign) in "WF"


def _width(sign: str) -> Decimal:
    return Decimal(1) if _wide(sign) or sign == ELLIPSIS else _LATIN
