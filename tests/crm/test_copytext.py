"""Rows in COPY's text format come out of the database as they went in."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from crm.choices import OrderStatus
from crm.copytext import as_copy_text


def through_the_database(texts: list[str]) -> list[str]:
    """What the database has after a COPY of one column."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE IF NOT EXISTS copied (number integer, cell text)")
        cursor.execute("TRUNCATE copied")
        with cursor.copy("COPY copied FROM STDIN") as copy:
            copy.write(as_copy_text(enumerate(texts)))
        cursor.execute("SELECT cell FROM copied ORDER BY number")
        return [row[0] for row in cursor.fetchall()]


@pytest.mark.django_db
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1))
def test_any_text_survives(texts: list[str]) -> None:
    assert through_the_database(texts) == texts


@pytest.mark.django_db
@pytest.mark.parametrize("text", [r"\N", r"\.", "a\tb", "a\\nb", "a\r\nb", "\\", "红包\u2028", '"quoted"', ""])
def test_what_means_something_to_copy_is_taken_literally(text: str) -> None:
    assert through_the_database([text, "the next row"]) == [text, "the next row"]


def test_other_values_are_written_as_the_database_reads_them() -> None:
    beijing = datetime(2026, 6, 30, 20, 0, 0, 5, tzinfo=ZoneInfo("Asia/Shanghai"))

    row = [None, True, False, 7, Decimal("1.50"), OrderStatus.PAID, beijing, datetime(2026, 1, 1, tzinfo=UTC)]

    assert as_copy_text([row]) == (
        b"\\N\tt\tf\t7\t1.50\tpaid\t2026-06-30T20:00:00.000005+08:00\t2026-01-01T00:00:00+00:00\n"
    )
