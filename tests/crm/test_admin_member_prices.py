"""What a member's page tells of his grades on other tools, and of whether he always pays the list price."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from crm.models import Channel, Member, User
from tests.cast import NOON
from tests.crm.reports import DAY
from tests.factories import (
    MemberPlatformGradeFactory,
    NoDiscountFactory,
    PlatformGradeFactory,
    PlatformToolFactory,
    StaffFactory,
)
from tests.staff import Grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def keeper(client: Client, grant: Grant) -> User:
    """Who may see members and what their prices depend on, signed in."""
    user = grant("crm.view_member", "crm.view_memberplatformgrade", "crm.view_nodiscount")
    client.force_login(user)
    return user


def page(client: Client, member: Member) -> str:
    return client.get(reverse("admin:crm_member_change", args=[member.pk]), headers={"accept-language": "en"}).text


def panels(client: Client, member: Member) -> dict[str, Any]:
    shown = client.get(reverse("admin:crm_member_change", args=[member.pk])).context["panels"]
    return {panel["name"]: panel["data"] for panel in shown}


def test_each_grade_says_its_tool_what_it_takes_off_since_when_and_from_where(
    client: Client, keeper: User, xiaolu: Member, shop: Channel
) -> None:
    tool = PlatformToolFactory(name="会员关系管理", channel=shop, own_channel_only=True)
    grade = PlatformGradeFactory(tool=tool, name="金牌", discount_percent=95)
    MemberPlatformGradeFactory(member=xiaolu, grade=grade, seen_at=NOON, source="三月.csv", order_no="35153131")
    MemberPlatformGradeFactory(member=xiaolu, tool=PlatformToolFactory(name="网店版"), grade=None, seen_at=NOON)

    text = page(client, xiaolu)

    for said in (
        "会员关系管理", "金牌", "95% of the list price", "only for goods of 山间茶铺", "Order 35153131", "三月.csv",
        "网店版", "none",
    ):  # fmt: skip
        assert said in text


def test_a_grade_that_nobody_has_priced_says_so(client: Client, keeper: User, xiaolu: Member) -> None:
    MemberPlatformGradeFactory(member=xiaolu, grade=PlatformGradeFactory(name="钻石", discount_percent=None))

    assert "takes nothing off until you enter it" in page(client, xiaolu)


def test_who_always_pays_the_list_price_is_told_since_when_by_whom_and_why(
    client: Client, keeper: User, xiaolu: Member
) -> None:
    owner = StaffFactory(username="lao_wang")
    NoDiscountFactory(member=xiaolu, since=NOON - 9 * DAY, until=NOON - DAY, until_reason="Asked for it")
    NoDiscountFactory(member=xiaolu, since=NOON, reason="A reseller of ours", added_by=owner)

    text = page(client, xiaolu)

    for said in ("always pays the list price", "lao_wang", "A reseller of ours", "Asked for it"):
        assert said in text
    assert [row.until is None for row in panels(client, xiaolu)["no_discount"]["rows"]] == [True, False]


def test_a_member_of_whom_there_is_nothing_to_tell(client: Client, keeper: User, xiaolu: Member) -> None:
    text = page(client, xiaolu)

    assert "No other tool has told a grade of this member." in text
    assert "Discounts count for this member." in text


def test_each_part_needs_its_permission(client: Client, grant: Grant, xiaolu: Member) -> None:
    for permission, part in (("crm.view_memberplatformgrade", "grades"), ("crm.view_nodiscount", "no_discount")):
        client.force_login(grant("crm.view_member", permission))
        assert {"grades", "no_discount"} & panels(client, xiaolu).keys() == {part}


def test_the_page_costs_the_same_queries_however_much_there_is_to_tell(
    client: Client, keeper: User, xiaolu: Member, dayong: Member
) -> None:
    for number in range(5):
        grade = PlatformGradeFactory(tool=PlatformToolFactory(), discount_percent=95)
        MemberPlatformGradeFactory(member=xiaolu, grade=grade)
        since = NOON - (9 - number) * DAY
        NoDiscountFactory(member=xiaolu, since=since, until=since + DAY / 2, added_by=StaffFactory())
    counts = []
    page(client, xiaolu)
    for member in (dayong, xiaolu):
        with CaptureQueriesContext(connection) as seen:
            page(client, member)
        counts.append(len(seen))

    assert counts[0] == counts[1]
