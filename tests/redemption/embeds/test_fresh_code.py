"""A fresh code before much is spent inside an embed, where no cookie remembers what was proven."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import time_machine
from django.conf import LazySettings
from django.core import mail
from django.test import Client

from crm.models import Member
from redemption.models import Coupon, CouponPlan, Embed, Redemption, Reward
from redemption.rewards.choices import RewardKind
from tests.cast import GivePoints
from tests.factories import RewardFactory
from tests.redemption.embeds.conftest import MakeEmbed

Session = Callable[..., dict[str, str]]


class Frame:
    """A frame in which somebody is signed in, with its script: it keeps the session, and takes a renewed one."""

    def __init__(self, visitor: Client, embed: Embed, headers: dict[str, str]) -> None:
        self.visitor = visitor
        self.embed = embed
        self.headers = headers

    def post(self, path: str, **fields: object) -> str:
        answer = self.visitor.post(f"/embed/{self.embed.public_key}/{path}", fields, headers=self.headers)
        assert answer.status_code == 200, answer.content
        if renewed := answer.headers.get("Embed-Session"):
            self.headers = {"authorization": f"Bearer {renewed}"}
        return answer.content.decode()


@pytest.fixture(autouse=True)
def limit(settings: LazySettings) -> None:
    settings.SPEND_CODE_POINTS = 100


@pytest.fixture
def rich(xiaolu: Member, give_points: GivePoints) -> Member:
    give_points(xiaolu, 1000)
    return xiaolu


@pytest.fixture
def ticket(db: None) -> Reward:
    return RewardFactory(kind=RewardKind.TICKET, points=300)


@pytest.fixture
def frame(rich: Member, make_embed: MakeEmbed, visitor: Client, session: Session) -> Frame:
    embed = make_embed("rewards")
    return Frame(visitor, embed, session(embed))


def code_sent() -> str:
    found = re.search(r"\b\d{6}\b", str(mail.outbox[-1].body))
    assert found is not None
    return found.group()


def value_of(name: str, page: str) -> str:
    return page.split(f'name="{name}" value="')[1].split('"', maxsplit=1)[0]


def prove(frame: Frame, path: str) -> str:
    """Ask for a code and type it; return what is shown then."""
    sent = frame.post(path, send=1)
    return frame.post(path, ticket=value_of("ticket", sent), code=code_sent())


def test_a_dear_reward_asks_for_a_code_and_goes_on(frame: Frame, ticket: Reward) -> None:
    path = f"reward/{ticket.pk}/"
    assert "Send a code to x***u@example.com" in frame.post(path)
    assert not mail.outbox

    question = prove(frame, path)

    frame.post(path, token=value_of("token", question), quantity=1)
    assert Redemption.objects.get().points == 300
    assert mail.outbox[0].to == ["xiaolu@example.com"]


def test_a_large_coupon_as_well(frame: Frame, plan: CouponPlan) -> None:
    path = f"coupon/{plan.pk}/20/"
    assert "Is it you?" in frame.post(path)

    question = prove(frame, path)

    frame.post(path, token=value_of("token", question))
    assert Coupon.objects.get().points == 200


def test_a_small_one_asks_for_none(frame: Frame, plan: CouponPlan) -> None:
    assert "Take the coupon" in frame.post(f"coupon/{plan.pk}/10/")


def test_where_the_shop_sets_no_limit_nobody_is_asked(frame: Frame, ticket: Reward, settings: LazySettings) -> None:
    settings.SPEND_CODE_POINTS = 0

    assert "Redeem for 300 points" in frame.post(f"reward/{ticket.pk}/")


def test_what_was_proven_holds_for_a_quarter_of_an_hour(frame: Frame, ticket: Reward, at: datetime) -> None:
    path = f"reward/{ticket.pk}/"
    question = prove(frame, path)
    assert "Redeem for" in frame.post(path)

    with time_machine.travel(at + timedelta(minutes=15), tick=False):
        asked = frame.post(path, token=value_of("token", question), quantity=1)

    assert "Is it you?" in asked
    assert not Redemption.objects.exists()


def test_a_wish_that_was_agreed_to_goes_on_with_the_code(frame: Frame, ticket: Reward, at: datetime) -> None:
    """Its token, the pieces and the address come along, so it is still the same wish."""
    path = f"reward/{ticket.pk}/"
    question = prove(frame, path)
    agreed = {"token": value_of("token", question), "quantity": 1}

    with time_machine.travel(at + timedelta(minutes=15), tick=False):
        asked = frame.post(path, **agreed)
        assert value_of("token", asked) == agreed["token"]
        sent = frame.post(path, **agreed, send=1)
        frame.post(path, **agreed, ticket=value_of("ticket", sent), code=code_sent())

    assert Redemption.objects.get().points == 300


def test_nothing_is_spent_by_leaving_the_question_out(frame: Frame, ticket: Reward, settings: LazySettings) -> None:
    settings.SPEND_CODE_POINTS = 0
    token = value_of("token", frame.post(f"reward/{ticket.pk}/"))
    settings.SPEND_CODE_POINTS = 100

    assert "Is it you?" in frame.post(f"reward/{ticket.pk}/", token=token, quantity=1)
    assert not Redemption.objects.exists()


def test_a_wrong_code_proves_nothing(frame: Frame, ticket: Reward) -> None:
    path = f"reward/{ticket.pk}/"
    sent = frame.post(path, send=1)
    wrong = "000000" if code_sent() != "000000" else "111111"

    again = frame.post(path, ticket=value_of("ticket", sent), code=wrong)

    assert "This code is not right." in again
    assert "Is it you?" in frame.post(path)
    assert "Redeem for" in frame.post(path, ticket=value_of("ticket", again), code=code_sent())


def test_a_code_that_another_buyer_got_proves_nothing(
    *, frame: Frame, dayong: Member, ticket: Reward, give_points: GivePoints, visitor: Client, session: Session
) -> None:
    give_points(dayong, 1000)
    path = f"reward/{ticket.pk}/"
    his = Frame(visitor, frame.embed, session(frame.embed, "dayong_w"))
    sent = his.post(path, send=1)

    answer = frame.post(path, ticket=value_of("ticket", sent), code=code_sent())

    assert "This code is no longer good." in answer
    assert "Is it you?" in frame.post(path)


def test_codes_are_sent_three_times_a_minute(frame: Frame, ticket: Reward) -> None:
    path = f"reward/{ticket.pk}/"
    for _ in range(3):
        frame.post(path, send=1)

    answer = frame.visitor.post(f"/embed/{frame.embed.public_key}/{path}", {"send": 1}, headers=frame.headers)

    assert answer.status_code == 429
    assert len(mail.outbox) == 3


def test_whoever_can_be_reached_nowhere_goes_on_by_his_shops_word_for_a_quarter_of_an_hour(
    frame: Frame, rich: Member, ticket: Reward, at: datetime
) -> None:
    rich.email = ""
    rich.save()
    path = f"reward/{ticket.pk}/"
    assert "Redeem for 300 points" in frame.post(path)

    with time_machine.travel(at + timedelta(minutes=15), tick=False):
        page = frame.post(path)

    assert "the shop knows no address or phone of yours" in page
    assert "Reload the page" in page


def test_a_session_does_not_live_longer_by_being_proven(frame: Frame, ticket: Reward, at: datetime) -> None:
    with time_machine.travel(at + timedelta(minutes=29), tick=False):
        prove(frame, f"reward/{ticket.pk}/")
    with time_machine.travel(at + timedelta(minutes=30), tick=False):
        answer = frame.visitor.post(f"/embed/{frame.embed.public_key}/content/", headers=frame.headers)

    assert answer.status_code == 401
