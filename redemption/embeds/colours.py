"""Colours that a seller chooses, and the ink that can be read on them. Pure.

Source of the formulas: WCAG 2.2, relative luminance and contrast ratio.
"""

from dataclasses import dataclass
from decimal import Decimal

WHITE, BLACK = "#ffffff", "#000000"
_READABLE = Decimal("4.5")


@dataclass(frozen=True, slots=True)
class Palette:
    """An accent, the ink on it, and the accent as it can be read as text on a light and on a dark ground."""

    accent: str
    on_accent: str
    text_light: str
    text_dark: str


def palette(accent: str) -> Palette:
    """Return what goes with an accent (``#rrggbb``): whatever is chosen, every text stays readable."""
    on_accent = max((WHITE, BLACK), key=lambda ink: contrast(accent, ink))
    return Palette(accent, on_accent, _until_readable(accent, "#f7f4ef", 0), _until_readable(accent, "#2a221d", 255))


def contrast(one: str, other: str) -> Decimal:
    """Return the contrast ratio of two colours, from 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + Decimal("0.05")) / (low + Decimal("0.05"))


def _until_readable(colour: str, ground: str, towards: int) -> str:
    """Mix a colour with black (0) or white (255) until it can be read on a ground."""
    for step in range(21):
        mixed = "#" + "".join(f"{part + (towards - part) * step // 20:02x}" for part in _parts(colour))
        if contrast(mixed, ground) >= _READABLE:
            return mixed
    return BLACK if towards == 0 else WHITE


def _parts(colour: str) -> list[int]:
    return [int(colour[start : start + 2], 16) for start in (1, 3, 5)]


def _luminance(colour: str) -> Decimal:
    red, green, blue = map(_linear, _parts(colour))
    return Decimal("0.2126") * red + Decimal("0.7152") * green + Decimal("0.0722") * blue


def _linear(part: int) -> Decimal:
    value = Decimal(part) / 255
    return value / Decimal("12.92") if part <= 10 else ((value + Decimal("0.055")) / Decimal("1.055")) ** Decimal("2.4")
