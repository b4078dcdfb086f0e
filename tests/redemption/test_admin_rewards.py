"""Rewards in the admin: made, changed, stocked, filled with codes, copied, and seen as a member sees them."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from crm.admin.stafflog import ACTIONS
from crm.models import Member, StaffAction, Tier, User
from redemption.models import Reward, RewardCategory, RewardCode, RewardTag, Stock, StockChange
from redemption.rewards.choices import RewardKind, Sight, Visibility
from redemption.rewards.insight import Asks, insight_of
from redemption.rewards.keeping import set_tags
from tests.cast import GivePoints
from tests.factories import AddressFactory, MemberTagFactory, RewardFactory, TagFactory, TierFactory
from tests.staff import Grant

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

LIST = "admin:redemption_reward_changelist"
FORM = {
    "name": "Tea cup", "kind": "goods", "description": "", "category": "", "position": "0", "points": "300",
    "cash": "19.90", "list_price": "59", "pay_hours": "48", "active": "on", "starts_at_0": "", "starts_at_1": "",
    "ends_at_0": "", "ends_at_1": "", "min_tier": "", "visibility": "visible", "limit_day": "1", "limit_window": "",
    "limit_ever": "", "most_at_once": "2", "pieces": "100", "safety": "10",
}  # fmt: skip


@pytest.fixture
def keeper(grant: Grant, client: Client) -> User:
    """Somebody who minds the rewards, signed in, with pages in English."""
    user = grant(
        "redemption.view_reward", "redemption.add_reward", "redemption.change_reward", "redemption.add_stockchange",
        "redemption.add_rewardcode", "redemption.preview_reward", "crm.view_member",
    )  # fmt: skip
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    client.force_login(user)
    return user


def page(name: str, reward: Reward) -> str:
    return reverse(f"admin:redemption_reward_{name}", args=[reward.pk])


def logged(action: str) -> StaffAction:
    assert action in ACTIONS
    return StaffAction.objects.get(action=action)


def upload(client: Client, reward: Reward, text: str, name: str = "codes.csv") -> Any:
    response: Any = client.post(page("codes", reward), {"upload": SimpleUploadedFile(name, text.encode())})
    return response


class TestMaking:
    def test_a_reward_comes_with_its_stock_and_tags(self, keeper: User, client: Client) -> None:
        fans, resellers = TagFactory(), TagFactory()
        client.post(
            reverse("admin:redemption_reward_add"), FORM | {"needed_tags": [fans.pk], "barred_tags": [resellers.pk]}
        )

        reward = Reward.objects.select_related("stock").get()
        assert (reward.points, reward.cash, reward.limit_day, reward.counted) == (300, Decimal("19.90"), 1, True)
        assert (reward.stock.free, reward.stock.safety) == (90, 10)
        assert dict(reward.tag_rules.values_list("tag", "barred")) == {fans.pk: False, resellers.pk: True}
        assert logged("rewards.add").details["name"] == "Tea cup"
        assert logged("rewards.stock").actor == keeper

    def test_a_digital_good_is_led_to_its_codes(self, keeper: User, client: Client) -> None:
        answer = client.post(reverse("admin:redemption_reward_add"), FORM | {"kind": "digital"})
        reward = Reward.objects.get()
        assert not reward.counted
        assert answer["Location"] == page("codes", reward)

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"ends_at_0": "2026-03-01", "ends_at_1": "00:00", "starts_at_0": "2026-03-02", "starts_at_1": "00:00"},
             "ends_at"),
            ({"limit_window": "3"}, "limit_window"),
            ({"safety": "101"}, "safety"),
            ({"points": "0"}, "points"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_meant_is_refused_at_its_field(
        self, wrong: dict[str, str], field: str, keeper: User, client: Client
    ) -> None:
        answer = client.post(reverse("admin:redemption_reward_add"), FORM | wrong)
        assert field in answer.context["adminform"].form.errors
        assert not Reward.objects.exists()

    def test_a_tag_is_not_asked_for_and_shut_out_at_once(self, keeper: User, client: Client) -> None:
        tag = TagFactory()
        answer = client.post(
            reverse("admin:redemption_reward_add"), FORM | {"needed_tags": [tag.pk], "barred_tags": [tag.pk]}
        )
        assert "barred_tags" in answer.context["adminform"].form.errors

    def test_a_change_says_what_was_changed(self, keeper: User, client: Client) -> None:
        reward = RewardFactory(points=100)
        client.post(page("change", reward), FORM | {"kind": "", "list_price": ""})
        reward.refresh_from_db()
        assert (reward.points, reward.kind) == (300, "goods")
        assert {"points", "cash"} <= set(logged("rewards.change").details["fields"])

    def test_it_is_never_deleted(self, admin_client: Client) -> None:
        assert admin_client.post(page("delete", RewardFactory()), {"post": "yes"}).status_code == 403

    def test_those_who_may_only_look_see_no_form(self, client: Client, grant: Grant) -> None:
        reward = RewardFactory()
        client.force_login(grant("redemption.view_reward"))
        assert client.get(page("change", reward)).status_code == 200
        assert client.post(page("change", reward), FORM).status_code == 403
        assert (
            client.post(page("stock", reward), {"pieces": "1", "safety": "0", "reason": "x", "after": "0"}).status_code
            == 403
        )
        for name in ("codes", "preview", "copy"):
            assert client.get(page(name, reward)).status_code == 403, name


class TestList:
    def test_it_says_what_is_left_and_filters(self, keeper: User, client: Client, at: datetime) -> None:
        plenty = RewardFactory(name="Plenty", stock=100)
        few = RewardFactory(name="Few", stock=3)
        gone = RewardFactory(name="Gone", stock=0)
        codes = RewardFactory(name="Codes", kind=RewardKind.DIGITAL, counted=False)
        RewardCode.objects.create(reward=codes, code="A1", added_at=at)
        coming = RewardFactory(name="Coming", starts_at=at + timedelta(days=1))

        def shown(**filters: str) -> set[Reward]:
            return set(client.get(reverse(LIST), filters).context["cl"].result_list)

        assert shown(left="few") == {few, gone, codes}
        assert shown(left="none") == {gone}
        assert shown(standing="coming") == {coming}
        assert plenty in shown(standing="on")

    def test_it_costs_the_same_however_many_there_are(
        self, keeper: User, client: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        def stock_the_store() -> None:
            RewardFactory.create_batch(6, category=RewardCategory.objects.first())
            RewardFactory.create_batch(6, kind=RewardKind.DIGITAL, counted=False, min_tier=Tier.objects.first())

        RewardCategory.objects.create(name="Tea")
        TierFactory(rank=0)
        stock_the_store()
        client.get(reverse(LIST))
        # Session with its login, permissions (his own and his groups'), the rows counted, the rows, the two filters.
        for filters in ({}, {"left": "few"}, {"standing": "on", "q": "e"}):
            with django_assert_num_queries(7):
                client.get(reverse(LIST), filters)
        stock_the_store()
        with django_assert_num_queries(7):
            client.get(reverse(LIST))

    def test_many_are_taken_off_with_a_reason(self, keeper: User, client: Client) -> None:
        rewards = RewardFactory.create_batch(2)
        chosen = {"action": "withdraw", "_selected_action": [reward.pk for reward in rewards]}
        assert client.post(reverse(LIST), chosen).context["number"] == 2

        client.post(reverse(LIST), chosen | {"apply": "1", "reason": "Broken in the warehouse"})

        assert not Reward.objects.filter(active=True).exists()
        assert logged("rewards.withdraw").reason == "Broken in the warehouse"


class TestStock:
    def test_what_came_is_written_down_once_for_a_page(self, keeper: User, client: Client) -> None:
        reward = RewardFactory(stock=10)
        seen = StockChange.objects.get().pk
        said = {"pieces": "5", "safety": "2", "reason": "A delivery", "after": str(seen)}
        client.post(page("stock", reward), said)
        client.post(page("stock", reward), said)
        stock = Stock.objects.get()
        assert (stock.free, stock.safety) == (13, 2)
        assert logged("rewards.stock").reason == "A delivery"

    @pytest.mark.parametrize("said", [{"pieces": "-11"}, {"pieces": "0"}, {"pieces": "1", "reason": ""}])
    def test_what_is_not_there_cannot_go_and_nothing_goes_without_a_reason(
        self, said: dict[str, str], keeper: User, client: Client
    ) -> None:
        reward = RewardFactory(stock=10)
        after = {"after": str(StockChange.objects.get().pk)}
        answer = client.post(page("stock", reward), {"safety": "0", "reason": "Counted"} | after | said)
        assert answer.context["form"].errors
        assert Stock.objects.get().free == 10

    def test_a_donation_has_none(self, keeper: User, client: Client) -> None:
        assert client.get(page("stock", RewardFactory(kind=RewardKind.DONATION, counted=False))).status_code == 403


class TestCodes:
    @pytest.fixture
    def film(self, at: datetime) -> Reward:
        film: Reward = RewardFactory(kind=RewardKind.DIGITAL, counted=False)
        RewardCode.objects.create(reward=film, code="KNOWN-0001", added_at=at)
        return film

    def test_a_file_is_seen_first_and_taken_once(self, keeper: User, client: Client, film: Reward) -> None:
        seen = upload(client, film, "兑换码\nFILM-0001\nFILM-0002\n")
        assert seen.context["file"].codes == ["FILM-0001", "FILM-0002"]
        assert film.codes.count() == 1
        for _click in range(2):
            client.post(page("codes", film), {"word": seen.context["word"]})
        assert film.codes.count() == 3
        assert logged("rewards.codes").details == {"reward": film.pk, "codes": 2, "file": "codes.csv"}

    def test_every_refused_row_says_why(self, keeper: User, client: Client, film: Reward) -> None:
        rows = "code,price\nFILM-0001,1\nFILM-0001,1\nKNOWN-0001,1\n,1\n3.5E+16,1\n" + "x" * 201 + ",1\n"
        problems = upload(client, film, rows).context["file"].problems
        assert [(p.line_no, p.problem) for p in problems] == [
            (3, "twice"), (4, "known"), (5, "empty"), (6, "rounded"), (7, "too_long"),
        ]  # fmt: skip
        assert all(problem.message() for problem in problems)
        assert "KNOWN-0001" not in client.get(page("codes", film)).content.decode()

    @pytest.mark.parametrize("text", ["FILM-0001\nFILM-0002\n", "code\n", "", "code,codes\na,b\n"])
    def test_a_file_that_is_of_no_use_says_what_is_missing(
        self, text: str, keeper: User, client: Client, film: Reward
    ) -> None:
        assert upload(client, film, text).context["form"].errors["upload"]

    def test_another_persons_file_is_not_confirmed(
        self, keeper: User, client: Client, film: Reward, grant: Grant
    ) -> None:
        word = upload(client, film, "code\nFILM-0001\n").context["word"]
        client.force_login(grant("redemption.view_reward", "redemption.add_rewardcode"))
        client.post(page("codes", film), {"word": word})
        assert film.codes.count() == 1


class TestCopy:
    def test_it_has_the_terms_and_neither_stock_nor_buyers(self, keeper: User, client: Client) -> None:
        reward = RewardFactory(points=700, limit_ever=2, min_tier=TierFactory(rank=1))
        tag = TagFactory()
        set_tags(reward.pk, needed=[tag.pk], barred=[])

        assert client.get(page("copy", reward)).status_code == 200
        assert Reward.objects.count() == 1
        client.post(page("copy", reward))

        copy = Reward.objects.select_related("stock").latest("pk")
        assert (copy.points, copy.limit_ever, copy.min_tier, copy.active) == (700, 2, reward.min_tier, False)
        assert (copy.stock.free, RewardTag.objects.filter(reward=copy, tag=tag).count()) == (0, 1)
        assert logged("rewards.duplicate").details["of"] == reward.pk


class TestAsAMember:
    def test_every_condition_is_told_and_it_is_logged(
        self, keeper: User, client: Client, xiaolu: Member, give_points: GivePoints, at: datetime
    ) -> None:
        give_points(xiaolu, 50)
        reward = RewardFactory(points=100, starts_at=at + timedelta(hours=1), limit_ever=1)
        shown = client.get(page("preview", reward), {"member": xiaolu.pk})
        unmet = {condition.asks for condition, _words in shown.context["conditions"] if not condition.met}
        assert unmet == {Asks.BEGUN, Asks.ADDRESS, Asks.POINTS}
        assert "he can spend 50, it costs 100" in shown.content.decode()
        assert logged("rewards.preview").member == xiaolu

    def test_a_later_moment_is_chosen(
        self, keeper: User, client: Client, xiaolu: Member, give_points: GivePoints, at: datetime
    ) -> None:
        give_points(xiaolu, 500)
        AddressFactory(member=xiaolu)
        reward = RewardFactory(points=100, starts_at=at + timedelta(hours=1))
        shown = client.get(page("preview", reward), {"member": str(xiaolu.pk), "at": "2026-03-10T13:00"})
        assert shown.context["insight"].can_redeem

    def test_a_member_is_found_by_his_name(self, keeper: User, client: Client, xiaolu: Member) -> None:
        shown = client.get(page("preview", RewardFactory()), {"member_q": "小鹿爱喝茶"})
        assert shown.context["member"] == xiaolu

    @pytest.mark.parametrize(
        ("visibility", "sight"),
        [(Visibility.VISIBLE, Sight.WHOLE), (Visibility.TEASER, Sight.TEASER), (Visibility.HIDDEN, Sight.NOTHING)],
    )
    def test_who_lacks_the_tier_sees_what_the_reward_says(
        self, visibility: Visibility, sight: Sight, xiaolu: Member, at: datetime
    ) -> None:
        reward = RewardFactory(min_tier=TierFactory(rank=2), visibility=visibility)
        assert insight_of(reward, xiaolu.pk, at).sight is sight

    def test_one_needed_tag_suffices_and_one_that_shuts_out_forbids(self, xiaolu: Member, at: datetime) -> None:
        fans, readers, resellers = TagFactory(), TagFactory(), TagFactory()
        reward = RewardFactory()
        set_tags(reward.pk, needed=[fans.pk, readers.pk], barred=[resellers.pk])

        def let_in() -> bool:
            return {c.asks: c.met for c in insight_of(reward, xiaolu.pk, at).conditions}[Asks.TAGS]

        assert not let_in()
        MemberTagFactory(member=xiaolu, tag=readers)
        assert let_in()
        MemberTagFactory(member=xiaolu, tag=resellers)
        assert not let_in()

    def test_an_unknown_member_breaks_nothing(self, keeper: User, client: Client) -> None:
        wrongs: list[dict[str, str]] = [{"member": "x"}, {"member": str(2**70)}, {"at": "never", "member": "1"}]
        for wrong in wrongs:
            assert client.get(page("preview", RewardFactory()), wrong).status_code == 200
