"""How moments are written for buyers, and how sentences of a template stand beside each other, language by language."""

from datetime import datetime, timedelta

import pytest
from django.utils.translation import override

from redemption.templatetags.shop import close_up, moment, soon, together

NOON = datetime.fromisoformat("2026-03-11T04:00Z")


@pytest.mark.parametrize(
    ("language", "written"),
    [("en", "March 11, 2026, 12:00"), ("zh-hans", "2026年3月11日 12:00"), ("zh-hant", "2026年3月11日 12:00")],
)
def test_a_moment_is_written_as_the_language_writes_days(language: str, written: str) -> None:
    with override(language):
        assert moment(NOON) == written
        assert moment(None) == ""


@pytest.mark.parametrize(("language", "written"), [("en", "March 11, 12:00"), ("zh-hant", "3月11日 12:00")])
def test_a_moment_that_comes_soon_needs_no_year(language: str, written: str) -> None:
    with override(language):
        assert soon(NOON, NOON - timedelta(days=299)) == written


def test_a_moment_that_comes_late_keeps_its_year() -> None:
    with override("en"):
        assert soon(NOON, NOON - timedelta(days=301)) == "March 11, 2026, 12:00"


def test_a_number_of_pieces_stays_at_the_end_of_its_title() -> None:
    assert together("Redeemed: Tea cup × 2") == "Redeemed: Tea cup\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}2"


def test_no_space_stands_after_a_full_width_stop() -> None:
    assert close_up("有效期至 2027年11月29日。\n  您已满足保级条件。") == "有效期至 2027年11月29日。您已满足保级条件。"


def test_english_sentences_keep_their_space() -> None:
    assert close_up("You have reached “VIP” today. Take it.") == "You have reached “VIP” today. Take it."
