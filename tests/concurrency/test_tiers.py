"""Reviews that meet each other, an import of orders, or a grant by hand, each with a connection of its own.

Whatever meets, each member ends with one tier and nothing of what happened is lost. The controls take the lock away,
and then the constraint as well, and show what each is for.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections

from crm import events
from crm.choices import Climb, OrderStatus
from crm.feeds.records import BuyerRecord
from crm.models import Channel, Identity, Member, TierGrant
from crm.orders import record
from crm.tiers import applying, granting, review
from crm.tiers.granting import grant_tier
from crm.tiers.holding import in_force
from crm.tiers.presets import load_scheme_preset
from crm.tiers.review import review_members
from crm.tiers.schemebook import publish, save_draft
from tests.cast import NOON
from tests.concurrency.test_imports import wait_for_a_waiter
from tests.crm.reports import row
from tests.factories import MemberFactory, OrderFactory

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 30  # Seconds until a test gives up on a thread; no test waits that long when all is well.
WEEK = timedelta(days=7)


@pytest.fixture
def buyers(shop: Channel) -> list[Member]:
    """Ten members who have spent enough for VIP (2000), and whom nobody has looked at since. SVIP is at 2500."""
    draft = load_scheme_preset("vancl", at=NOON - 9 * WEEK, actor_id=None).draft
    rungs = [
        {"tier": code, "reach": [{"metric": "spend", "at_least": amount}]}
        for code, amount in (("vip", 2000), ("svip", 2500))
    ]
    save_draft(draft.pk, {"climb": Climb.ANY}, rungs)
    publish(draft.pk, effective_from=NOON - 9 * WEEK, at=NOON - 9 * WEEK, actor_id=None, reason="The first one")
    members: list[Member] = MemberFactory.create_batch(10)
    for member in members:
        Identity.objects.create(channel=shop, external_id=f"buyer {member.pk}", member=member)
        OrderFactory(
            channel=shop, member=member, status=OrderStatus.COMPLETED, paid=Decimal(2000), completed_at=NOON - WEEK
        )
    return members


def ids(members: list[Member]) -> list[int]:
    return [member.pk for member in members]


def session(act: Callable[[], Any]) -> Callable[[], str]:
    """An act as a thread does it: on a connection of its own. The answer says what became of it."""

    def run() -> str:
        try:
            answer = act()
        except IntegrityError:
            return "refused by the constraint"
        finally:
            connections.close_all()
        return str(answer)

    return run


def reviewing(members: list[Member], at: datetime = NOON, *, locked: bool = False) -> Callable[[], str]:
    """A review of these members; its answer is how many rose. ``locked`` takes the lock away: the review believes that
    it has it."""
    return session(lambda: review_members(ids(members), at=at, locked=locked).moves["up"])


def held(members: list[Member], at: datetime = NOON) -> dict[int, list[str]]:
    """The tiers that each member holds at an instant; one each, if all is well."""
    found: dict[int, list[str]] = {member.pk: [] for member in members}
    for grant in TierGrant.objects.filter(in_force(at)).select_related("tier").order_by("pk"):
        found[grant.member_id].append(grant.tier.code)
    return found


def both_have_looked(monkeypatch: pytest.MonkeyPatch, before: str) -> None:
    """Let two reviews wait for each other once both know who would move: before they lock, or before they write."""
    barrier = Barrier(2)
    real = getattr(review, before)

    def wait_first(*args: Any, **kwargs: Any) -> Any:
        barrier.wait(PATIENCE)
        return real(*args, **kwargs)

    monkeypatch.setattr(review, before, wait_first)


def meanwhile(monkeypatch: pytest.MonkeyPatch, before: str, act: Callable[[], None]) -> None:
    """Do something in this very moment: when a review has looked, and before it locks or writes. Once."""
    real, done = getattr(review, before), Event()

    def first_the_other(*args: Any, **kwargs: Any) -> Any:
        if not done.is_set():
            done.set()
            with ThreadPoolExecutor(1) as pool:
                pool.submit(session(act)).result(timeout=PATIENCE)
        return real(*args, **kwargs)

    monkeypatch.setattr(review, before, first_the_other)


@contextmanager
def without_the_constraint() -> Iterator[None]:
    """Allow a member two grants at the same instant; afterwards all grants are gone and the constraint is back."""
    name = "crm_tiergrant_one_at_a_time"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [name])
        [(definition,)] = cursor.fetchall()
        cursor.execute(f"ALTER TABLE crm_tiergrant DROP CONSTRAINT {name}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE crm_tiergrant CASCADE")
            cursor.execute(f"ALTER TABLE crm_tiergrant ADD CONSTRAINT {name} {definition}")


class TestTwoReviewsAtOnce:
    @staticmethod
    def run(members: list[Member], *, locked: bool = False) -> Counter[str]:
        with ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(reviewing(members, locked=locked)) for _ in range(2)]
            return Counter(job.result(timeout=2 * PATIENCE) for job in jobs)

    def test_one_moves_everybody_and_the_other_nobody(
        self, buyers: list[Member], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        both_have_looked(monkeypatch, "lock_members")

        assert self.run(buyers) == {"10": 1, "0": 1}

        assert set(map(tuple, held(buyers).values())) == {("vip",)}
        assert TierGrant.objects.count() == 10

    def test_control_without_the_lock_the_constraint_refuses_one(
        self, buyers: list[Member], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        both_have_looked(monkeypatch, "apply_moves")

        assert self.run(buyers, locked=True) == {"10": 1, "refused by the constraint": 1}

    def test_control_without_both_each_member_has_two_tiers(
        self, buyers: list[Member], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        both_have_looked(monkeypatch, "apply_moves")

        with without_the_constraint():
            assert self.run(buyers, locked=True) == {"10": 2}
            assert set(map(tuple, held(buyers).values())) == {("vip", "vip")}


class TestAReviewDuringAnImport:
    @staticmethod
    def importing(shop: Channel, members: list[Member]) -> Callable[[], None]:
        """One more order each, with which they have spent enough for SVIP (2500)."""
        orders = [
            row(
                f"more {member.pk}", buyer=BuyerRecord(f"buyer {member.pk}"), status=OrderStatus.COMPLETED,
                paid=Decimal(600), placed_at=NOON - WEEK, paid_at=NOON - WEEK, shipped_at=NOON - WEEK,
                completed_at=NOON,
            )
            for member in members
        ]  # fmt: skip

        def act() -> None:
            record(shop, orders, at=NOON)

        return act

    def test_that_has_come_in_before_the_review_locks_counts(
        self, buyers: list[Member], shop: Channel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        meanwhile(monkeypatch, "lock_members", self.importing(shop, buyers))

        assert reviewing(buyers)() == "0"

        assert set(map(tuple, held(buyers).values())) == {("svip",)}
        assert TierGrant.objects.count() == 10

    def test_waits_until_the_import_is_through(
        self, buyers: list[Member], shop: Channel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The import has locked its members; the review, which has looked already, asks for them."""
        review_waits = Event()
        real = applying.apply_moves
        with ThreadPoolExecutor(1) as pool:

            def start_a_review_first(*args: Any, **kwargs: Any) -> Any:
                if not review_waits.is_set():
                    review_waits.set()
                    started.append(pool.submit(reviewing(buyers)))
                    wait_for_a_waiter(started[0])
                return real(*args, **kwargs)

            started: list[Any] = []
            monkeypatch.setattr(review, "apply_moves", start_a_review_first)
            self.importing(shop, buyers)()
            assert started[0].result(timeout=PATIENCE) == "0"

        assert set(map(tuple, held(buyers).values())) == {("svip",)}
        assert TierGrant.objects.count() == 10

    def test_control_without_the_lock_the_review_gives_what_is_outdated(
        self, buyers: list[Member], shop: Channel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        meanwhile(monkeypatch, "apply_moves", self.importing(shop, buyers))

        with without_the_constraint():
            assert reviewing(buyers, locked=True)() == "10"
            assert set(map(tuple, held(buyers).values())) == {("svip", "vip")}


class TestAGrantByHandDuringAReview:
    @staticmethod
    def giving(member: Member, at: datetime = NOON) -> Callable[[], None]:
        def act() -> None:
            grant_tier(member.pk, "svip", at=at, until=None, actor_id=None, reason="A friend")

        return act

    def test_before_the_review_locks_it_stays(self, buyers: list[Member], monkeypatch: pytest.MonkeyPatch) -> None:
        meanwhile(monkeypatch, "lock_members", self.giving(buyers[0]))

        assert reviewing(buyers)() == "9"

        assert held(buyers) == {member.pk: ["svip" if member is buyers[0] else "vip"] for member in buyers}
        assert TierGrant.objects.get(member=buyers[0]).source == "manual"

    def test_while_the_review_writes_it_waits_and_comes_after(
        self, buyers: list[Member], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert self.while_a_review_writes(buyers, monkeypatch) == ("10", "None")

        by_the_rules, by_hand = TierGrant.objects.filter(member=buyers[0]).order_by("pk")
        assert (by_hand.replaced, by_the_rules.ended_at, by_the_rules.tier.code) == (by_the_rules, NOON, "vip")
        assert held(buyers)[buyers[0].pk] == ["svip"]

    def test_control_without_its_lock_the_constraint_refuses_it(
        self, buyers: list[Member], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(granting, "lock_member", lambda member_id: None)
        assert self.while_a_review_writes(buyers, monkeypatch) == ("10", "refused by the constraint")

    def test_control_without_the_lock_of_the_review_the_constraint_refuses_the_whole_review(
        self, buyers: list[Member], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        meanwhile(monkeypatch, "apply_moves", self.giving(buyers[0]))

        assert reviewing(buyers, locked=True)() == "refused by the constraint"
        assert TierGrant.objects.count() == 1

    def test_control_without_both_the_member_has_two_tiers(
        self, buyers: list[Member], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        meanwhile(monkeypatch, "apply_moves", self.giving(buyers[0]))

        with without_the_constraint():
            assert reviewing(buyers, locked=True)() == "10"
            assert held(buyers)[buyers[0].pk] == ["svip", "vip"]

    def while_a_review_writes(self, buyers: list[Member], monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
        """A person gives one of them a tier while the review has written its grants and not committed yet; what became
        of the review and of the grant."""
        real = events.tiers_changed
        with ThreadPoolExecutor(1) as pool:
            given: list[Any] = []

            def give_first(*args: Any) -> None:
                if not given:
                    given.append(pool.submit(session(self.giving(buyers[0]))))
                    wait_for_a_waiter(given[0])
                real(*args)

            monkeypatch.setattr(applying, "tiers_changed", give_first)
            reviewed = reviewing(buyers)()
            return reviewed, given[0].result(timeout=PATIENCE)
