"""The whole history, a page at a time."""

from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.models import Member
from loyalty import api as loyalty
from redemption.models import CouponPlan
from tests.redemption.conftest import SignIn


def earn_often(member: Member, times: int, at: datetime) -> None:
    loyalty.post(
        [
            loyalty.accrual(
                member.pk, 1 + number % 9, key=f"gift:{number}", effective_at=at, expires_at=loyalty.validity_end(at)
            )
            for number in range(times)
        ],
        at=at,
    )


def lines_of(response: Any) -> list[int]:
    return [shown.line.entry_id for shown in response.context["lines"]]


def test_ten_thousand_lines_are_read_page_by_page_without_gap_or_repeat(
    xiaolu: Member, at: datetime, sign_in: SignIn
) -> None:
    earn_often(xiaolu, 10_000, at)
    client = sign_in(xiaolu)

    seen: list[int] = []
    path = "/history/"
    for _page in range(5):
        response = client.get(path)
        seen += lines_of(response)
        path = f"/history/?before={response.context['older']}"

    assert len(seen) == len(set(seen)) == 100
    assert seen == sorted(seen, reverse=True)


def test_the_last_page_has_no_older_one(xiaolu: Member, at: datetime, sign_in: SignIn) -> None:
    earn_often(xiaolu, 20, at)

    response = sign_in(xiaolu).get("/history/")

    assert len(lines_of(response)) == 20
    assert response.context["older"] is None
    assert "Older entries" not in response.content.decode()


def test_htmx_gets_only_the_further_lines(xiaolu: Member, at: datetime, sign_in: SignIn) -> None:
    earn_often(xiaolu, 30, at)
    client = sign_in(xiaolu)
    first = client.get("/history/")

    more = client.get(f"/history/?before={first.context['older']}", headers={"hx-request": "true"}).content.decode()

    assert more.count('<li class="line">') == 10
    assert "<html" not in more


@pytest.mark.parametrize("before", ["", "x", "-1", "1.5", "٣", "9" * 30])
def test_a_place_that_cannot_be_is_not_found(before: str, xiaolu: Member, sign_in: SignIn) -> None:
    assert sign_in(xiaolu).get("/history/", {"before": before}).status_code == 404


def test_nobody_sees_the_history_of_another(xiaolu: Member, dayong: Member, at: datetime, sign_in: SignIn) -> None:
    earn_often(xiaolu, 5, at)

    assert lines_of(sign_in(dayong).get("/history/")) == []


def test_a_page_of_history_costs_three_queries(
    xiaolu: Member, plan: CouponPlan, at: datetime, sign_in: SignIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    earn_often(xiaolu, 50, at)
    client = sign_in(xiaolu)

    with django_assert_num_queries(3):
        client.get("/history/")


def test_strangers_sign_in_first_and_come_back(client: Client, db: None) -> None:
    response = client.get("/history/")

    assert response.status_code == 302
    assert response["Location"] == "/account/login/code/?next=/history/"
