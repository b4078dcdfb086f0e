"""What can be checked of the looks without eyes: every text stands out, by day and by night, and in every dress."""

import gzip
import re
from datetime import date, datetime
from pathlib import Path

import pytest
import time_machine
from django.contrib.staticfiles import finders
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client

from redemption.choices import Festive, Theme
from redemption.looks import Dress, dress_on
from redemption.models import Look
from tests.cast import SHANGHAI

TEXT_ON_GROUND = [
    ("--ink", "--paper"), ("--ink", "--sheet"), ("--ink", "--sheet-2"),
    ("--ink-2", "--paper"), ("--ink-2", "--sheet"), ("--ink-2", "--sheet-2"),
    ("--accent", "--paper"), ("--accent", "--sheet"), ("--accent", "--sheet-2"), ("--accent", "--accent-soft"),
    ("--button-ink", "--button"), ("--good", "--good-soft"), ("--good", "--sheet"), ("--warn", "--warn-soft"),
    ("--foil", "--lacquer-1"), ("--foil", "--lacquer-2"), ("--foil-bright", "--lacquer-2"), ("--lacquer-1", "--foil"),
]  # fmt: skip


def names_in(sheet: str) -> dict[str, str]:
    """The names that a style sheet gives to colours, and to other names."""
    text = Path(str(finders.find(sheet))).read_text()
    return dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6}|var\(--[\w-]+\));", text))


def palette(theme: Theme, scheme: str) -> dict[str, str]:
    """Every colour as a browser works it out."""
    stylesheet = Dress(theme, festive=False).stylesheet
    names = names_in("buyer/tokens.css") | (names_in(stylesheet) if stylesheet else {})
    if scheme == "dark":
        names |= names_in("buyer/dark.css")
    return {name: names[value[4:-1]] if value.startswith("var") else value for name, value in names.items()}


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("theme", Theme)
def test_every_text_stands_out_from_its_ground(theme: Theme, scheme: str) -> None:
    colours = palette(theme, scheme)

    def contrast(text: str, ground: str) -> float:
        low, high = sorted([luminance(colours[text]), luminance(colours[ground])])
        return (high + 0.05) / (low + 0.05)

    assert {pair: round(contrast(*pair), 2) for pair in TEXT_ON_GROUND if contrast(*pair) < 4.5} == {}
    assert contrast("--edge", "--sheet") >= 3


def test_colours_are_used_by_their_names_only() -> None:
    for sheet in ("buyer/shop.css", "buyer/pages.css"):
        text = re.sub(r"/\*.*?\*/", "", Path(str(finders.find(sheet))).read_text(), flags=re.DOTALL)
        written_out = set(re.findall(r"#[0-9a-f]{3,8}\b", text))
        # Masks, the ground of a QR code, and ink on foil that is marked.
        assert written_out <= {"#0000", "#000", "#fff", "#2b211b"}, sheet


def test_what_every_page_loads_stays_small() -> None:
    names = ["tokens.css", "shop.css", "pages.css", "dark.css", "shop.js", "motifs/waves.svg", "icon.svg"]
    files = [*(f"buyer/{name}" for name in names), "django_htmx/htmx-2.min.js"]

    sizes = [len(gzip.compress(Path(str(finders.find(name))).read_bytes())) for name in files]

    assert sum(sizes) < 35_000


@pytest.mark.parametrize(
    ("day", "theme"),
    [
        (date(2026, 2, 8), Theme.JADE),
        (date(2026, 2, 9), Theme.SPRING),  # Eight days before 17 February 2026.
        (date(2026, 3, 3), Theme.SPRING),  # The Lantern Festival.
        (date(2026, 3, 4), Theme.JADE),
        (date(2026, 6, 15), Theme.SHOPPING),
        (date(2026, 6, 17), Theme.SHOPPING),  # Two days before Dragon Boat, but 618 comes first.
        (date(2026, 6, 19), Theme.DRAGON_BOAT),
        (date(2026, 6, 20), Theme.SHOPPING),
        (date(2026, 9, 25), Theme.MID_AUTUMN),
        (date(2026, 11, 11), Theme.SHOPPING),
        (date(2026, 11, 12), Theme.JADE),
        (date(2026, 12, 12), Theme.SHOPPING),
    ],
)
def test_the_pages_dress_up_by_the_calendar(day: date, theme: Theme) -> None:
    assert dress_on(day, Theme.JADE, Festive.BY_DATE).theme is theme
    assert dress_on(day, Theme.JADE, Festive.NEVER) == Dress(Theme.JADE, festive=False)


def test_a_dress_can_be_put_on_until_further_notice() -> None:
    assert dress_on(date(2026, 3, 20), Theme.LACQUER, Festive.MID_AUTUMN) == Dress(Theme.MID_AUTUMN, festive=True)


@pytest.mark.parametrize("theme", Theme)
def test_every_dress_has_its_style_sheet(theme: Theme) -> None:
    stylesheet = Dress(theme, festive=False).stylesheet
    assert (stylesheet == "") == (theme is Theme.LACQUER)
    assert not stylesheet or finders.find(stylesheet)


def test_a_page_wears_what_the_calendar_says(client: Client, db: None) -> None:
    with time_machine.travel(datetime(2026, 2, 16, 12, tzinfo=SHANGHAI), tick=False):
        assert "buyer/themes/spring.css" in client.get("/").content.decode()


def test_a_shop_has_one_look_and_one_that_exists(db: None) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Look.objects.create(pk=2)
    with pytest.raises(IntegrityError), transaction.atomic():
        Look.objects.create(pk=1, theme="velvet")
    with pytest.raises(ValidationError):
        Look(pk=1, theme=Theme.SPRING).full_clean()


@pytest.mark.parametrize(
    ("cookie", "linked", "conditional"),
    [("", True, True), ("dark", True, False), ("light", False, False), ("x", True, True)],
)
def test_the_night_is_the_devices_choice_or_the_buyers(
    cookie: str, *, linked: bool, conditional: bool, client: Client, db: None
) -> None:
    client.cookies["scheme"] = cookie

    page = client.get("/").content.decode()

    assert ("buyer/dark.css" in page) is linked
    assert ('dark.css" media=' in page) is conditional
