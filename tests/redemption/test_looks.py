"""What can be checked of the looks without eyes: every text stands out, by day and by night, and pages stay small."""

import gzip
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

TEXT_ON_GROUND = [
    ("--ink", "--paper"), ("--ink", "--sheet"), ("--ink", "--sheet-2"),
    ("--ink-2", "--paper"), ("--ink-2", "--sheet"), ("--ink-2", "--sheet-2"),
    ("--accent", "--paper"), ("--accent", "--sheet"), ("--accent", "--sheet-2"), ("--accent", "--accent-soft"),
    ("--button-ink", "--button"), ("--good", "--good-soft"), ("--good", "--sheet"), ("--warn", "--warn-soft"),
    ("--gold", "--lacquer-1"), ("--gold", "--lacquer-2"),
]  # fmt: skip


def stylesheet() -> str:
    return Path(str(finders.find("buyer/shop.css"))).read_text()


def palettes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r":root \{(.*?)\n\s*\}", stylesheet(), re.DOTALL)
    light, dark = (dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6});", block)) for block in blocks)
    return {"light": light, "dark": light | dark}


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_ON_GROUND)
def test_every_text_stands_out_from_its_ground(scheme: str, text: str, ground: str) -> None:
    palette = palettes()[scheme]
    low, high = sorted([luminance(palette[text]), luminance(palette[ground])])

    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_what_every_page_loads_stays_small() -> None:
    files = ["buyer/shop.css", "buyer/shop.js", "buyer/waves.svg", "buyer/icon.svg", "django_htmx/htmx-2.min.js"]

    sizes = [len(gzip.compress(Path(str(finders.find(name))).read_bytes())) for name in files]

    assert sum(sizes) < 30_000
