"""The lists of who is about to move: near the next tier, about to lose theirs, with a tier to take."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from crm.admin.schemes import moving
from crm.models import Channel, Member, StaffAction, Tier, TierOffer, TierStanding, User
from crm.tiers import lists
from crm.tiers.granting import grant_tier
from crm.tiers.lists import Asked, Which, all_of, missing_rounded_up, number_of, page_of, read_key
from crm.tiers.presets import load_scheme_preset
from crm.tiers.scheme import Mark, Rung, Threshold
from crm.tiers.schemebook import publish, scheme_at
from tests.cast import NOON
from tests.crm.tiers.seller import Seller
from tests.factories import MemberFactory
from tests.staff import Grant

pytestmark = pytest.mark.django_db

PAGE = reverse("admin:crm_tierscheme_moving")
CSV = reverse("admin:crm_tierscheme_moving_csv")
DAY = timedelta(days=1)

Stand = Callable[..., Member]


@pytest.fixture(autouse=True)
def noon() -> Any:
    """The story happens at noon of 10 March 2026 in Shanghai."""
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def keeper(client: Client, grant: Grant) -> User:
    """Who may see members and take lists away, signed in."""
    user = grant("crm.view_member", "crm.export_member")
    client.force_login(user)
    return user


@pytest.fixture
def scheme(db: None) -> None:
    """VIP at 2000 yuan, SVIP above 2500, for a year: in force since January."""
    at = NOON - 60 * DAY
    draft = load_scheme_preset("vancl", at=at, actor_id=None).draft
    publish(draft.pk, effective_from=at, at=at, actor_id=None, reason="The first one")


@pytest.fixture
def stand(scheme: None) -> Stand:
    """``stand("小鹿", "0.93")``: a member with so much of what VIP asks for."""

    def make(name: str, share: str | None = None, **standing: Any) -> Member:
        member: Member = MemberFactory(name=name)
        rank = None if share is None else 1
        TierStanding.objects.create(member=member, next_rank=rank, next_share=share and Decimal(share), **standing)
        return member

    return make


def names(client: Client, **query: str) -> list[str]:
    return [shown.row.name for shown in client.get(PAGE, query).context["rows"]]


class TestAboutToUpgrade:
    def test_who_lacks_a_fifth_at_most_the_nearest_first(self, client: Client, keeper: User, stand: Stand) -> None:
        for name, share in (("远", "0.7999"), ("近", "0.8000"), ("更近", "0.95"), ("到了", "1")):
            stand(name, share)
        answer = client.get(PAGE)
        assert names(client) == ["到了", "更近", "近"]
        assert "还差约 100 元" in answer.content.decode()

    def test_the_part_can_be_chosen(self, client: Client, keeper: User, stand: Stand) -> None:
        stand("近", "0.95")
        stand("更近", "0.98")
        assert names(client, percent="3") == ["更近"]

    def test_or_an_amount(self, client: Client, keeper: User, stand: Stand) -> None:
        stand("差一百", "0.95")
        stand("差两百", "0.90")
        assert names(client, gap="150", metric="spend") == ["差一百"]

    def test_whom_the_rules_do_not_move_is_left_out(self, client: Client, keeper: User, stand: Stand) -> None:
        member = stand("锁定", "0.95")
        grant_tier(member.pk, "vip", at=NOON - DAY, until=None, actor_id=None, reason="A friend", locked=True)
        assert names(client) == []

    @pytest.mark.parametrize("wrong", [{"percent": "0"}, {"percent": "x"}, {"gap": "-1"}, {"metric": "love"}])
    def test_what_cannot_be_is_said(self, client: Client, keeper: User, stand: Stand, wrong: dict[str, str]) -> None:
        stand("近", "0.95")
        answer = client.get(PAGE, wrong)
        assert answer.context["form"].errors
        assert answer.context["rows"] == []

    def test_a_review_puts_members_on_it(self, client: Client, keeper: User, scheme: None, shop: Channel) -> None:
        seller = Seller(shop)
        seller.buys(seller.member("豪客"), 1800, "2026-02-20")
        assert names(client) == ["豪客"]


class TestAboutToUpgradeByClaim:
    """In a scheme whose tiers members take themselves."""

    @pytest.fixture
    def claims(self, db: None) -> int:
        at = NOON - 60 * DAY
        draft = load_scheme_preset("linggou", at=at, actor_id=None).draft
        publish(draft.pk, effective_from=at, at=at, actor_id=None, reason="The first one")
        return draft.pk

    def stands(self, name: str, share: str, scheme: int, until: Any = None) -> None:
        member = MemberFactory(name=name)
        TierStanding.objects.create(member=member, next_rank=1, next_share=Decimal(share))
        if until is not None:
            TierOffer.objects.create(
                member=member, tier=Tier.objects.get(rank=1), scheme_id=scheme, kind="up", opened_at=NOON - 9 * DAY,
                until=until, qualified_until=NOON - 9 * DAY,
            )  # fmt: skip

    def test_who_may_take_his_tier_already_is_on_the_list_of_unclaimed_ones_only(
        self, client: Client, keeper: User, claims: int
    ) -> None:
        self.stands("可领取", "1", claims, NOON + DAY)
        self.stands("差一点", "0.95", claims)

        assert names(client) == ["差一点"]
        assert names(client, list="unclaimed") == ["可领取"]

    def test_whose_time_to_take_it_is_over_is_near_again(self, client: Client, keeper: User, claims: int) -> None:
        self.stands("错过了", "1", claims, NOON - DAY)

        assert names(client) == ["错过了"]
        assert names(client, list="unclaimed") == []

    def test_who_has_taken_it_since_the_last_review_is_on_no_list(
        self, client: Client, keeper: User, claims: int
    ) -> None:
        self.stands("领了", "1", claims)
        member = Member.objects.get(name="领了")
        grant_tier(member.pk, Tier.objects.get(rank=2).code, at=NOON - DAY, until=None, actor_id=None, reason="Claimed")

        assert names(client) == names(client, list="unclaimed") == []

    def test_a_lower_tier_to_take_does_not_hide_who_is_near_the_next(
        self, client: Client, keeper: User, claims: int
    ) -> None:
        self.stands("两步", "0.95", claims, NOON + DAY)

        assert names(client) == names(client, list="unclaimed") == ["两步"]


class TestToBeDemoted:
    def test_who_is_judged_within_30_days_and_has_not_enough(self, client: Client, keeper: User, stand: Stand) -> None:
        half = Decimal("0.5")
        stand("后天", keep_share=half, keep_due_at=NOON + 2 * DAY)
        stand("明天", keep_share=half, keep_due_at=NOON + DAY)
        stand("够了", keep_share=Decimal(1), keep_due_at=NOON + DAY)
        stand("还早", keep_share=half, keep_due_at=NOON + 31 * DAY)
        stand("过了", keep_share=half, keep_due_at=NOON - DAY)
        assert names(client, list="falling") == ["明天", "后天"]


class TestNotClaimed:
    def test_who_has_a_tier_to_take(self, client: Client, keeper: User, shop: Channel) -> None:
        at = NOON - 60 * DAY
        draft = load_scheme_preset("linggou", at=at, actor_id=None).draft
        publish(draft.pk, effective_from=at, at=at, actor_id=None, reason="The first one")
        member = Seller(shop).member("豪客")
        TierOffer.objects.create(
            member=member, tier=Tier.objects.get(rank=2), scheme_id=draft.pk, kind="up", opened_at=NOON - DAY,
            until=NOON + DAY, qualified_until=NOON - DAY,
        )  # fmt: skip
        [shown] = client.get(PAGE, {"list": "unclaimed"}).context["rows"]
        assert (shown.row.name, shown.row.tier, shown.row.due) == ("豪客", Tier.objects.get(rank=2).name, NOON + DAY)


class TestPages:
    def test_go_on_by_keys_and_lose_nobody(
        self, client: Client, keeper: User, stand: Stand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(moving, "ROWS_ON_A_PAGE", 2)
        for number in range(5):
            stand(f"{number}", "0.95")
        seen, query = [], "list=near"
        while query:
            answer = client.get(f"{PAGE}?{query}")
            seen += [shown.row.name for shown in answer.context["rows"]]
            query = answer.context["following"]
        assert seen == ["0", "1", "2", "3", "4"]

    @pytest.mark.parametrize("key", ["", "x", "~", "0.9~x", "NaN~1", "2026-03-10~1", f"0.9~{'1' * 30}"])
    @pytest.mark.parametrize("which", [Which.NEAR, Which.FALLING])
    def test_a_key_that_cannot_be_read_is_the_first_page(self, which: Which, key: str) -> None:
        assert read_key(which, key) is None

    def test_cost_the_same_however_many_members(self, client: Client, keeper: User, stand: Stand) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                assert client.get(PAGE).status_code == 200
            return len(captured)

        stand("one", "0.95")
        queries()
        few = queries()
        for number in range(20):
            stand(f"{number}", "0.95")
        assert queries() == few

    def test_more_than_so_many_are_not_counted(self, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lists, "COUNTED_AT_MOST", 2)
        for number in range(5):
            stand(f"{number}", "0.95")
        assert number_of(Asked(Which.NEAR), scheme_at(NOON), at=NOON) == 3

    def test_an_index_finds_the_nearest(self, stand: Stand) -> None:
        TierStanding.objects.bulk_create(
            TierStanding(member=MemberFactory(), next_rank=1, next_share=Decimal("0.1")) for _ in range(300)
        )
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE crm_tierstanding")
        with CaptureQueriesContext(connection) as captured:
            page_of(Asked(Which.NEAR), scheme_at(NOON), at=NOON, after=None, rows=50)
        statement = next(each["sql"] for each in captured if "crm_tierstanding" in each["sql"])
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {statement}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "crm_tierstanding_near" in plan

    def test_without_a_scheme_nobody_is_about_to_move(self, client: Client, keeper: User) -> None:
        answer = client.get(PAGE)
        assert answer.context["rows"] == []
        assert "没有生效的等级方案" in answer.content.decode()


class TestDownload:
    def test_everybody_is_in_it_and_the_staff_log_says_who_took_it(
        self, client: Client, keeper: User, stand: Stand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lists, "ROWS_PER_CHUNK", 2)
        for number in range(5):
            stand(f"=buyer {number}", "0.95")
        answer: Any = client.get(CSV, {"list": "near"})
        lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
        assert len(lines) == 6
        assert "95" in lines[1]
        assert ",=buyer" not in lines[1]  # No spreadsheet takes it for a formula.
        logged = StaffAction.objects.get()
        assert (logged.action, logged.actor, logged.details["list"]) == ("tier_list.export", keeper, "near")

    def test_all_rows_come_in_chunks(self, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lists, "ROWS_PER_CHUNK", 2)
        for number in range(5):
            stand(f"{number}", "0.95")
        assert [row.name for row in all_of(Asked(Which.NEAR), scheme_at(NOON), at=NOON)] == ["0", "1", "2", "3", "4"]


class TestPermissions:
    def test_they_need_the_permission_to_see_members(self, client: Client, grant: Grant, scheme: None) -> None:
        client.force_login(grant("crm.view_tierscheme", "crm.export_member"))
        assert client.get(PAGE).status_code == 403
        assert client.get(CSV).status_code == 403

    def test_and_taking_them_away_another_one(self, client: Client, grant: Grant, stand: Stand) -> None:
        stand("近", "0.95")
        client.force_login(grant("crm.view_member"))
        assert CSV not in client.get(PAGE).content.decode()
        assert client.get(CSV).status_code == 403
        assert not StaffAction.objects.exists()


class TestWhatIsMissing:
    def rung(self, *asked: tuple[str, int]) -> Rung:
        mark = Mark(tuple(Threshold(metric, Decimal(number)) for metric, number in asked))
        return Rung("vip", 1, mark, mark)

    def test_is_said_of_the_only_figure_that_is_asked_for(self) -> None:
        assert missing_rounded_up(self.rung(("spend", 2000)), Decimal("0.9333")) == ("spend", Decimal(134))

    def test_of_several_nobody_can_say(self) -> None:
        assert missing_rounded_up(self.rung(("spend", 2000), ("order_count", 5)), Decimal("0.9")) == ("", None)
