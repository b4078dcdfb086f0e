"""Recording orders: whatever files say, late, twice or in pieces, the order ends as one row that tells the truth."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from crm.choices import PaymentKind, RefundStatus
from crm.feeds.records import OrderRecord, RefundRecord
from crm.models import Channel, Order, OrderLine, Product, Refund
from crm.orders import record
from tests.cast import NOON
from tests.crm.reports import (
    CLOSED,
    COMPLETED,
    CUP,
    DAY,
    PAID,
    PLACED,
    SHIPPED,
    TEA,
    XIAOLU,
    counted,
    details,
    refund,
    refunds,
    row,
    said,
    the_order,
)


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


class TestPayment:
    def test_a_list_that_does_not_say_leaves_what_is_known(self, shop: Channel, at: datetime) -> None:
        record(shop, [row()], at=at)
        assert the_order().payment_kind == ""
        report = record(shop, [row(payment_kind=PaymentKind.GIFT_CARD)], at=at)
        assert (report.orders_updated, the_order().payment_kind) == (1, "gift_card")
        assert record(shop, [row()], at=at).orders_updated == 0
        assert the_order().payment_kind == "gift_card"

    def test_of_two_kinds_the_more_particular_stands_whatever_the_sequence(self, shop: Channel, at: datetime) -> None:
        for sequence in permutations([PaymentKind.OTHER, PaymentKind.CASH, PaymentKind.GIFT_CARD]):
            with transaction.atomic():
                for kind in sequence:
                    record(shop, [row(payment_kind=kind)], at=at)
                assert the_order().payment_kind == "gift_card"
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

    def test_a_refund_may_name_a_line(self, shop: Channel, at: datetime) -> None:
        part = RefundRecord("R1", RefundStatus.SUCCESS, Decimal(10), line_key="tea")
        record(shop, [row(lines=(TEA, CUP), refunds=(part,))], at=at)
        assert said(Refund.objects.get(), "line_key", "amount") == ["tea", 10]
        more = replace(part, amount=Decimal(25))
        record(shop, [refunds("35153131", more)], at=at)
        record(shop, [refunds("35153131", part)], at=at)
        assert said(Refund.objects.get(), "line_key", "amount") == ["tea", 25]
        assert the_order().refunded == 25

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


def test_an_order_is_never_deleted(shop: Channel) -> None:
    """The journal names orders without a foreign key; the trigger order_never_deleted is its guard."""
    order = Order.objects.create(channel=shop, external_no="1")

    with pytest.raises(DatabaseError, match="delete"), transaction.atomic():
        order.delete()

    assert Order.objects.filter(external_no="1").exists()
