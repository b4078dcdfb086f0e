"""Late, repeated and shuffled reports of orders end in the same state (law 5), whatever the reports say."""

from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.choices import OrderStatus, PaymentKind, RefundStatus
from crm.feeds.records import BuyerRecord, LineRecord, OrderRecord, RefundRecord
from crm.models import Channel
from crm.orders import record
from loyalty.api import audit
from loyalty.rulebook import publish_rate
from tests.cast import NOON
from tests.scenarios.state import facts

HOUR = timedelta(hours=1)
BUYERS = {"a": "小鹿爱喝茶", "b": "dayong_w"}
yuan = st.integers(0, 9).map(lambda tens: Decimal(10 * tens))
hours = st.integers(0, 9).map(lambda number: NOON - 10 * HOUR + number * HOUR)
refund_states = st.sampled_from(RefundStatus)
texts = st.sampled_from(["", "one", "two"])
keys = st.sampled_from(["", "u", "v"])


def buyer(name: str, phone: str) -> BuyerRecord:
    return BuyerRecord(BUYERS[name], BUYERS[name], phone=phone)


@st.composite
def headers(draw: Any, number: str, name: str) -> OrderRecord:
    """A row of the order list. What was not paid has no amount, and what was paid has its instant; the rest is free."""
    status = draw(st.sampled_from(OrderStatus))
    was_paid = status is not OrderStatus.PLACED
    moment = NOON - 10 * HOUR  # Of an order, exports repeat the same instants.
    return OrderRecord(
        number, 2, status=status, buyer=draw(st.just(buyer(name, draw(st.sampled_from(["", "1", "2"])))) | st.none()),
        paid=draw(yuan) if was_paid else Decimal(0),
        refunded=draw(st.none() | yuan),
        placed_at=draw(hours),
        paid_at=moment if was_paid else None,
        completed_at=moment if status is OrderStatus.COMPLETED else None,
        updated_at=draw(st.none() | hours),
        payment_kind=draw(st.none() | st.sampled_from(PaymentKind)),
        close_reason=draw(texts), title=draw(texts), raw=draw(st.sampled_from([{}, {"Note": "x"}])),
    )  # fmt: skip


@st.composite
def details(draw: Any, number: str) -> OrderRecord:
    """Rows of the detail list: lines that sometimes make up the amount."""
    lines = [
        LineRecord(key, f"P-{key}", draw(texts) or key, draw(st.integers(1, 2)), None, draw(yuan))
        for key in draw(st.lists(st.sampled_from("uvw"), unique=True))
    ]
    return OrderRecord(
        number, 2, status=draw(st.sampled_from([None, OrderStatus.PLACED])), lines=tuple(lines),
        amount_from_lines=number == "summed" and bool(lines) and draw(st.booleans()),
        raw=draw(st.sampled_from([{}, {"Colour": "red"}])),
    )  # fmt: skip


@st.composite
def refunds(draw: Any, number: str) -> OrderRecord:
    """Rows of the refund list. A refund number belongs to its order."""
    parts = tuple(
        RefundRecord(
            f"{number}-{part}", draw(refund_states), draw(yuan), draw(st.none() | hours), draw(texts), draw(keys)
        )
        for part in draw(st.lists(st.sampled_from("xy"), unique=True))
    )
    return OrderRecord(number, 2, refunds=parts, raw=draw(st.sampled_from([{}, {"Why": "late"}])))


@st.composite
def returns(draw: Any) -> OrderRecord:
    """A return that names no order."""
    number, name = draw(st.sampled_from([("C1", "a"), ("C2", "a"), ("C3", "b")]))
    part = RefundRecord(number, draw(refund_states), draw(yuan), draw(hours))
    return OrderRecord(number, 2, buyer=buyer(name, ""), unlinked_refund=part)


reports = st.lists(
    st.one_of(
        headers("1", "a"), headers("1", "a"), headers("2", "a"), headers("3", "b"), headers("summed", "b"),
        details("1"), details("summed"), details("summed"), refunds("1"), refunds("2"), returns(),
    ),
    min_size=1,
    max_size=9,
)  # fmt: skip


def state_after(shop: Channel, batches: list[list[OrderRecord]]) -> dict[str, Any]:
    """What the database says after these batches; it is as before afterwards."""
    with transaction.atomic():
        for batch in batches:
            record(shop, batch, at=NOON)
        assert audit().ok
        state = facts()
        transaction.set_rollback(True)
    del state["open lots"]  # Which lot holds what is left depends on the way; how much is left does not.
    return state


def shuffled(records: list[OrderRecord], random: Random) -> list[list[OrderRecord]]:
    """The records in another sequence, some of them twice, cut into batches."""
    pack = records + random.sample(records, len(records) // 2)
    random.shuffle(pack)
    cuts = sorted(random.sample(range(len(pack) + 1), min(3, len(pack))))
    return [pack[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(pack)], strict=True)]


@pytest.fixture
def double_since_noon(shop: Channel) -> Channel:
    """The shop, whose rule changed while the orders of these reports were placed."""
    publish_rate(Decimal(1), 2, effective_from=NOON - 5 * HOUR, at=NOON - 24 * HOUR, actor_id=None, reason="Festival")
    return shop


@settings(
    max_examples=25,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(records=reports, random=st.randoms(use_true_random=False))
def test_any_sequence_any_cut_and_any_repetition_end_alike(
    double_since_noon: Channel, records: list[OrderRecord], random: Random
) -> None:
    expected = state_after(double_since_noon, [records])

    for _ in range(3):
        assert state_after(double_since_noon, shuffled(records, random)) == expected
