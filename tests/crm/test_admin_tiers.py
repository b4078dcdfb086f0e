"""Tiers in the admin: the rungs, granting by hand, the history and the filter."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from crm.api import tier_at
from crm.models import Channel, Member, StaffAction, Tier, TierGrant, User
from crm.tiers.granting import grant_tier
from crm.tiers.presets import load_scheme_preset
from crm.tiers.schemebook import publish, save_draft
from tests.cast import NOON, SHANGHAI
from tests.crm.tiers.seller import Seller
from tests.factories import MemberFactory, TierFactory
from tests.staff import Grant

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MEMBERS = "admin:crm_member_changelist"


@pytest.fixture(autouse=True)
def rungs(db: None) -> list[Tier]:
    return [
        TierFactory(rank=0, code="base", name="普通会员"),
        TierFactory(rank=1, code="vip", name="VIP会员"),
        TierFactory(rank=2, code="svip", name="至尊VIP会员"),
    ]


@pytest.fixture(autouse=True)
def noon() -> Any:
    """The story happens at noon of 10 March 2026 in Shanghai."""
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def keeper(client: Client, grant: Grant) -> User:
    """Who may give tiers, signed in."""
    user = grant("crm.view_member", "crm.add_tiergrant")
    client.force_login(user)
    return user


def give(member: Member, code: str, at: datetime = NOON - DAY, until: datetime | None = None) -> TierGrant:
    return grant_tier(member.pk, code, at=at, until=until, actor_id=None, reason="A good customer")


class TestRungs:
    def test_a_rung_is_made_and_the_staff_log_says_so(self, client: Client, grant: Grant) -> None:
        client.force_login(grant("crm.view_tier", "crm.add_tier"))
        data = {"name": "Gold", "code": "gold", "rank": "3", "discount_percent": "92.5"}
        client.post(reverse("admin:crm_tier_add"), data)
        assert str(Tier.objects.get(code="gold").discount_percent) == "92.50"
        assert StaffAction.objects.get().details["tier"] == "gold"

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [({"rank": "1"}, "rank"), ({"code": "vip"}, "code"), ({"discount_percent": "101"}, "discount_percent")],
    )
    def test_what_cannot_be_is_refused_with_the_field(
        self, wrong: dict[str, str], field: str, client: Client, grant: Grant
    ) -> None:
        client.force_login(grant("crm.view_tier", "crm.add_tier"))
        data = {"name": "Gold", "code": "gold", "rank": "3", "discount_percent": "92.5"} | wrong
        page: Any = client.post(reverse("admin:crm_tier_add"), data)
        assert field in page.context["adminform"].form.errors

    def test_its_code_never_changes(self, client: Client, grant: Grant, rungs: list[Tier]) -> None:
        client.force_login(grant("crm.view_tier", "crm.change_tier"))
        data = {"name": "VIP", "code": "other", "rank": "1", "discount_percent": "95"}
        client.post(reverse("admin:crm_tier_change", args=[rungs[1].pk]), data)
        rungs[1].refresh_from_db()
        assert (rungs[1].name, rungs[1].code) == ("VIP", "vip")

    def test_a_rung_that_was_ever_granted_is_not_deleted(
        self, client: Client, grant: Grant, rungs: list[Tier], xiaolu: Member
    ) -> None:
        give(xiaolu, "vip", at=NOON - 10 * DAY, until=NOON - DAY)
        client.force_login(grant("crm.view_tier", "crm.delete_tier"))
        statuses = [
            client.post(reverse("admin:crm_tier_delete", args=[tier.pk]), {"post": "yes"}).status_code
            for tier in rungs[1:]
        ]
        assert statuses == [403, 302]

    def test_the_list_counts_those_who_hold_it_now(
        self, client: Client, grant: Grant, xiaolu: Member, dayong: Member
    ) -> None:
        give(xiaolu, "vip")
        give(dayong, "vip", until=NOON - timedelta(hours=1))
        client.force_login(grant("crm.view_tier"))
        url = reverse("admin:crm_tier_changelist")
        assert [tier.holders for tier in client.get(url).context["cl"].result_list] == [0, 1, 0]
        with CaptureQueriesContext(connection) as few:
            client.get(url)
        TierFactory(rank=9)
        with CaptureQueriesContext(connection) as many:
            client.get(url)
        assert len(few) == len(many)


class TestGranting:
    def page(self, member: Member) -> str:
        return reverse("admin:crm_member_tier", args=[member.pk])

    def send(self, client: Client, member: Member, rung: Tier, **data: str) -> Any:
        facts = {
            "tier": str(rung.pk), "last_day": "", "reason": "A good customer", "shown": "", "confirmed": "1",
        }  # fmt: skip
        response: Any = client.post(self.page(member), facts | data)
        return response

    def test_a_tier_is_given_with_a_reason_and_through_a_last_day(
        self, keeper: User, client: Client, xiaolu: Member, rungs: list[Tier]
    ) -> None:
        assert client.get(self.page(xiaolu)).status_code == 200
        self.send(client, xiaolu, rungs[1], last_day="2026-04-10")
        end = datetime(2026, 4, 11, tzinfo=SHANGHAI)
        grant = TierGrant.objects.get()
        assert (grant.begins_at, grant.ends_at, grant.granted_by, grant.source) == (NOON, end, keeper, "manual")
        assert tier_at([xiaolu.pk], end - timedelta(microseconds=1))[xiaolu.pk] == ("vip", 1)
        assert tier_at([xiaolu.pk], end)[xiaolu.pk] == ("base", 0)
        action = StaffAction.objects.get()
        assert (action.action, action.actor, action.member, action.reason) == (
            "tier.grant", keeper, xiaolu, "A good customer",
        )  # fmt: skip
        assert (action.details["tier"], action.details["replaced"]) == ("vip", None)

    def test_nothing_is_given_before_it_was_confirmed(
        self, keeper: User, client: Client, xiaolu: Member, rungs: list[Tier]
    ) -> None:
        give(xiaolu, "vip", until=datetime(2026, 4, 11, tzinfo=SHANGHAI))
        shown = client.get(self.page(xiaolu)).context["form"].initial["shown"]
        data = {"tier": str(rungs[2].pk), "last_day": "2026-12-31", "reason": "老朋友", "locked": "on", "shown": shown}

        asked = client.post(self.page(xiaolu), data)

        change = asked.context["change"]
        assert (change.before, change.before_last_day) == ("VIP会员", date(2026, 4, 10))
        assert (change.after, change.last_day, change.locked, change.reason) == (
            "至尊VIP会员", date(2026, 12, 31), True, "老朋友",
        )  # fmt: skip
        assert TierGrant.objects.count() == 1
        # What the page sends along is what was typed in.
        form = asked.context["form"]
        again = {bound.html_name: str(bound.value()) for bound in form} | {"confirmed": "1"}
        client.post(self.page(xiaolu), again)
        assert TierGrant.objects.latest("pk").tier.code == "svip"

    def test_a_locked_tier_is_not_moved_by_the_rules(
        self, keeper: User, client: Client, xiaolu: Member, rungs: list[Tier]
    ) -> None:
        self.send(client, xiaolu, rungs[1], locked="on")
        assert TierGrant.objects.get().locked
        assert StaffAction.objects.get().details["locked"] is True

    def test_a_lock_without_an_end_is_warned_of(
        self, keeper: User, client: Client, xiaolu: Member, rungs: list[Tier]
    ) -> None:
        data = {"tier": str(rungs[1].pk), "last_day": "", "reason": "老朋友", "locked": "on", "shown": ""}
        assert "永远不会" in client.post(self.page(xiaolu), data).content.decode()

    def test_a_form_that_is_sent_twice_gives_the_tier_once(
        self, keeper: User, client: Client, xiaolu: Member, rungs: list[Tier]
    ) -> None:
        self.send(client, xiaolu, rungs[1])
        again = self.send(client, xiaolu, rungs[1])
        assert again.context["form"].non_field_errors()
        assert TierGrant.objects.count() == StaffAction.objects.count() == 1

    def test_the_grant_in_force_is_replaced(
        self, keeper: User, client: Client, xiaolu: Member, rungs: list[Tier]
    ) -> None:
        before = give(xiaolu, "vip")
        shown = client.get(self.page(xiaolu)).context["form"].initial["shown"]
        self.send(client, xiaolu, rungs[2], shown=shown)
        before.refresh_from_db()
        assert before.ended_at == NOON
        assert TierGrant.objects.latest("pk").replaced == before

    def test_a_tier_that_begins_later_is_not_overwritten(
        self, keeper: User, client: Client, xiaolu: Member, rungs: list[Tier]
    ) -> None:
        give(xiaolu, "vip", at=NOON + DAY)
        refused = self.send(client, xiaolu, rungs[2])
        assert refused.context["form"].non_field_errors()
        assert TierGrant.objects.count() == 1

    @pytest.mark.parametrize("wrong", [{"last_day": "2026-03-09"}, {"reason": ""}, {"tier": "999999"}])
    def test_what_cannot_be_is_refused_with_the_field(
        self, wrong: dict[str, str], keeper: User, client: Client, xiaolu: Member, rungs: list[Tier]
    ) -> None:
        refused = self.send(client, xiaolu, rungs[1], **wrong)
        assert set(refused.context["form"].errors) == set(wrong)
        assert not TierGrant.objects.exists()

    def test_today_may_be_the_last_day(self, keeper: User, client: Client, xiaolu: Member, rungs: list[Tier]) -> None:
        self.send(client, xiaolu, rungs[1], last_day="2026-03-10")
        assert TierGrant.objects.get().ends_at == datetime(2026, 3, 11, tzinfo=SHANGHAI)

    def test_it_needs_the_permission_and_a_member(
        self, client: Client, grant: Grant, xiaolu: Member, rungs: list[Tier]
    ) -> None:
        client.force_login(grant("crm.view_member", "crm.change_member"))
        assert client.get(self.page(xiaolu)).status_code == 403
        assert self.send(client, xiaolu, rungs[1]).status_code == 403
        client.force_login(grant("crm.add_tiergrant"))
        assert client.get(reverse("admin:crm_member_tier", args=[xiaolu.pk + 1])).status_code == 404


class TestMemberPage:
    def panel(self, client: Client, member: Member) -> dict[str, Any]:
        panels = client.get(reverse("admin:crm_member_change", args=[member.pk])).context["panels"]
        found: dict[str, Any] = next(panel["data"] for panel in panels if panel["name"] == "tier")
        return found

    def test_it_shows_the_tier_held_and_the_history(self, keeper: User, client: Client, xiaolu: Member) -> None:
        give(xiaolu, "vip", at=NOON - 10 * DAY)
        give(xiaolu, "svip", at=NOON - DAY, until=datetime(2026, 4, 11, tzinfo=SHANGHAI))
        data = self.panel(client, xiaolu)
        assert data["held"]["grant"].tier.code == "svip"
        assert data["held"]["last_day"] == date(2026, 4, 10)
        assert [(row["grant"].tier.code, row["now"]) for row in data["rows"]] == [("svip", True), ("vip", False)]

    def test_without_a_grant_it_is_the_base_rung(self, keeper: User, client: Client, xiaolu: Member) -> None:
        data = self.panel(client, xiaolu)
        assert (data["held"], data["base"].code) == (None, "base")

    def test_each_tier_says_how_it_came_with_the_figures_that_justified_it(
        self, client: Client, grant: Grant, shop: Channel
    ) -> None:
        client.force_login(grant("crm.view_member", "crm.view_tierscheme"))
        draft = load_scheme_preset("vancl", at=NOON - 60 * DAY, actor_id=None).draft
        publish(draft.pk, effective_from=NOON - 60 * DAY, at=NOON - 60 * DAY, actor_id=None, reason="The first one")
        seller = Seller(shop)
        member = seller.member("豪客")
        seller.buys(member, 2345, "2026-02-10")
        grant_tier(
            member.pk, "svip", at=NOON - timedelta(hours=1), until=None, actor_id=None, reason="老朋友", locked=True
        )

        page = client.get(reverse("admin:crm_member_change", args=[member.pk])).content.decode()

        data = self.panel(client, member)
        by_hand, by_the_rules = data["rows"]
        assert by_hand["how"] == "手工"
        assert by_the_rules["how"] == "按规则：达标升级"
        assert "消费金额 2,345 元" in by_the_rules["why"][0]
        assert "消费金额 ≥ 2,000 元" in by_the_rules["why"][1]
        assert "已锁定" in page
        assert reverse("admin:crm_tierscheme_change", args=[draft.pk]) in page

    def test_it_says_where_he_stands_and_what_he_may_take(self, keeper: User, client: Client, shop: Channel) -> None:
        draft = load_scheme_preset("linggou", at=NOON - 60 * DAY, actor_id=None).draft
        save_draft(
            draft.pk,
            {},
            [
                {"tier": "vip", "reach": [{"metric": "spend", "at_least": 1000}]},
                {"tier": "svip", "reach": [{"metric": "spend", "at_least": 4000}]},
            ],
        )
        publish(draft.pk, effective_from=NOON - 60 * DAY, at=NOON - 60 * DAY, actor_id=None, reason="The first one")
        seller = Seller(shop)
        member = seller.member("豪客")
        seller.buys(member, 900, "2026-02-20")
        assert "90 %" in self.panel(client, member)["standing"][0]

        seller.buys(member, 200, "2026-02-21")
        assert "可领取“VIP会员”" in self.panel(client, member)["offer"]

    def test_the_history_costs_the_same_however_long_it_is(self, keeper: User, client: Client, xiaolu: Member) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                self.panel(client, xiaolu)
            return len(captured)

        give(xiaolu, "vip", at=NOON - 30 * DAY)
        few = queries()
        for number in range(10):
            give(xiaolu, ("svip", "vip")[number % 2], at=NOON - (20 - number) * DAY)
        assert queries() == few

    def test_only_those_who_may_give_a_tier_are_offered_to(self, client: Client, grant: Grant, xiaolu: Member) -> None:
        client.force_login(grant("crm.view_member"))
        assert self.panel(client, xiaolu)["may_grant"] is False
        page = client.get(reverse("admin:crm_member_change", args=[xiaolu.pk])).content.decode()
        assert reverse("admin:crm_member_tier", args=[xiaolu.pk]) not in page


class TestList:
    def test_it_shows_the_tier_and_filters_by_it(
        self, keeper: User, client: Client, xiaolu: Member, dayong: Member
    ) -> None:
        mei = MemberFactory(name="陈美")
        give(xiaolu, "vip")
        give(mei, "base")  # Put down to the base by hand.

        def shown(**query: str) -> list[tuple[str, str]]:
            rows = client.get(reverse(MEMBERS), query).context["cl"].result_list
            return [(row.name, row.page_figures["tier"]) for row in rows]

        assert shown() == [("陈美", "普通会员"), ("王大勇", "普通会员"), ("林小鹿", "VIP会员")]
        assert shown(tier="vip") == [("林小鹿", "VIP会员")]
        assert shown(tier="base") == [("陈美", "普通会员"), ("王大勇", "普通会员")]
        assert shown(tier="svip") == shown(tier="gold") == []
