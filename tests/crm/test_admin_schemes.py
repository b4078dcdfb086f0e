"""Tier schemes in the admin: drafts, the editor, and the threshold adviser."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from crm.choices import OrderStatus, WindowKind
from crm.models import Channel, Member, StaffAction, Tier, TierScheme, User
from crm.tiers.granting import grant_tier
from crm.tiers.presets import SCHEME_PRESETS, load_scheme_preset
from crm.tiers.schemebook import draft_of, find_scheme, publish
from tests.cast import NOON
from tests.factories import MemberFactory, OrderFactory, TierFactory
from tests.staff import Grant

pytestmark = pytest.mark.django_db

LIST = reverse("admin:crm_tierscheme_changelist")
ADD = reverse("admin:crm_tierscheme_add")
ADVISER = reverse("admin:crm_tierscheme_adviser")
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def noon() -> Any:
    """The story happens at noon of 10 March 2026 in Shanghai."""
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def keeper(client: Client, grant: Grant) -> User:
    """Who may work on schemes, signed in."""
    user = grant("crm.change_tierscheme")
    client.force_login(user)
    return user


@pytest.fixture
def draft(db: None) -> TierScheme:
    """A draft with the scheme of Vancl."""
    return load_scheme_preset("vancl", at=NOON, actor_id=None).draft


@pytest.fixture
def published(draft: TierScheme) -> TierScheme:
    return publish(draft.pk, effective_from=NOON, at=NOON, actor_id=None, reason="The first one")


def page_of(scheme: TierScheme) -> str:
    return reverse("admin:crm_tierscheme_change", args=[scheme.pk])


def filled_in(client: Client, draft: TierScheme, **changes: Any) -> dict[str, Any]:
    """The form of a draft as it is sent, with some of its fields changed; "vip.reach_spend" is one of the VIP's."""
    context = client.get(page_of(draft)).context
    data = {"shown": context["shown"]}
    for form in (context["settings"], *context["rungs"]):
        for bound in form:
            value = bound.value()
            if value is not None and value is not False:
                data[bound.html_name] = value
    for change, value in changes.items():
        tier, dot, field = change.partition(".")
        name = f"tier-{Tier.objects.get(code=tier).pk}-{field}" if dot else change
        data[name] = value
    return {name: value for name, value in data.items() if value is not None}


class TestSeeing:
    def test_without_a_scheme_the_list_says_so_and_leads_on(self, client: Client, keeper: User) -> None:
        page = client.get(LIST).content.decode()
        assert "当前没有生效的等级方案" in page
        assert ADD in page
        assert ADVISER in page

    def test_the_scheme_in_force_is_told_in_words(self, client: Client, keeper: User, published: TierScheme) -> None:
        page = client.get(LIST).content.decode()
        assert "消费金额 ≥ 2,000 元" in page
        assert "消费金额 &gt; 2,500 元" in page
        assert "The first one" in page

    def test_it_shows_how_the_members_are_divided(
        self, client: Client, keeper: User, published: TierScheme, xiaolu: Member, dayong: Member
    ) -> None:
        grant_tier(xiaolu.pk, "vip", at=NOON - DAY, until=None, actor_id=None, reason="A friend")
        shares = client.get(LIST).context["shares"]
        assert [(share["tier"], share["members"]) for share in shares] == [
            ("普通会员", 1), ("VIP会员", 1), ("SVIP会员", 0),
        ]  # fmt: skip

    def test_the_list_costs_the_same_however_many_schemes(
        self, client: Client, keeper: User, published: TierScheme
    ) -> None:
        def queries() -> int:
            client.get(LIST)
            with CaptureQueriesContext(connection) as captured:
                client.get(LIST)
            return len(captured)

        draft_of(1, at=NOON, actor_id=None)
        few = queries()
        for _number in range(5):
            made = draft_of(1, at=NOON, actor_id=None)
            publish(made.pk, effective_from=NOON, at=NOON, actor_id=None, reason="Again")
            draft_of(1, at=NOON, actor_id=None)
        # With earlier versions there is one more list, with its tiers.
        assert queries() <= few + 3

    def test_a_published_version_is_read_and_not_written(
        self, client: Client, keeper: User, published: TierScheme
    ) -> None:
        page = client.get(page_of(published)).content.decode()
        assert '<input type="hidden" name="shown"' not in page
        assert client.post(page_of(published), {"currency": "USD"}).status_code in (200, 403)
        assert find_scheme(published.pk).currency == "CNY"

    @pytest.mark.parametrize("address", ["999999", "0", "x", "1" * 30])
    def test_what_is_not_there_is_not_found(self, client: Client, keeper: User, address: str) -> None:
        assert client.get(f"{LIST}{address}/change/").status_code == 404


class TestPermissions:
    @pytest.mark.parametrize("may", [(), ("crm.view_tier", "crm.view_member")])
    def test_nobody_else_sees_them(self, client: Client, grant: Grant, draft: TierScheme, may: tuple[str, ...]) -> None:
        client.force_login(grant(*may))
        discard = reverse("admin:crm_tierscheme_discard", args=[draft.pk])
        for address in (LIST, ADD, ADVISER, page_of(draft), discard):
            assert client.get(address).status_code == 403, address

    def test_who_may_only_look_changes_nothing(self, client: Client, grant: Grant, draft: TierScheme) -> None:
        client.force_login(grant("crm.view_tierscheme"))
        data = filled_in(client, draft, currency="USD")
        assert client.post(page_of(draft), data).status_code == 403
        assert client.get(ADD).status_code == 403
        assert client.post(reverse("admin:crm_tierscheme_discard", args=[draft.pk])).status_code == 403
        assert find_scheme(draft.pk).currency == "CNY"


class TestDrafts:
    @pytest.mark.parametrize("name", SCHEME_PRESETS)
    def test_a_preset_becomes_a_draft_with_its_tiers(self, client: Client, keeper: User, name: str) -> None:
        answer = client.post(ADD, {"start": f"preset:{name}", "note": "Ours"}, follow=True)
        draft = TierScheme.objects.get()
        assert (draft.note, draft.created_by) == ("Ours", keeper)
        assert answer.redirect_chain[-1][0] == page_of(draft)
        assert answer.context["all_problems"] == []

    def test_a_version_becomes_a_draft(self, client: Client, keeper: User, published: TierScheme) -> None:
        client.post(ADD, {"start": "version:1", "note": ""})
        copy = TierScheme.objects.get(version=None)
        assert copy.based_on == published
        assert find_scheme(copy.pk).rungs == find_scheme(published.pk).rungs

    def test_nothing_becomes_an_empty_draft(self, client: Client, keeper: User) -> None:
        client.post(ADD, {"start": "version:0", "note": ""})
        assert find_scheme(TierScheme.objects.get().pk).rungs == ()

    def test_what_there_is_not_cannot_be_begun_with(self, client: Client, keeper: User) -> None:
        assert client.post(ADD, {"start": "version:7", "note": ""}).context["form"].errors
        assert not TierScheme.objects.exists()

    def test_a_draft_is_discarded_once_it_was_asked(self, client: Client, keeper: User, draft: TierScheme) -> None:
        discard = reverse("admin:crm_tierscheme_discard", args=[draft.pk])
        client.get(discard)
        assert TierScheme.objects.exists()
        client.post(discard)
        assert not TierScheme.objects.exists()
        assert StaffAction.objects.get().action == "tier_scheme.discard"


class TestEditing:
    def test_saving_what_is_there_changes_nothing(self, client: Client, keeper: User, draft: TierScheme) -> None:
        before = find_scheme(draft.pk)
        answer = client.post(page_of(draft), filled_in(client, draft))
        assert answer.status_code == 302
        assert find_scheme(draft.pk) == before

    def test_thresholds_and_settings_are_saved(self, client: Client, keeper: User, draft: TierScheme) -> None:
        data = filled_in(client, draft, **{
            "vip.reach_spend": "3000", "vip.reach_order_count": "4", "vip.reach_any": "any", "validity_months": "24",
        })  # fmt: skip
        answer = client.post(page_of(draft), data, follow=True)

        assert "草稿已保存" in answer.content.decode()
        scheme = find_scheme(draft.pk)
        assert scheme.validity_months == 24
        vip = scheme.rungs[0]
        assert {each.metric: each.at_least for each in vip.reach.thresholds} == {
            "spend": Decimal(3000), "order_count": Decimal(4),
        }  # fmt: skip
        assert vip.reach.any_of
        assert [each.at_least for each in vip.keep.thresholds] == [Decimal(1000)]

    def test_more_than_is_something_else_than_at_least(self, client: Client, keeper: User, draft: TierScheme) -> None:
        assert find_scheme(draft.pk).rungs[1].reach.thresholds[0].strict
        client.post(page_of(draft), filled_in(client, draft, **{"svip.reach_spend_strict": ""}))
        assert not find_scheme(draft.pk).rungs[1].reach.thresholds[0].strict

    def test_a_tier_can_be_left_out(self, client: Client, keeper: User, draft: TierScheme) -> None:
        client.post(page_of(draft), filled_in(client, draft, **{"svip.on": None}))
        assert [rung.tier for rung in find_scheme(draft.pk).rungs] == ["vip"]

    def test_what_keeps_a_draft_from_being_published_is_saved_and_said(
        self, client: Client, keeper: User, draft: TierScheme
    ) -> None:
        data = filled_in(client, draft, **{"vip.reach_spend": "", "vip.keep_spend": ""})
        page = client.post(page_of(draft), data, follow=True)
        assert "没有设置任何条件" in page.content.decode()
        assert find_scheme(draft.pk).rungs[0].reach.thresholds == ()

    @pytest.mark.parametrize(
        ("name", "value"), [("vip.reach_spend", "much"), ("vip.reach_spend", "-1"), ("validity_months", "0"),
                            ("claim_days", ""), ("reach_window", "eternity")]
    )  # fmt: skip
    def test_what_cannot_be_read_is_said_at_its_field_and_nothing_is_saved(
        self, client: Client, keeper: User, draft: TierScheme, *, name: str, value: str
    ) -> None:
        before = find_scheme(draft.pk)
        answer = client.post(page_of(draft), filled_in(client, draft, **{name: value}))
        assert answer.status_code == 200
        assert "pk-wrong" in answer.content.decode()
        assert find_scheme(draft.pk) == before

    def test_of_two_people_the_second_does_not_undo_the_work_of_the_first(
        self, client: Client, keeper: User, draft: TierScheme
    ) -> None:
        mine = filled_in(client, draft, validity_months="24")
        theirs = filled_in(client, draft, validity_months="6")
        client.post(page_of(draft), theirs)
        answer = client.post(page_of(draft), mine, follow=True)
        assert "没有保存任何内容" in answer.content.decode()
        assert find_scheme(draft.pk).validity_months == 6

    def test_the_page_costs_the_same_however_many_tiers(self, client: Client, keeper: User, draft: TierScheme) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                assert client.get(page_of(draft)).status_code == 200
            return len(captured)

        few = queries()
        for rank in range(10, 20):
            TierFactory(rank=rank)
        assert queries() == few


@pytest.fixture
def ladder(db: None) -> list[Tier]:
    return [
        TierFactory(rank=0, code="base", name="普通会员"),
        TierFactory(rank=1, code="vip", name="VIP会员"),
        TierFactory(rank=2, code="svip", name="SVIP会员"),
    ]


@pytest.fixture
def ten_buyers(shop: Channel, ladder: list[Tier]) -> None:
    """Ten members who have spent 100, 200 … 1000 yuan ten days ago, and five who never bought."""
    for hundreds in range(1, 11):
        OrderFactory(
            channel=shop, member=MemberFactory(), status=OrderStatus.COMPLETED, paid=Decimal(100 * hundreds),
            completed_at=NOON - 10 * DAY,
        )  # fmt: skip
    MemberFactory.create_batch(5)


@pytest.mark.usefixtures("ten_buyers")
class TestAdviser:
    USE = {
        "metric": "spend", "window": "days365", "among": "active", "rounding": "usual", "share0": "60", "share1": "30",
        "share2": "10", "threshold1": "650", "threshold2": "1000",
    }  # fmt: skip

    def rungs(self, client: Client, **asked: str) -> list[tuple[Any, int]]:
        context = client.get(ADVISER, asked).context
        return [(row["rung"].threshold, row["members"]) for row in context["rungs"]]

    def test_it_proposes_sixty_thirty_ten_of_the_buyers(self, client: Client, keeper: User) -> None:
        assert self.rungs(client) == [(None, 5), (Decimal(600), 4), (Decimal(1000), 1)]

    def test_the_parts_can_be_chosen(self, client: Client, keeper: User) -> None:
        rungs = self.rungs(client, share0="50", share1="30", share2="20", rounding="plain")
        assert [threshold for threshold, _members in rungs] == [None, Decimal(500), Decimal(1000)]

    def test_parts_that_do_not_add_up_are_said(self, client: Client, keeper: User) -> None:
        page = client.get(ADVISER, {"share0": "60", "share1": "30", "share2": "30"})
        assert "合计为 120" in page.content.decode()
        assert "rungs" not in page.context

    def test_thresholds_that_are_typed_are_counted(self, client: Client, keeper: User) -> None:
        assert self.rungs(client, threshold1="300", threshold2="900") == [
            (None, 2), (Decimal(300), 6), (Decimal(900), 2),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("typed", "said"),
        [(("900", "300"), "必须高于"), (("x", "300"), "请在每个门槛中填写数字"), (("-1", "300"), "大于零"),
         (("NaN", "300"), "大于零"), (("", "300"), "请在每个门槛中填写数字")],
    )  # fmt: skip
    def test_thresholds_that_make_no_sense_are_said(
        self, client: Client, keeper: User, *, typed: tuple[str, str], said: str
    ) -> None:
        page = client.get(ADVISER, {"threshold1": typed[0], "threshold2": typed[1]})
        assert said in page.content.decode()

    def test_every_stretch_of_time_is_shown_beside_the_others(
        self, client: Client, keeper: User, shop: Channel
    ) -> None:
        OrderFactory(
            channel=shop, member=Member.objects.earliest("pk"), status=OrderStatus.COMPLETED, paid=Decimal(5000),
            completed_at=NOON - 200 * DAY,
        )  # fmt: skip
        compared = client.get(ADVISER, {"window": "days90"}).context["compared"]
        assert [row.chosen for row in compared] == [True, False, False, False]
        highest = [row.proposed[-1].threshold for row in compared]
        assert highest[0] == highest[1] < highest[2] == highest[3]

    def test_the_picture_shows_every_buyer(self, client: Client, keeper: User) -> None:
        picture = client.get(ADVISER).context["picture"]
        assert sum(bar[2] for bar in picture["bars"]) == 10

    def test_a_shop_without_orders_in_that_time_is_told(self, client: Client, keeper: User, shop: Channel) -> None:
        page = client.get(ADVISER, {"metric": "points_earned"})
        assert "这段时间内没有任何会员有数据" in page.content.decode()

    def test_it_is_used_in_a_new_draft(self, client: Client, keeper: User) -> None:
        client.post(ADVISER, self.USE)
        scheme = find_scheme(TierScheme.objects.get().pk)
        assert [(rung.tier, rung.reach.thresholds[0].at_least) for rung in scheme.rungs] == [
            ("vip", Decimal(650)), ("svip", Decimal(1000)),
        ]  # fmt: skip
        assert (scheme.reach_window.kind, scheme.reach_window.length) == (WindowKind.DAYS, 365)

    def test_or_in_one_that_is_there_where_what_keeps_a_tier_stays(
        self, client: Client, keeper: User, draft: TierScheme
    ) -> None:
        client.post(ADVISER, self.USE | {"draft": str(draft.pk)})
        assert TierScheme.objects.count() == 1
        vip = find_scheme(draft.pk).rungs[0]
        assert [mark.thresholds[0].at_least for mark in (vip.reach, vip.keep)] == [Decimal(650), Decimal(1000)]

    def test_a_draft_that_is_gone_is_not_filled(self, client: Client, keeper: User, published: TierScheme) -> None:
        client.post(ADVISER, self.USE | {"draft": str(published.pk)})
        assert TierScheme.objects.count() == 1

    def test_only_who_may_change_schemes_uses_it(self, client: Client, grant: Grant) -> None:
        client.force_login(grant("crm.view_tierscheme"))
        assert "用于草稿" not in client.get(ADVISER).content.decode()
        assert client.post(ADVISER, self.USE).status_code == 403
        assert not TierScheme.objects.exists()

    def test_counting_is_remembered_for_a_while(self, client: Client, keeper: User) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                client.get(ADVISER)
            return len(captured)

        first = queries()
        assert queries() < first


def test_without_tiers_the_adviser_says_what_to_do(client: Client, keeper: User) -> None:
    assert "目前的等级不足两个" in client.get(ADVISER).content.decode()
