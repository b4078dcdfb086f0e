"""Recording orders: whatever files say, late, twice or in pieces, the order ends as one row that tells the truth."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Model

from crm import events
from crm.choices import OrderStatus, RefundStatus
from crm.events import OrderChange, OrderChanges, ReturnsChange
from crm.feeds.records import BuyerRecord, LineRecord, OrderRecord, RefundRecord
from crm.models import Channel, Identity, Member, Order, OrderLine, Product, Refund
from crm.orders import RecordReport, record
from tests.cast import NOON
from tests.factories import ChannelFactory

PLACED, PAID, SHIPPED, COMPLETED, CLOSED = OrderStatus
DAY = timedelta(days=1)
XIAOLU = BuyerRecord("小鹿爱喝茶", "林小鹿")
DAYONG = BuyerRecord("dayong_w", "王大勇")
TEA = LineRecord("tea", "T-1", "Spring tea", 2, Decimal("30.0000"), Decimal("60.00"), "250 g")
CUP = LineRecord("cup", "C-1", "A cup", 1, Decimal("40.0000"), Decimal("40.00"))


def row(number: str = "35153131", status: OrderStatus | None = PAID, **facts: Any) -> OrderRecord:
    """What the order list says of an order; by default 林小鹿 paid a hundred yuan at noon."""
    known: dict[str, Any] = {"buyer": XIAOLU, "paid": Decimal("100.00"), "placed_at": NOON}
    return OrderRecord(number, 2, status=status, **(known | facts))


def details(number: str = "35153131", *lines: LineRecord, **facts: Any) -> OrderRecord:
    """What the detail list says: lines, and neither buyer nor amount."""
    return OrderRecord(number, 2, lines=lines or (TEA, CUP), **facts)


def refunds(number: str = "35153131", *parts: RefundRecord) -> OrderRecord:
    """What the refund list says of an order."""
    return OrderRecord(number, 2, refunds=parts)


def refund(number: str, amount: str, status: RefundStatus = RefundStatus.SUCCESS) -> RefundRecord:
    return RefundRecord(number, status, Decimal(amount), NOON)


def the_order(number: str = "35153131") -> Order:
    return Order.objects.get(external_no=number)


def said(thing: Model, *names: str) -> list[Any]:
    """What a row says under these names."""
    return [getattr(thing, name) for name in names]


def counted(report: RecordReport) -> tuple[int, int, int]:
    """Orders new, updated and unchanged."""
    return report.orders_new, report.orders_updated, report.orders_unchanged


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[OrderChanges]:
    """What a handler of an upper floor hears; the real ones are out of the house."""
    heard: list[OrderChanges] = []

    def listen(changes: OrderChanges, at: datetime) -> dict[str, int]:
        heard.append(changes)
        return {"heard": len(changes.orders)}

    monkeypatch.setattr(events, "_order_handlers", [listen])
    return heard


class TestStates:
    def test_an_order_moves_on(self, shop: Channel, at: datetime) -> None:
        for status in (PLACED, PAID, SHIPPED, COMPLETED, CLOSED):
            record(shop, [row(status=status)], at=at)

            assert the_order().status == status

    def test_an_older_file_never_moves_it_back(self, shop: Channel, at: datetime) -> None:
        record(shop, [row(status=COMPLETED, completed_at=NOON)], at=at)

        report = record(shop, [row(status=PAID), row("other"), details(status=SHIPPED)], at=at)

        assert the_order().status == COMPLETED
        assert report.orders_new == 1

    def test_a_source_that_does_not_know_the_state_leaves_it(self, shop: Channel, at: datetime) -> None:
        record(shop, [row(status=SHIPPED)], at=at)
        record(shop, [row(status=None)], at=at)

        assert the_order().status == SHIPPED

    def test_an_order_whose_state_nobody_told_is_placed(self, shop: Channel, at: datetime) -> None:
        record(shop, [details()], at=at)

        assert the_order().status == PLACED

    def test_of_each_instant_the_earliest_report_is_kept(self, shop: Channel, at: datetime) -> None:
        instants = ("placed_at", "paid_at", "shipped_at", "completed_at", "closed_at")

        def all_at(moment: datetime) -> dict[str, Any]:
            return dict.fromkeys(instants, moment)

        record(shop, [row(status=CLOSED, **all_at(NOON))], at=at)
        record(shop, [row(status=CLOSED, **all_at(NOON - DAY))], at=at)
        record(shop, [row(status=CLOSED, **all_at(NOON + DAY))], at=at)
        record(shop, [row(status=CLOSED, placed_at=None)], at=at)

        order = the_order()
        assert [getattr(order, name) for name in instants] == [NOON - DAY] * 5

    def test_an_order_closed_before_it_was_paid_keeps_its_reason(self, shop: Channel, at: datetime) -> None:
        record(shop, [row(status=PLACED, paid=Decimal(0))], at=at)
        record(shop, [row(status=CLOSED, paid=Decimal(0), closed_at=NOON, close_reason="Not paid in time")], at=at)

        order = the_order()
        assert said(order, "status", "paid", "paid_at") == [CLOSED, 0, None]
        assert order.close_reason == "Not paid in time"


class TestAmounts:
    def test_the_later_state_has_the_say(self, shop: Channel, at: datetime) -> None:
        early, late = row(status=PAID, paid=Decimal(120)), row(status=COMPLETED, paid=Decimal(100), title="Tea")
        for sequence in permutations([early, late]):
            with transaction.atomic():
                for one in sequence:
                    record(shop, [one], at=at)
                assert said(the_order(), "paid", "title") == [100, "Tea"]
                transaction.set_rollback(True)

    def test_in_the_same_state_the_platform_s_update_time_has_the_say(self, shop: Channel, at: datetime) -> None:
        """However the time is written: half past nine in London is later than nine in UTC, summer or winter."""
        london = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
        old = row(paid=Decimal(120), updated_at=datetime(2026, 1, 5, 17, 0, tzinfo=NOON.tzinfo))
        new = row(paid=Decimal(90), updated_at=london)
        for sequence in permutations([old, new]):
            with transaction.atomic():
                for one in sequence:
                    record(shop, [one], at=at)
                assert the_order().paid == 90
                transaction.set_rollback(True)

    def test_a_report_with_an_update_time_beats_one_without(self, shop: Channel, at: datetime) -> None:
        for sequence in permutations([row(paid=Decimal(120)), row(paid=Decimal(90), updated_at=NOON)]):
            with transaction.atomic():
                for one in sequence:
                    record(shop, [one], at=at)
                assert the_order().paid == 90
                transaction.set_rollback(True)

    def test_reports_that_nothing_tells_apart_still_end_alike(self, shop: Channel, at: datetime) -> None:
        ends = set()
        for sequence in permutations([row(paid=Decimal(value), title=str(value)) for value in (90, 100, 120)]):
            with transaction.atomic():
                for one in sequence:
                    record(shop, [one], at=at)
                ends.add((the_order().paid, the_order().title))
                transaction.set_rollback(True)

        assert len(ends) == 1

    def test_a_list_without_amounts_never_wipes_the_amount(self, shop: Channel, at: datetime) -> None:
        record(shop, [row(status=PAID)], at=at)
        record(shop, [details(status=COMPLETED, raw={"Note": "later"})], at=at)

        order = the_order()
        assert said(order, "status", "paid", "raw") == [COMPLETED, 100, {}]

    def test_an_amount_can_be_the_sum_of_the_lines(self, shop: Channel, at: datetime) -> None:
        record(shop, [details("1", TEA, amount_from_lines=True, buyer=XIAOLU)], at=at)
        assert the_order("1").paid == 60

        record(shop, [details("1", CUP, amount_from_lines=True, buyer=XIAOLU)], at=at)

        assert the_order("1").paid == 100
        assert OrderLine.objects.count() == 2

    def test_lines_that_take_more_than_they_give_make_an_amount_of_nothing(self, shop: Channel, at: datetime) -> None:
        discount = replace(CUP, quantity=-1, amount=Decimal("-90.00"))

        record(shop, [details("1", TEA, discount, amount_from_lines=True)], at=at)

        assert the_order("1").paid == 0

    def test_lines_make_the_amount_even_if_they_were_known_before(self, shop: Channel, at: datetime) -> None:
        plain, summed = details("1", TEA, CUP), details("1", TEA, CUP, amount_from_lines=True)
        for sequence in permutations([plain, summed, row("1", paid=Decimal(999))]):
            with transaction.atomic():
                for one in sequence:
                    record(shop, [one], at=at)
                assert the_order("1").paid == 100
                transaction.set_rollback(True)


class TestLines:
    def test_the_detail_list_may_come_before_the_order_list(self, shop: Channel, at: datetime) -> None:
        record(shop, [details(status=PAID)], at=at)
        order = the_order()
        assert said(order, "member", "paid") == [None, 0]

        report = record(shop, [row(title="Tea and a cup", raw={"Note": "a gift"})], at=at)

        order = the_order()
        assert counted(report) == (0, 1, 0)
        assert str(order.member) == "林小鹿"
        assert said(order, "paid", "title") == [100, "Tea and a cup"]
        assert order.raw == {"Note": "a gift"}
        assert order.lines.count() == 2

    def test_lines_of_several_files_are_united(self, shop: Channel, at: datetime) -> None:
        record(shop, [details("35153131", TEA)], at=at)
        record(shop, [details("35153131", TEA, CUP)], at=at)

        lines = the_order().lines.order_by("key").values_list("product__code", "quantity", "amount")
        assert list(lines) == [("C-1", 1, Decimal("40.00")), ("T-1", 2, Decimal("60.00"))]

    def test_a_line_follows_the_later_state_of_its_order(self, shop: Channel, at: datetime) -> None:
        changed = replace(TEA, quantity=1, amount=Decimal("30.00"))
        for sequence in permutations([details("1", TEA, status=PAID), details("1", changed, status=COMPLETED)]):
            with transaction.atomic():
                for one in sequence:
                    record(shop, [one], at=at)
                assert OrderLine.objects.get().quantity == 1
                transaction.set_rollback(True)

    def test_a_product_has_one_title_whatever_the_sequence(self, shop: Channel, at: datetime) -> None:
        ends = set()
        renamed = replace(TEA, title="Spring tea, new harvest")
        for sequence in permutations([details("1", TEA), details("1", renamed), details("2", TEA)]):
            with transaction.atomic():
                for one in sequence:
                    record(shop, [one], at=at)
                ends.add(
                    (
                        Product.objects.get().title,
                        *OrderLine.objects.order_by("order__external_no").values_list("title"),
                    )
                )
                transaction.set_rollback(True)

        assert len(ends) == 1

    def test_what_lists_without_amounts_say_besides_ends_alike_too(self, shop: Channel, at: datetime) -> None:
        ends = []
        lists = [details(raw={"Colour": "green"}), refunds(), replace(refunds(), raw={"Reason": "broken"})]
        for sequence in permutations(lists):
            with transaction.atomic():
                for one in sequence:
                    record(shop, [one], at=at)
                ends.append(the_order().raw)
                transaction.set_rollback(True)

        assert all(end == ends[0] for end in ends)


class TestRefunds:
    def test_successful_refunds_add_up(self, shop: Channel, at: datetime) -> None:
        record(shop, [row()], at=at)

        report = record(
            shop,
            [
                refunds("35153131", refund("R1", "10.50"), refund("R2", "20")),
                refunds("35153131", refund("R3", "5", RefundStatus.OPEN), refund("R4", "7", RefundStatus.REFUSED)),
            ],
            at=at,
        )

        assert report.refunds == 4
        assert the_order().refunded == Decimal("30.50")

    def test_refunds_may_come_before_their_order(self, shop: Channel, at: datetime) -> None:
        record(shop, [refunds("35153131", refund("R1", "10"))], at=at)
        record(shop, [row()], at=at)

        order = the_order()
        assert said(order, "refunded", "paid", "status") == [10, 100, PAID]
        assert Refund.objects.get().order == order

    def test_a_refund_in_progress_moves_money_once_it_succeeded(self, shop: Channel, at: datetime) -> None:
        record(shop, [row(), refunds("35153131", refund("R1", "10", RefundStatus.OPEN))], at=at)
        assert the_order().refunded == 0

        record(shop, [refunds("35153131", refund("R1", "10"))], at=at)
        record(shop, [refunds("35153131", refund("R1", "10", RefundStatus.OPEN))], at=at)

        assert the_order().refunded == 10
        assert Refund.objects.get().status == RefundStatus.SUCCESS

    @pytest.mark.parametrize(("reported", "total"), [("30", 30), ("40", 40), ("10", 30), (None, 30)])
    def test_a_total_and_its_parts_are_the_same_money(
        self, shop: Channel, at: datetime, reported: str | None, total: int
    ) -> None:
        order = row(refunded=None if reported is None else Decimal(reported))
        parts = refunds("35153131", refund("R1", "10"), refund("R2", "20"))
        for sequence in permutations([order, parts]):
            with transaction.atomic():
                for one in sequence:
                    record(shop, [one], at=at)
                assert the_order().refunded == total
                transaction.set_rollback(True)

    def test_the_greater_of_two_totals_stands(self, shop: Channel, at: datetime) -> None:
        for value in (10, 30, 20):
            record(shop, [row(refunded=Decimal(value))], at=at)

        assert the_order().refunded == 30

    def test_one_refund_twice_in_a_batch_is_one(self, shop: Channel, at: datetime) -> None:
        open_, done = refund("R1", "10", RefundStatus.OPEN), refund("R1", "10")

        report = record(shop, [row(), refunds("35153131", done), refunds("35153131", open_), refunds("2")], at=at)

        assert the_order().refunded == 10
        assert Refund.objects.get().status == RefundStatus.SUCCESS
        assert report.refunds == 1

    def test_a_return_without_an_order_is_kept_with_its_buyer(self, shop: Channel, at: datetime) -> None:
        report = record(shop, [OrderRecord("C1", 2, buyer=XIAOLU, unlinked_refund=refund("C1", "12"))], at=at)

        kept = Refund.objects.get()
        assert str(kept.member) == "林小鹿"
        assert said(kept, "order", "amount") == [None, 12]
        assert counted(report) == (0, 0, 0)
        assert (report.members_new, report.refunds) == (1, 1)
        assert not Order.objects.exists()


class TestBuyers:
    def test_a_new_buyer_becomes_a_member_since_his_first_order(self, shop: Channel, at: datetime) -> None:
        report = record(shop, [row("1"), row("2", placed_at=NOON - DAY), row("3", buyer=DAYONG)], at=at)

        assert report.members_new == 2
        member = Identity.objects.get(channel=shop, external_id="小鹿爱喝茶").member
        assert (member.name, member.joined_at, member.orders.count()) == ("林小鹿", NOON - DAY, 2)

    def test_a_known_buyer_is_found_by_his_name_on_the_platform(
        self, shop: Channel, xiaolu: Member, at: datetime
    ) -> None:
        report = record(shop, [row()], at=at)

        assert (report.members_new, the_order().member) == (0, xiaolu)

    def test_a_shared_phone_or_mail_merges_nobody(self, shop: Channel, at: datetime) -> None:
        shared = {"email": "family@example.com", "phone": "13800000009"}

        record(shop, [row("1", buyer=replace(XIAOLU, **shared)), row("2", buyer=replace(DAYONG, **shared))], at=at)

        assert Member.objects.count() == 2
        assert set(Identity.objects.values_list("email", "phone")) == {("family@example.com", "13800000009")}

    def test_the_same_name_in_another_shop_is_another_buyer(self, shop: Channel, at: datetime) -> None:
        other = ChannelFactory(code="cups")
        record(shop, [row()], at=at)
        record(other, [row()], at=at)

        assert Member.objects.count() == 2
        assert Order.objects.filter(external_no="35153131").count() == 2

    def test_the_latest_order_with_contact_details_has_the_say(self, shop: Channel, at: datetime) -> None:
        facts = [
            row("1", buyer=replace(XIAOLU, phone="13800000001"), placed_at=NOON),
            row("2", buyer=replace(XIAOLU, phone="13800000002"), placed_at=NOON + DAY),
            row("3", buyer=XIAOLU, placed_at=NOON + 2 * DAY),
        ]
        for sequence in permutations(facts):
            with transaction.atomic():
                for one in sequence:
                    record(shop, [one], at=at)
                identity = Identity.objects.get()
                assert (identity.phone, identity.seen_at) == ("13800000002", NOON + DAY)
                transaction.set_rollback(True)

    def test_what_staff_wrote_about_a_member_is_left_alone(self, shop: Channel, xiaolu: Member, at: datetime) -> None:
        record(shop, [row(buyer=replace(XIAOLU, name="Another name", email="new@example.com"))], at=at)

        xiaolu.refresh_from_db()
        assert (xiaolu.name, xiaolu.email) == ("林小鹿", "xiaolu@example.com")

    def test_a_guest_s_order_has_no_member(self, shop: Channel, at: datetime) -> None:
        report = record(shop, [row(buyer=None)], at=at)

        assert (report.orders_new, report.members_new) == (1, 0)
        assert the_order().member is None

    def test_a_guest_s_order_gets_its_member_when_he_is_named(self, shop: Channel, at: datetime) -> None:
        record(shop, [row(buyer=None)], at=at)

        report = record(shop, [row()], at=at)

        assert counted(report) == (0, 1, 0)
        assert str(the_order().member) == "林小鹿"

    def test_membership_begins_with_the_first_sign_of_the_buyer_a_return_included(
        self, shop: Channel, at: datetime
    ) -> None:
        back = OrderRecord(
            "C1", 2, buyer=XIAOLU, unlinked_refund=RefundRecord("C1", RefundStatus.SUCCESS, Decimal(1), NOON - DAY)
        )
        for sequence in permutations([row(), back]):
            with transaction.atomic():
                for one in sequence:
                    record(shop, [one], at=at)
                assert Member.objects.get().joined_at == NOON - DAY
                transaction.set_rollback(True)


class TestCounting:
    def test_the_same_file_again_changes_nothing(
        self, shop: Channel, at: datetime, batches: list[OrderChanges]
    ) -> None:
        whole = [row("1"), row("2", buyer=DAYONG), details("1"), refunds("2", refund("R1", "5"))]
        assert record(shop, whole, at=at).orders_new == 2
        batches.clear()

        again = record(shop, whole, at=at + DAY)

        assert counted(again) == (0, 0, 4)
        assert (again.members_new, again.refunds, again.effects) == (0, 0, {})
        assert batches == []

    def test_new_updated_and_unchanged_orders_are_told_apart(self, shop: Channel, at: datetime) -> None:
        record(shop, [row("1"), row("2")], at=at)

        report = record(shop, [row("1"), row("2", status=SHIPPED), row("3")], at=at)

        assert counted(report) == (1, 1, 1)

    def test_an_order_twice_in_a_batch_takes_both_rows_in_turn(self, shop: Channel, at: datetime) -> None:
        report = record(shop, [row(status=SHIPPED), row(status=PAID), row(status=COMPLETED)], at=at)

        assert the_order().status == COMPLETED
        assert counted(report) == (1, 1, 1)

    def test_no_records_are_no_work(self, shop: Channel, at: datetime, batches: list[OrderChanges]) -> None:
        assert record(shop, [], at=at) == RecordReport()
        assert batches == []

    def test_reports_of_batches_add_up(self) -> None:
        total = RecordReport(orders_new=1, effects={"points": 5})
        total.add(RecordReport(orders_new=2, orders_updated=1, refunds=3, effects={"points": 2, "more": 1}))

        assert (total.orders_new, total.orders_updated, total.refunds) == (3, 1, 3)
        assert total.effects == {"points": 7, "more": 1}


class TestTellingTheUpperFloors:
    def test_a_handler_hears_the_order_as_it_stands_after_the_change(
        self, shop: Channel, at: datetime, batches: list[OrderChanges]
    ) -> None:
        report = record(shop, [row(paid_at=NOON, refunded=Decimal(10))], at=at)

        order = the_order()
        assert batches == [
            OrderChanges(
                orders=(
                    OrderChange(
                        order.pk, "tea", "35153131", order.member_id, PAID, Decimal("100.00"), Decimal("10.00"),
                        NOON, NOON, None, None, None,
                    ),
                )
            )
        ]  # fmt: skip
        assert report.effects == {"heard": 1}

    def test_only_changed_orders_are_told(self, shop: Channel, at: datetime, batches: list[OrderChanges]) -> None:
        record(shop, [row("1"), row("2")], at=at)
        batches.clear()

        record(shop, [row("1"), row("2", status=SHIPPED)], at=at)

        [batch] = batches
        assert [change.external_no for change in batch.orders] == ["2"]

    def test_a_refund_alone_tells_its_order(self, shop: Channel, at: datetime, batches: list[OrderChanges]) -> None:
        record(shop, [row()], at=at)
        batches.clear()

        record(shop, [refunds("35153131", refund("R1", "10"))], at=at)

        assert [change.refunded for change in batches[0].orders] == [10]

    def test_a_return_without_an_order_tells_the_member_s_sum(
        self, shop: Channel, xiaolu: Member, at: datetime, batches: list[OrderChanges]
    ) -> None:
        for number, amount in (("C1", "10"), ("C2", "5")):
            record(shop, [OrderRecord(number, 2, buyer=XIAOLU, unlinked_refund=refund(number, amount))], at=at)

        [change] = batches[-1].returns
        assert change == ReturnsChange(xiaolu.pk, "tea", Decimal("15.00"), NOON)
        assert batches[-1].orders == ()

    def test_a_handler_that_fails_leaves_nothing_of_the_batch(
        self, shop: Channel, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[int] = []

        def fail(changes: OrderChanges, at: datetime) -> dict[str, int]:
            seen.append(Order.objects.count())
            raise RuntimeError("the upper floor is on fire")

        monkeypatch.setattr(events, "_order_handlers", [fail])

        with pytest.raises(RuntimeError, match="on fire"):
            record(shop, [row(), details(), refunds("35153131", refund("R1", "10"))], at=at)

        assert seen == [1]  # The handler stood in the same transaction and saw the order.
        counts = [model._default_manager.count() for model in (Order, OrderLine, Refund, Member, Identity, Product)]
        assert counts == [0] * 6

    def test_the_same_handler_registered_twice_is_called_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events, "_order_handlers", [])

        def count(changes: OrderChanges, at: datetime) -> dict[str, int]:
            return {"calls": 1}

        events.on_orders_changed(count)
        events.on_orders_changed(count)

        assert events.orders_changed(OrderChanges(), NOON) == {"calls": 1}
