"""Giving members tiers, and what the database keeps of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from crm.api import tier_at
from crm.models import Member, Tier, TierGrant
from crm.tiers.defaults import make_usual_tiers
from crm.tiers.granting import GrantRefused, grant_tier
from tests.factories import MemberFactory, StaffFactory, TierFactory

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def rungs(db: None) -> list[Tier]:
    return [TierFactory(rank=0, code="base"), TierFactory(rank=1, code="vip"), TierFactory(rank=2, code="svip")]


def give(member: Member, code: str, at: datetime, until: datetime | None = None) -> TierGrant:
    return grant_tier(member.pk, code, at=at, until=until, actor_id=None, reason="A good customer")


def held(member: Member, at: datetime) -> str:
    return tier_at([member.pk], at)[member.pk][0]


@contextmanager
def refused_by_the_database(error: type[Exception] = DatabaseError) -> Iterator[None]:
    with pytest.raises(error), transaction.atomic():
        yield


class TestHolding:
    def test_whoever_has_no_grant_stands_on_the_base_rung(self, xiaolu: Member, at: datetime) -> None:
        assert tier_at([xiaolu.pk], at) == {xiaolu.pk: ("base", 0)}

    def test_a_shop_without_a_base_rung_says_so(self, xiaolu: Member, at: datetime) -> None:
        Tier.objects.get(code="base").delete()
        assert tier_at([xiaolu.pk], at) == {xiaolu.pk: ("", 0)}

    def test_a_grant_counts_from_its_first_instant_and_no_longer_at_its_end(self, xiaolu: Member, at: datetime) -> None:
        give(xiaolu, "vip", at, until=at + DAY)
        tick = timedelta(microseconds=1)
        moments = (at - tick, at, at + DAY - tick, at + DAY)
        assert [held(xiaolu, moment) for moment in moments] == ["base", "vip", "vip", "base"]

    def test_many_members_are_looked_up_in_one_query(self, at: datetime) -> None:
        members = MemberFactory.create_batch(10)
        give(members[3], "svip", at)
        with CaptureQueriesContext(connection) as queries:
            found = tier_at([member.pk for member in members], at)
        assert len(queries) == 1
        assert [rank for _code, rank in found.values()] == [0, 0, 0, 2, 0, 0, 0, 0, 0, 0]


class TestGranting:
    def test_a_grant_tells_who_gave_it_and_why(self, xiaolu: Member, at: datetime) -> None:
        boss = StaffFactory()
        grant = grant_tier(
            xiaolu.pk,
            "vip",
            at=at,
            until=None,
            actor_id=boss.pk,
            reason="A good customer",
            figures={"spent": "2100.00"},
        )
        grant.refresh_from_db()
        assert (grant.granted_by, grant.reason, grant.figures, grant.source, grant.replaced) == (
            boss, "A good customer", {"spent": "2100.00"}, "manual", None,
        )  # fmt: skip

    def test_a_new_grant_replaces_the_one_in_force_and_leaves_the_past_as_it_was(
        self, xiaolu: Member, at: datetime
    ) -> None:
        first = give(xiaolu, "vip", at, until=at + 365 * DAY)
        second = give(xiaolu, "svip", at + 10 * DAY)
        first.refresh_from_db()
        assert second.replaced == first
        assert (first.ends_at, first.ended_at) == (at + 365 * DAY, at + 10 * DAY)
        assert [held(xiaolu, at + days * DAY) for days in (9, 10, 400)] == ["vip", "svip", "svip"]

    def test_a_grant_that_has_run_out_is_not_replaced(self, xiaolu: Member, at: datetime) -> None:
        give(xiaolu, "vip", at, until=at + DAY)
        assert give(xiaolu, "svip", at + DAY).replaced is None

    def test_of_two_grants_at_one_instant_the_second_stands(self, xiaolu: Member, at: datetime) -> None:
        give(xiaolu, "vip", at)
        give(xiaolu, "svip", at)
        assert held(xiaolu, at) == "svip"

    def test_history_is_not_rewritten_by_a_grant_before_the_latest(self, xiaolu: Member, at: datetime) -> None:
        give(xiaolu, "vip", at)
        with pytest.raises(GrantRefused) as refusal:
            give(xiaolu, "svip", at - DAY)
        assert refusal.value.begins_at == at

    def test_a_grant_cannot_end_before_it_begins(self, xiaolu: Member, at: datetime) -> None:
        with pytest.raises(ValueError, match="ends after"):
            give(xiaolu, "vip", at, until=at)

    def test_a_tier_or_a_member_that_does_not_exist_is_an_error(self, xiaolu: Member, at: datetime) -> None:
        with pytest.raises(Tier.DoesNotExist):
            give(xiaolu, "gold", at)
        with pytest.raises(Member.DoesNotExist):
            grant_tier(xiaolu.pk + 1, "vip", at=at, until=None, actor_id=None, reason="")

    def test_the_members_row_is_locked_first(self, xiaolu: Member, at: datetime) -> None:
        with CaptureQueriesContext(connection) as queries:
            give(xiaolu, "vip", at)
        first = next(query["sql"] for query in queries if query["sql"].startswith("SELECT"))
        assert "crm_member" in first
        assert first.endswith("FOR NO KEY UPDATE")


class TestGuards:
    def test_no_grant_is_deleted_or_changed(self, xiaolu: Member, at: datetime) -> None:
        give(xiaolu, "vip", at)
        grants = TierGrant.objects.filter(member=xiaolu)
        with refused_by_the_database():
            grants.delete()
        for change in ({"reason": "x"}, {"ends_at": at + DAY}, {"begins_at": at - DAY}, {"figures": {"a": 1}}):
            with refused_by_the_database():
                grants.update(**change)

    def test_that_a_grant_was_replaced_is_told_once(self, xiaolu: Member, at: datetime) -> None:
        give(xiaolu, "vip", at)
        grants = TierGrant.objects.filter(member=xiaolu)
        grants.update(ended_at=at + DAY)
        for later in (None, at + 2 * DAY):
            with refused_by_the_database():
                grants.update(ended_at=later)

    def test_a_grant_is_replaced_within_its_time(self, xiaolu: Member, at: datetime) -> None:
        give(xiaolu, "vip", at, until=at + DAY)
        for moment in (at - DAY, at + DAY):
            with refused_by_the_database(IntegrityError):
                TierGrant.objects.filter(member=xiaolu).update(ended_at=moment)

    def test_nobody_holds_two_tiers_at_one_instant(
        self, xiaolu: Member, dayong: Member, rungs: list[Tier], at: datetime
    ) -> None:
        give(xiaolu, "vip", at, until=at + 10 * DAY)
        facts = {"tier": rungs[2], "granted_at": at}
        with refused_by_the_database(IntegrityError):
            TierGrant.objects.create(member=xiaolu, begins_at=at + 9 * DAY, **facts)
        TierGrant.objects.create(member=xiaolu, begins_at=at + 10 * DAY, **facts)
        TierGrant.objects.create(member=dayong, begins_at=at, **facts)

    def test_a_lookup_can_use_the_index_of_that_rule(self, xiaolu: Member, at: datetime) -> None:
        from crm.tiers.holding import _HELD

        give(xiaolu, "vip", at)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {_HELD}", {"members": [xiaolu.pk], "at": at})
            plan = "\n".join(row[0] for row in cursor.fetchall())
        assert "crm_tiergrant_one_at_a_time" in plan
        assert "tstzrange" in plan


class TestUsualRungs:
    def test_a_shop_without_rungs_gets_the_four_usual_ones(self) -> None:
        Tier.objects.all().delete()
        usual = [(tier.rank, tier.name, int(tier.discount_percent)) for tier in make_usual_tiers()]
        assert usual == [(0, "普通会员", 100), (1, "高级会员", 95), (2, "VIP会员", 90), (3, "至尊VIP会员", 85)]

    def test_a_shop_with_rungs_of_its_own_keeps_them(self, rungs: list[Tier]) -> None:
        assert make_usual_tiers() == rungs
