"""The queue of redemptions: found, moved one or many at a time, picked, labelled and sent."""

import csv
import io
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from openpyxl import load_workbook
from pytest_django import DjangoAssertNumQueries

from crm.admin.stafflog import ACTIONS
from crm.models import Member, Order, StaffAction, User
from redemption.models import PoolCode, Redemption, Reward, RewardCode
from redemption.rewards.choices import RewardKind
from redemption.rewards.life import MOVES
from redemption.rewards.payment import mark_paid
from redemption.rewards.proof import prove_store
from redemption.rewards.shipments import Parcel, judge_parcels, send
from redemption.rewards.todo import store_tasks
from tests.cast import NOON, GivePoints
from tests.factories import CouponPlanFactory, RewardFactory
from tests.redemption.rewards.conftest import Take, free, home_of, keeper, redemption_of, shown, spendable, take
from tests.staff import Grant

__all__ = ["home_of", "keeper", "shown", "take"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock", "desk")]

LIST = "admin:redemption_redemption_changelist"
ALL = (
    "redemption.view_redemption", "redemption.handle_redemption", "redemption.export_redemption",
    "redemption.view_reward", "crm.view_member",
)  # fmt: skip


@pytest.fixture
def desk(grant: Grant, client: Client) -> User:
    """Somebody who handles redemptions and may not see personal data, signed in, with pages in English."""
    user = grant(*ALL)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    client.force_login(user)
    return user


@pytest.fixture
def rich(xiaolu: Member, give_points: GivePoints) -> Member:
    give_points(xiaolu, 5000)
    return xiaolu


@pytest.fixture
def cup(db: None) -> Reward:
    return RewardFactory(name="Tea cup", points=100, stock=50)


@pytest.fixture
def placed(rich: Member, cup: Reward, take: Take) -> Redemption:
    """小鹿 took three cups for 300 points."""
    return redemption_of(take(rich, cup, 3))


@pytest.fixture
def waiting(rich: Member, take: Take) -> Redemption:
    """小鹿 wants a pot for 300 points and 19.90 yuan, and has not paid yet."""
    return redemption_of(take(rich, RewardFactory(name="Tea pot", points=300, cash=Decimal("19.90"), stock=5)))


def now(redemption: Redemption) -> Redemption:
    return Redemption.objects.get(pk=redemption.pk)


def page(redemption: Redemption) -> str:
    return reverse("admin:redemption_redemption_change", args=[redemption.pk])


def act(client: Client, redemption: Redemption, name: str, **said: Any) -> Any:
    response: Any = client.post(reverse("admin:redemption_redemption_act", args=[redemption.pk, name]), said)
    return response


def logged(action: str) -> StaffAction:
    assert action in ACTIONS
    return StaffAction.objects.get(action=action)


def find(client: Client, **query: str) -> list[Redemption]:
    return list(client.get(reverse(LIST), query).context["cl"].result_list)


class TestList:
    def test_one_is_found_by_number_parcel_member_and_phone(
        self, desk: User, client: Client, placed: Redemption, waiting: Redemption
    ) -> None:
        send([Parcel(1, placed.pk, "SF", "SF123")], actor_id=desk.pk, at=placed.placed_at)
        assert find(client, q=placed.number.lower()) == [placed]
        assert find(client, q="SF123") == [placed]
        assert find(client, q="小鹿爱喝茶") == [waiting, placed]
        assert find(client, q="13800000001") == [waiting, placed]
        assert find(client, q="1380000") == []
        assert find(client, q=f"JF{placed.pk}x") == []

    def test_filters_and_counts(self, client: Client, placed: Redemption, waiting: Redemption) -> None:
        assert find(client, todo="send") == [placed]
        assert find(client, todo="late") == []
        assert find(client, state__exact="awaiting") == [waiting]
        assert find(client, reward=str(placed.reward_id)) == [placed]
        counts = {state: number for state, _label, number in client.get(reverse(LIST)).context["counts"]}
        assert counts == {"placed": 1, "awaiting": 1, "confirmed": 0}

    def test_addresses_are_not_found_out_sign_by_sign(self, client: Client, placed: Redemption) -> None:
        assert client.get(reverse(LIST), {"address__phone__startswith": "138"}).status_code == 400

    def test_it_costs_the_same_however_many_there_are(
        self, client: Client, rich: Member, cup: Reward, take: Take,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:  # fmt: skip
        for _more in range(12):
            take(rich, cup)
        client.get(reverse(LIST))
        # Session with its login, permissions (his own and his groups'), the rows, the counts of states, and the filter
        # of rewards.
        with django_assert_num_queries(6):
            client.get(reverse(LIST))

    @pytest.mark.parametrize("name", ["changelist", "picking", "labels", "shipments", "shipments_sample"])
    def test_pages_need_their_permissions(self, name: str, client: Client, grant: Grant) -> None:
        client.force_login(grant("redemption.view_reward"))
        assert client.get(reverse(f"admin:redemption_redemption_{name}")).status_code == 403

    def test_who_may_only_look_gets_no_acts(self, client: Client, grant: Grant, placed: Redemption) -> None:
        client.force_login(grant("redemption.view_redemption"))
        assert client.get(page(placed)).context["acts"] == []
        assert act(client, placed, "confirm").status_code == 403
        client.post(reverse(LIST), {"action": "confirm_them", "_selected_action": [placed.pk], "apply": "1"})
        assert now(placed).state == "placed"


class TestPage:
    def test_the_address_is_masked_without_the_permission(
        self, client: Client, grant: Grant, placed: Redemption
    ) -> None:
        seen = client.get(page(placed)).content.decode()
        assert "138****0001" in seen
        assert "13800000001" not in seen
        assert "龙井路" not in seen
        client.force_login(grant("redemption.view_redemption", "crm.view_personal_data"))
        assert "龙井路 1 号" in client.get(page(placed)).content.decode()

    def test_codes_are_masked_too(self, client: Client, rich: Member, take: Take, at: datetime, grant: Grant) -> None:
        film = RewardFactory(kind=RewardKind.DIGITAL, counted=False)
        RewardCode.objects.create(reward=film, code="FILM-0001", added_at=at)
        redemption = redemption_of(take(rich, film))
        assert client.get(page(redemption)).context["codes"] == ["…0001"]

    def test_a_redemption_goes_its_way(self, desk: User, client: Client, placed: Redemption) -> None:
        act(client, placed, "confirm")
        act(client, placed, "ship", carrier="SF", tracking_number="SF1")
        act(client, placed, "ship", carrier="SF", tracking_number="SF2")
        act(client, placed, "receive")
        assert now(placed).state == "received"
        seen = client.get(page(placed))
        assert [row.state_after for row, _reason in seen.context["moves"]] == [
            "confirmed", "shipped", "shipped", "received",
        ]  # fmt: skip
        assert all(row.actor == desk for row, _reason in seen.context["moves"])
        assert [name for name, _form, _address in seen.context["acts"]] == ["return"]

    def test_pieces_are_cancelled_once_for_a_page(
        self, client: Client, placed: Redemption, rich: Member, cup: Reward, at: datetime
    ) -> None:
        for _click in range(2):
            act(client, placed, "cancel", pieces="1", seen="0", reason="Broken")
        assert (now(placed).cancelled, spendable(rich, at), free(cup)) == (1, 4800, 48)
        assert logged("redemptions.cancel").reason == "Broken"

    @pytest.mark.parametrize(("restock", "left"), [("on", 50), ("", 47)])
    def test_the_shop_says_whether_what_came_back_can_be_sold_again(
        self, restock: str, left: int, client: Client, placed: Redemption, cup: Reward,
    ) -> None:  # fmt: skip
        act(client, placed, "ship", carrier="SF", tracking_number="1")
        act(client, placed, "return", pieces="3", seen="0", reason="Chipped", restock=restock)
        assert (now(placed).state, now(placed).returned, free(cup)) == ("returned", 3, left)
        assert prove_store().ok

    def test_what_is_missing_is_said_at_its_field(self, client: Client, placed: Redemption) -> None:
        answer = act(client, placed, "cancel", pieces="1", seen="0", reason="")
        forms = {name: form for name, form, _address in answer.context["acts"]}
        assert forms["cancel"].errors["reason"]
        assert now(placed).cancelled == 0

    def test_an_act_that_its_state_does_not_allow_is_refused(self, client: Client, placed: Redemption) -> None:
        act(client, placed, "receive")
        act(client, placed, "pay", reason="Cash")
        assert act(client, placed, "explode").status_code == 404
        assert now(placed).state == "placed"

    def test_cash_is_marked_as_paid(self, client: Client, waiting: Redemption) -> None:
        assert client.get(page(waiting)).context["due"] == Decimal("19.90")
        act(client, waiting, "pay", reason="Bank transfer")
        assert now(waiting).state == "confirmed"
        assert logged("redemptions.paid").reason == "Bank transfer"

    def test_nothing_else_can_be_written(self, admin_client: Client, placed: Redemption) -> None:
        assert admin_client.post(page(placed), {"state": "received"}).status_code == 403
        assert admin_client.get(reverse("admin:redemption_redemption_add")).status_code == 403
        assert admin_client.get(page(placed).replace(str(placed.pk), "0")).status_code == 404

    def test_every_state_offers_what_it_allows(self) -> None:
        from redemption.admin.redemption_page import possible

        for state in MOVES:
            redemption = Redemption(state=state, quantity=1, reward=Reward(kind=RewardKind.GOODS))
            assert bool(possible(redemption)) == bool(MOVES[state]), state

    def test_the_member_page_shows_them(self, client: Client, grant: Grant, placed: Redemption, rich: Member) -> None:
        client.force_login(grant("crm.view_member", "redemption.view_redemption"))
        shown = client.get(reverse("admin:crm_member_change", args=[rich.pk])).content.decode()
        assert placed.number in shown


class TestMany:
    def do(self, client: Client, action: str, redemptions: list[Redemption], **said: str) -> None:
        chosen = {"action": action, "_selected_action": [row.pk for row in redemptions]}
        assert client.post(reverse(LIST), chosen).context["number"] == len(redemptions)
        client.post(reverse(LIST), chosen | {"apply": "1"} | said)

    def test_they_are_confirmed_and_shipped(self, client: Client, placed: Redemption, waiting: Redemption) -> None:
        self.do(client, "confirm_them", [placed, waiting])
        assert (now(placed).state, now(waiting).state) == ("confirmed", "awaiting")
        self.do(client, "ship_them", [placed, waiting], carrier="SF")
        assert (now(placed).state, now(placed).carrier, now(waiting).state) == ("shipped", "SF", "awaiting")
        self.do(client, "receive_them", [placed])
        assert now(placed).state == "received"

    def test_they_are_paid_and_cancelled_with_a_reason(
        self, client: Client, placed: Redemption, waiting: Redemption, rich: Member, at: datetime
    ) -> None:
        self.do(client, "pay_them", [placed, waiting], reason="Cash on the counter")
        assert (now(placed).state, now(waiting).state) == ("placed", "confirmed")
        self.do(client, "cancel_them", [placed, waiting], reason="The warehouse burned down")
        assert (now(placed).state, now(waiting).state) == ("cancelled", "cancelled")
        assert spendable(rich, at) == 5000
        assert StaffAction.objects.filter(action="redemptions.cancel", reason="The warehouse burned down").count() == 2


class TestWarehouse:
    def test_the_picking_list_adds_up_by_reward_and_names_nobody(
        self, client: Client, placed: Redemption, rich: Member, cup: Reward, take: Take
    ) -> None:
        second = redemption_of(take(rich, cup, 2))
        seen = client.get(reverse("admin:redemption_redemption_picking"))
        [shelf] = seen.context["shelves"]
        assert (shelf.name, shelf.pieces, shelf.redemptions) == ("Tea cup", 5, 2)
        assert shelf.lines == [(placed.number, 3), (second.number, 2)]
        assert "林小鹿" not in seen.content.decode()

    @pytest.mark.parametrize("kind", ["csv", "xlsx"])
    def test_addresses_are_taken_with_a_reason(
        self, kind: str, client: Client, placed: Redemption, waiting: Redemption
    ) -> None:
        address = reverse("admin:redemption_redemption_labels")
        assert client.post(address, {"states": ["placed"], "kind": kind}).context["form"].errors["reason"]
        answer: Any = client.post(
            address, {"states": ["placed", "confirmed"], "kind": kind, "reason": "Today's parcels"}
        )
        content = b"".join(answer.streaming_content)
        if kind == "csv":
            rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
        else:
            rows = [[str(cell) for cell in row] for row in load_workbook(io.BytesIO(content)).active.values]
        assert rows[1:] == [
            [placed.number, "林小鹿", "13800000001", "浙江省 杭州市 西湖区", "龙井路 1 号", rows[1][5], "Tea cup", "3"]
        ]
        done = logged("redemptions.export")
        assert (done.reason, done.details) == ("Today's parcels", {"redemptions": 1, "format": kind})


class TestShipments:
    def upload(self, client: Client, text: str) -> Any:
        file = SimpleUploadedFile("parcels.csv", text.encode())
        return client.post(reverse("admin:redemption_redemption_shipments"), {"upload": file})

    def confirm(self, client: Client, word: str) -> Any:
        return client.post(reverse("admin:redemption_redemption_shipments"), {"word": word})

    def test_a_file_is_seen_done_and_changes_nothing_the_second_time(self, client: Client, placed: Redemption) -> None:
        text = f"兑换单号,快递公司,运单号\n{placed.number},顺丰,SF100\n"
        seen = self.upload(client, text)
        assert (len(seen.context["found"].ship), now(placed).state) == (1, "placed")
        for shipped, same in ((1, 0), (0, 1)):
            done = self.confirm(client, seen.context["word"]).context["done"]
            assert (len(done.changes), done.same) == (shipped, same)
        assert (now(placed).state, now(placed).carrier, now(placed).tracking_number) == ("shipped", "顺丰", "SF100")
        assert [move.reason for move in placed.moves.all()] == ["@file"]

        again = self.upload(client, text).context["found"]
        assert (again.changes, again.same, again.refused) == ([], 1, [])

    def test_another_number_is_a_correction(self, client: Client, placed: Redemption) -> None:
        for number in ("SF1", "SF2"):
            seen = self.upload(client, f"number,carrier,tracking\n{placed.number},SF,{number}\n")
            self.confirm(client, seen.context["word"])
        assert len(seen.context["found"].correct) == 1
        assert now(placed).tracking_number == "SF2"

    def test_every_refused_row_says_why(
        self, client: Client, placed: Redemption, waiting: Redemption, rich: Member, take: Take
    ) -> None:
        ticket = redemption_of(take(rich, RewardFactory(kind=RewardKind.TICKET, counted=False)))
        rows = [
            f"{placed.number},SF,1", f"{placed.number},SF,2", f"{waiting.number},SF,3", f"{ticket.number},SF,4",
            "JF123456782,SF,5", "JF12,SF,6", ",SF,7", f"{placed.number},,8", f"{placed.number},SF,",
            f"{placed.number},SF,3.51E+16", f"{placed.number},SF,{'9' * 61}",
        ]  # fmt: skip
        found = self.upload(client, "number,carrier,tracking\n" + "\n".join(rows)).context["found"]
        assert [parcel.tracking_number for parcel in found.changes] == ["1"]
        assert [(row.line_no, row.code) for row in found.refused] == [
            (3, "twice"), (4, "state"), (5, "not_goods"), (6, "unknown"), (7, "number_wrong"), (8, "number_missing"),
            (9, "carrier_missing"), (10, "tracking_missing"), (11, "rounded"), (12, "too_long"),
        ]  # fmt: skip
        assert all(row.message() for row in found.refused)

    def test_the_order_of_a_paid_redemption_goes_on_its_way_too(
        self, waiting: Redemption, keeper: int, at: datetime
    ) -> None:
        mark_paid(waiting.pk, actor_id=keeper, reason="Cash", at=at)
        send([Parcel(1, waiting.pk, "SF", "1")], actor_id=keeper, at=at + timedelta(hours=1))
        assert Order.objects.get(external_no=waiting.number).status == "shipped"

    def test_what_was_cancelled_since_the_preview_is_left_alone(self, client: Client, placed: Redemption) -> None:
        word = self.upload(client, f"number,carrier,tracking\n{placed.number},SF,1\n").context["word"]
        act(client, placed, "cancel", pieces="3", seen="0", reason="Changed his mind")
        done = self.confirm(client, word).context["done"]
        assert [row.code for row in done.refused] == ["state"]
        assert now(placed).state == "cancelled"

    def test_many_are_a_few_statements(
        self, rich: Member, cup: Reward, take: Take, desk: User, django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:  # fmt: skip
        redemptions = [redemption_of(take(rich, cup)) for _more in range(20)]
        parcels = [Parcel(1, row.pk, "SF", str(row.pk)) for row in redemptions]
        assert len(judge_parcels(parcels).ship) == 20
        # Two looks at the redemptions, the savepoint and its release, the update, and the log.
        with django_assert_num_queries(6):
            send(parcels, actor_id=desk.pk, at=NOON)


class TestTasks:
    def test_what_waits_is_counted(
        self, placed: Redemption, waiting: Redemption, at: datetime, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        film = RewardFactory(kind=RewardKind.DIGITAL, counted=False)
        RewardCode.objects.bulk_create(RewardCode(reward=film, code=str(n), added_at=at) for n in range(30))
        RewardFactory(kind=RewardKind.DIGITAL, counted=False)
        with django_assert_num_queries(1):
            assert store_tasks(at)[:3] == (1, 1, 0)

    def test_goods_and_coupon_plans_that_run_out_are_counted_while_they_are_offered(
        self, client: Client, grant: Grant, at: datetime
    ) -> None:
        RewardFactory(stock=19)
        RewardFactory(stock=20)
        RewardFactory(stock=0)
        RewardFactory(stock=5, active=False)
        RewardFactory(stock=5, ends_at=at)
        pool = CouponPlanFactory(source="pool", denominations=(5, 10), low_codes=2)
        CouponPlanFactory(source="pool", denominations=(5,), active=False)
        CouponPlanFactory()
        codes = [PoolCode(plan=pool, yuan=yuan, code=f"{yuan}-{n}", added_at=at) for yuan in (5, 10) for n in range(2)]
        PoolCode.objects.bulk_create(codes)
        assert store_tasks(at)[3:] == (2, 0)

        PoolCode.objects.filter(code="5-0").update(valid_until=at)
        assert store_tasks(at)[3:] == (2, 1)

        client.force_login(grant("redemption.view_reward", "redemption.view_couponplan"))
        shown = client.get(reverse("admin:index")).content.decode()
        assert f'{reverse("admin:redemption_reward_changelist")}?left=few&amp;kind__exact=goods"' in shown
        assert f'{reverse("admin:redemption_couponplan_changelist")}"' in shown

    def test_the_home_page_leads_to_it(self, client: Client, placed: Redemption) -> None:
        shown = client.get(reverse("admin:index")).content.decode()
        assert f'{reverse(LIST)}?todo=send"' in shown
