"""Everything that the shop holds about a buyer, as one file."""

import csv
import io
import json
import tracemalloc
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings
from django.core import mail
from django.test import Client
from django.utils import translation
from pytest_django import DjangoAssertNumQueries

from crm.api import log_action
from crm.models import Channel, DataFile, Member, StaffAction
from crm.personal import making
from crm.personal.file import everything_held, shown_tables
from loyalty import api as loyalty
from redemption.models import CouponPlan, Redemption, RewardCode
from redemption.rewards.choices import RedemptionState, RewardKind
from tests.cast import GivePoints
from tests.factories import (
    MemberTagFactory,
    NoDiscountFactory,
    OrderFactory,
    RewardFactory,
    StaffFactory,
    TagFactory,
)
from tests.redemption.conftest import SignIn

PAGE = "/me/data/"
FILE = "/me/data/file/"


def prove(client: Client) -> None:
    client.post("/me/code/", {"next": PAGE, "send": "1"})
    code = str(mail.outbox[-1].body).split("\n")
    [digits] = [word for line in code for word in line.split() if word.isdigit() and len(word) == 6]
    client.post("/me/code/", {"next": PAGE, "code": digits})


def unpacked(file: Any) -> dict[str, str]:
    with file, zipfile.ZipFile(file) as packed:
        assert packed.testzip() is None
        return {name: packed.read(name).decode("utf-8-sig") for name in packed.namelist()}


def downloaded(client: Client) -> dict[str, str]:
    answer: Any = client.post(PAGE)
    assert answer.status_code == 200
    content = io.BytesIO(b"".join(answer.streaming_content))
    return unpacked(content)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def known(xiaolu: Member, dayong: Member, shop: Channel, plan: CouponPlan, give_points: GivePoints) -> Member:
    """林小鹿, of whom much is known; and 王大勇, who must not be in her file."""
    give_points(xiaolu, 300)
    give_points(dayong, 41)
    for member, number in ((xiaolu, "A-1"), (dayong, "B-2")):
        OrderFactory(
            channel=shop, member=member, external_no=number, raw={"收货地址": f"杭州市{number}号"}, title="龙井"
        )
    NoDiscountFactory(member=xiaolu, reason="=DANGER()")
    MemberTagFactory(member=xiaolu, tag=TagFactory(name="茶友"))
    return xiaolu


def test_the_file_asks_for_a_fresh_code_first(known: Member, sign_in: SignIn, at: datetime) -> None:
    client = sign_in(known)
    assert client.get(PAGE)["Location"] == "/me/code/?next=%2Fme%2Fdata%2F"
    assert client.post(PAGE)["Location"] == "/me/code/?next=%2Fme%2Fdata%2F"

    prove(client)

    assert client.get(PAGE).status_code == 200
    with time_machine.travel(at + timedelta(minutes=16), tick=False):
        assert client.post(PAGE)["Location"].startswith("/me/code/")


def test_it_holds_what_is_hers_as_tables_and_once_more_for_programs(known: Member, sign_in: SignIn) -> None:
    client = sign_in(known)
    prove(client)

    files = downloaded(client)

    assert rows(files["profile.csv"])[0]["E-mail"] == "xiaolu@example.com"
    assert rows(files["platform_names.csv"])[0]["Name on the platform"] == "小鹿爱喝茶"
    assert [row["Order number"] for row in rows(files["orders.csv"])] == ["A-1"]
    assert rows(files["tags.csv"])[0]["Tag"] == "茶友"
    assert rows(files["points_history.csv"])[0]["Kind"] == "Adjusted by the shop"
    document = json.loads(files["everything.json"])
    assert document["member"] == known.pk
    assert set(document["tables"]) == {table.name for table in shown_tables()}
    assert document["tables"]["orders"][0]["raw"] == {"收货地址": "杭州市A-1号"}
    assert document["tables"]["points"] == [{"balance": 300, "pending": 0, "held": 0}]
    assert document["tables"]["mails"] == []
    assert "mails.csv" not in files


def test_nothing_of_anybody_else_is_in_it(known: Member, dayong: Member, sign_in: SignIn) -> None:
    client = sign_in(known)
    prove(client)

    whole = "".join(downloaded(client).values())

    for of_dayong in ("王大勇", "dayong", "B-2", "41"):
        assert of_dayong not in whole.replace("2026-03-10T", "")


def test_the_guide_says_what_is_what_in_her_language(known: Member, sign_in: SignIn) -> None:
    client = sign_in(known)
    prove(client)
    assert "orders.csv – Orders (1 row)" in downloaded(client)["README.txt"]

    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "zh-hans"
    files = downloaded(client)

    assert "orders.csv – 订单 (1 行)" in files["README.txt"]
    assert files["orders.csv"].startswith("店铺,")


def test_no_cell_is_taken_for_a_formula(known: Member, at: datetime) -> None:
    files = unpacked(everything_held(known.pk, at))

    assert "'=DANGER()" in files["no_discount.csv"]
    assert json.loads(files["everything.json"])["tables"]["no_discount"][0]["reason"] == "=DANGER()"


def test_codes_that_wait_for_their_cash_are_not_in_it(
    known: Member, at: datetime, give_points: GivePoints, sign_in: SignIn
) -> None:
    reward = RewardFactory(kind=RewardKind.DIGITAL, points=10, counted=False)
    outcome = loyalty.burn(known.pk, 10, key="r", at=at)
    assert outcome.entry_id is not None
    waiting = Redemption.objects.create(
        member=known, reward=reward, entry_id=outcome.entry_id, quantity=1, points=10, cash=1, placed_at=at,
        pay_until=at, moved_at=at, state=RedemptionState.AWAITING,
    )  # fmt: skip
    RewardCode.objects.create(reward=reward, code="SECRET-1", redemption=waiting, added_at=at)

    assert "SECRET-1" not in "".join(unpacked(everything_held(known.pk, at)).values())


def test_three_files_an_hour_are_enough_and_each_is_logged(known: Member, sign_in: SignIn) -> None:
    client = sign_in(known)
    prove(client)

    answers: list[Any] = [client.post(PAGE) for _ in range(4)]
    for answer in answers[:3]:
        b"".join(answer.streaming_content)

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert StaffAction.objects.filter(action="member.data", member=known, actor=known.user).count() == 3


def test_strangers_sign_in_first(client: Client, db: None) -> None:
    assert client.get(PAGE)["Location"].startswith("/account/login/code/")


def test_who_did_what_is_told_without_names_of_the_staff(known: Member, at: datetime) -> None:
    boss = StaffFactory(username="boss-lady")
    log_action("member.change", actor_id=boss.pk, at=at, member_id=known.pk, reason="She asked for it")

    with translation.override("en"):
        files = unpacked(everything_held(known.pk, at))

    assert rows(files["log.csv"])[0]["Reason"] == "She asked for it"
    assert "boss-lady" not in "".join(files.values())


def test_each_table_is_read_once(
    known: Member, at: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(len(shown_tables())):
        everything_held(known.pk, at).close()


def test_many_entries_are_packed_in_little_memory(xiaolu: Member, at: datetime) -> None:
    loyalty.post(
        [
            loyalty.accrual(
                xiaolu.pk, 1 + n % 9, key=f"n:{n}", effective_at=at, expires_at=None, trace={"pad": "x" * 200}
            )
            for n in range(20_000)
        ],
        at=at,
    )

    tracemalloc.start()
    files = everything_held(xiaolu.pk, at)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(rows(unpacked(files)["points_history.csv"])) == 20_000
    assert peak < 30_000_000  # Bytes.


class TestMuch:
    """So much that a worker makes the file."""

    @pytest.fixture
    def much(
        self, known: Member, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch, settings: LazySettings, tmp_path: Path
    ) -> Client:
        settings.MEDIA_ROOT = tmp_path
        monkeypatch.setattr(making, "AT_ONCE_ROWS", 1)
        client = sign_in(known)
        prove(client)
        return client

    def make(self, at: datetime) -> None:
        assert making.make(DataFile.objects.get().pk, clock=lambda: at)

    def test_the_page_says_that_it_is_being_made_and_then_offers_it(
        self, much: Client, known: Member, at: datetime
    ) -> None:
        assert much.post(PAGE)["Location"] == PAGE
        waiting = much.get(PAGE)
        assert "Your file is being made" in waiting.content.decode()
        assert waiting["Refresh"] == "15"

        self.make(at)

        ready = much.get(PAGE)
        assert "Your file is ready" in ready.content.decode()
        assert "Refresh" not in ready
        answer: Any = much.get(FILE)
        assert answer["Content-Disposition"] == 'attachment; filename="my-data-2026-03-10.zip"'
        files = unpacked(io.BytesIO(b"".join(answer.streaming_content)))
        assert rows(files["profile.csv"])[0]["E-mail"] == "xiaolu@example.com"

    def test_asking_twice_makes_one_and_counts_as_one(self, much: Client, known: Member) -> None:
        for _time in range(5):
            assert much.post(PAGE).status_code == 302

        assert DataFile.objects.count() == 1
        assert StaffAction.objects.filter(action="member.data", member=known).count() == 1

    def test_nobody_else_gets_it(
        self, much: Client, known: Member, dayong: Member, sign_in: SignIn, at: datetime
    ) -> None:
        much.post(PAGE)
        self.make(at)
        stranger = sign_in(dayong)
        session = stranger.session
        session["proven"] = int(at.timestamp())
        session.save()

        assert stranger.get(FILE)["Location"] == PAGE
        assert "Your file is ready" not in stranger.get(PAGE).content.decode()
        assert Client().get(FILE)["Location"].startswith("/account/login/code/")

    def test_fetching_it_asks_for_a_fresh_code(self, much: Client, at: datetime) -> None:
        much.post(PAGE)
        self.make(at)

        with time_machine.travel(at + timedelta(minutes=16), tick=False):
            assert much.get(FILE)["Location"] == "/me/code/?next=%2Fme%2Fdata%2Ffile%2F"

    def test_after_three_days_it_is_not_offered(self, much: Client, at: datetime) -> None:
        much.post(PAGE)
        self.make(at)

        with time_machine.travel(at + timedelta(days=3), tick=False):
            session = much.session
            session["proven"] = int((at + timedelta(days=3)).timestamp())
            session.save()
            assert much.get(FILE)["Location"] == PAGE
            assert "This file is not there any more." in much.get(PAGE).content.decode()

    def test_one_that_broke_off_can_be_asked_for_again(self, much: Client, at: datetime) -> None:
        much.post(PAGE)
        DataFile.objects.update(state=DataFile.State.FAILED)
        assert "Your file could not be made." in much.get(PAGE).content.decode()

        much.post(PAGE)
        self.make(at)

        answer: Any = much.get(FILE)
        assert b"".join(answer.streaming_content)
