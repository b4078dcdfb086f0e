"""Who bought, what a report counts, and what the upper floors hear of it."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import permutations

import pytest
from django.db import transaction

from crm import events
from crm.choices import RefundStatus
from crm.events import OrderChange, OrderChanges, ReturnsChange
from crm.feeds.records import OrderRecord, RefundRecord
from crm.models import Channel, Identity, Member, Order, OrderLine, Product, Refund
from crm.orders import RecordReport, record
from tests.cast import NOON
from tests.crm.reports import (
    COMPLETED,
    DAY,
    DAYONG,
    PAID,
    SHIPPED,
    XIAOLU,
    counted,
    details,
    refund,
    refunds,
    row,
    the_order,
)
from tests.factories import ChannelFactory


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[OrderChanges]:
    """What a handler of an upper floor hears; the real ones are out of the house."""
    heard: list[OrderChanges] = []

    def listen(changes: OrderChanges, at: datetime) -> dict[str, int]:
        heard.append(changes)
        return {"heard": len(changes.orders)}

    monkeypatch.setattr(events, "_order_handlers", [listen])
    return heard


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
