"""The statements that a buyer downloads: they add up, whatever the period, and however long they are."""

import csv
import io
import tracemalloc
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from openpyxl import load_workbook
from pytest_django import DjangoAssertNumQueries

from crm.models import Member
from loyalty import api as loyalty
from loyalty.models import Entry
from redemption.models import CouponPlan
from redemption.statements import Period, latest_months, statement_rows
from tests.cast import SHANGHAI, GivePoints
from tests.redemption.conftest import SignIn

FILE = "/me/statement/file/"


def text_of(answer: Any) -> str:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return str(content.decode())


def table(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(text_of(answer).removeprefix("\ufeff"))))


def in_march(day: int) -> datetime:
    return datetime(2026, 3, day, 9, 0, tzinfo=SHANGHAI)


@pytest.fixture
def moved(xiaolu: Member) -> Member:
    """林小鹿 got 100 on the 1st, 50 on the 5th, spent 30 on the 5th, and got 7 on the 9th."""
    for day, points in ((1, 100), (5, 50), (5, -30), (9, 7)):
        at = in_march(day)
        key = f"{day}:{points}"
        if points > 0:
            loyalty.adjust(xiaolu.pk, points, key=key, at=at, reason="A gift", actor_id=None)
        else:
            loyalty.burn(xiaolu.pk, -points, key=key, at=at, reference="reward:3")
    return xiaolu


def test_opening_and_movements_make_the_closing_balance(moved: Member, sign_in: SignIn) -> None:
    rows = table(sign_in(moved).get(FILE, {"first": "2026-03-05", "last": "2026-03-08"}))

    assert [(row["What it was"], row["Points"], row["Balance"]) for row in rows] == [
        ("Opening balance", "", "100"),
        ("Given by the shop", "50", "150"),
        ("Spent", "-30", "120"),
        ("Closing balance", "", "120"),
    ]
    assert rows[1]["Recorded"] == "2026-03-05 09:00:00"
    assert rows[1]["Explanation"] == "Reason: A gift"
    assert rows[2]["Order or reference"] == "reward:3"


@pytest.mark.parametrize("cut", [1, 2, 5, 6, 9, 10])
def test_what_one_period_ends_with_the_next_one_begins_with(cut: int, moved: Member, at: datetime) -> None:
    before = list(statement_rows(moved.pk, Period(None, date(2026, 3, cut)), at))
    after = list(statement_rows(moved.pk, Period(date(2026, 3, cut + 1), date(2026, 3, 31)), at))

    assert before[-1][7] == after[0][7]
    assert sum(int(row[6] or 0) for row in [*before, *after]) == after[-1][7]
    assert after[-1][7] == loyalty.summary(moved.pk, at).balance


def test_a_period_without_movements_says_so_by_two_equal_sums(moved: Member, sign_in: SignIn) -> None:
    rows = table(sign_in(moved).get(FILE, {"first": "2026-03-06", "last": "2026-03-08"}))

    assert [row["Balance"] for row in rows] == ["120", "120"]


def test_without_days_it_is_everything_until_today(moved: Member, sign_in: SignIn) -> None:
    rows = table(sign_in(moved).get(FILE))

    assert [row["Points"] for row in rows] == ["", "100", "50", "-30", "7", ""]
    assert rows[0]["Balance"] == "0"


def test_days_are_those_of_the_shop(xiaolu: Member, at: datetime) -> None:
    last_moment = datetime(2026, 2, 28, 23, 59, 59, tzinfo=SHANGHAI).astimezone(UTC)
    loyalty.adjust(xiaolu.pk, 5, key="late", at=last_moment, reason="A gift", actor_id=None)

    february = list(statement_rows(xiaolu.pk, Period(date(2026, 2, 1), date(2026, 2, 28)), at))
    march = list(statement_rows(xiaolu.pk, Period(date(2026, 3, 1), date(2026, 3, 31)), at))

    assert (len(february), len(march)) == (3, 2)


def test_what_is_written_while_the_file_is_sent_is_not_in_it(moved: Member, at: datetime) -> None:
    rows = statement_rows(moved.pk, Period(None, date(2026, 3, 31)), at)
    opening = next(rows)
    loyalty.adjust(moved.pk, 1000, key="new", at=at + timedelta(seconds=1), reason="A gift", actor_id=None)

    assert opening[7] == 0
    assert list(rows)[-1][7] == 127


def test_a_workbook_says_the_same_with_numbers_as_numbers(moved: Member, sign_in: SignIn) -> None:
    answer: Any = sign_in(moved).get(FILE, {"first": "2026-03-05", "last": "2026-03-08", "format": "xlsx"})

    sheet = load_workbook(io.BytesIO(b"".join(answer.streaming_content)), read_only=True).worksheets[0]
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[0][3] == "What it was"
    assert [row[7] for row in rows[1:]] == [100, 150, 120, 120]
    assert answer["Content-Disposition"] == 'attachment; filename="points-2026-03-05-2026-03-08.xlsx"'


def test_no_cell_is_taken_for_a_formula(xiaolu: Member, at: datetime, sign_in: SignIn) -> None:
    loyalty.adjust(xiaolu.pk, 5, key="gift", at=at, reason="A gift", actor_id=None)
    loyalty.burn(xiaolu.pk, 1, key="evil", at=at, reference="=HYPERLINK(1)")

    assert "'=HYPERLINK(1)" in text_of(sign_in(xiaolu).get(FILE))


def test_headings_are_in_the_language_of_the_page(moved: Member, sign_in: SignIn) -> None:
    client = sign_in(moved)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "zh-hans"

    text = text_of(client.get(FILE))

    assert text.splitlines()[0].startswith("\ufeff流水,记录时间,发生时间,事项,")
    assert "期初余额" in text
    assert "期末余额" in text


def test_nobody_gets_the_statement_of_another(moved: Member, dayong: Member, sign_in: SignIn) -> None:
    assert [row["Balance"] for row in table(sign_in(dayong).get(FILE))] == ["0", "0"]


def test_strangers_sign_in_first(client: Client, db: None) -> None:
    assert client.get("/me/statement/")["Location"].startswith("/account/login/code/")
    assert client.get(FILE)["Location"].startswith("/account/login/code/")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"first": "2026-03-05", "last": "2026-03-04"}, "The period ends before it begins."),
        ({"first": "soon"}, "Enter a valid date."),
        ({"format": "pdf"}, "Select a valid choice."),
    ],
)
def test_what_cannot_be_is_said_on_the_page(asked: dict[str, str], said: str, moved: Member, sign_in: SignIn) -> None:
    answer = sign_in(moved).get(FILE, asked)

    assert said in answer.content.decode()


def test_the_first_and_the_last_day_of_all_time_are_days(moved: Member, sign_in: SignIn) -> None:
    rows = table(sign_in(moved).get(FILE, {"first": "0001-01-01", "last": "9999-12-31"}))

    assert rows[-1]["Balance"] == "127"


def test_ten_files_a_minute_are_enough(moved: Member, sign_in: SignIn) -> None:
    client = sign_in(moved)

    assert [client.get(FILE).status_code for _ in range(11)] == [200] * 10 + [429]


def test_the_latest_months_are_offered_and_none_from_before_he_came(xiaolu: Member, sign_in: SignIn) -> None:
    xiaolu.joined_at = datetime(2026, 1, 20, tzinfo=UTC)

    page = sign_in(xiaolu).get("/me/statement/").content.decode()

    assert page.count("download>CSV") == page.count("download>XLSX") == 3
    assert "first=2026-02-01&amp;last=2026-02-28&amp;format=csv" in page
    assert "March 2026" in page
    assert "December 2025" not in page


def test_a_month_is_whole_also_in_december() -> None:
    [newest, *_, oldest] = latest_months(date(2026, 11, 30), date(2020, 1, 1))

    assert newest == Period(date(2026, 11, 1), date(2026, 11, 30))
    assert oldest == Period(date(2025, 12, 1), date(2025, 12, 31))


def test_the_page_costs_two_queries(
    moved: Member, sign_in: SignIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = sign_in(moved)

    with django_assert_num_queries(2):
        client.get("/me/statement/")


def test_a_hundred_thousand_lines_are_read_in_chunks_and_add_up(
    xiaolu: Member, give_points: GivePoints, at: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    lines, chunk = 100_000, 2_000
    for start in range(0, lines, 10_000):
        loyalty.post(
            [
                loyalty.accrual(xiaolu.pk, 1 + n % 9, key=f"n:{n}", effective_at=at, expires_at=None)
                for n in range(start, start + 10_000)
            ],
            at=at,
        )
    rows = statement_rows(xiaolu.pk, Period(None, date(2026, 3, 31)), at)

    tracemalloc.start()
    with django_assert_num_queries(lines // chunk + 1):
        points, last = 0, None
        for row in rows:
            points += int(row[6] or 0)
            last = row[7]
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert points == last == loyalty.summary(xiaolu.pk, at).balance
    assert Entry.objects.filter(account=xiaolu.pk).count() == lines
    assert peak < 40_000_000  # Bytes: some chunks, not the whole account.


def test_a_month_of_a_buyer_with_coupons_reads_like_his_history(
    xiaolu: Member, plan: CouponPlan, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 300)
    client = sign_in(xiaolu)
    page = client.get(f"/coupons/{plan.pk}/10/")
    client.post(f"/coupons/{plan.pk}/10/", {"token": page.context["token"]})

    with time_machine.travel(in_march(11), tick=False):
        rows = table(client.get(FILE, {"first": "2026-03-01", "last": "2026-03-31"}))

    assert rows[2]["What it was"] == "Coupon for 10 yuan"
    assert rows[-1]["Balance"] == "200"
