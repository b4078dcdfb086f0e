"""The promise that the rules in force, tried on the past, come to what the journal gave: on a real shop's invoices.

The invoices lie beside the checkout and are not part of it. Usually the first two months are tried; with
``WHOLE_YEAR=1`` in the environment all thirteen.
"""

import gzip
import os
from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from itertools import takewhile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db.models import F, Sum

from crm.imports.pipeline import Source, run_file
from crm.models import Channel, Order
from loyalty.backtest.run import Period, backtest
from loyalty.choices import EntryKind
from loyalty.earning.ruleset import RuleSet
from loyalty.models import Entry
from loyalty.rulebook import rules_of
from tests.cast import NOON
from tests.crm.feeds.exports import INVOICES
from tests.loyalty.rulesets import SPEND, publish_rules, rule

RETAIL = Path(__file__).resolve().parents[3] / "shared" / "data" / "online_retail" / "online_retail_all.csv.gz"
WHOLE_YEAR = os.environ.get("WHOLE_YEAR") == "1"
pytestmark = [
    pytest.mark.skipif(not RETAIL.is_file(), reason=f"The real invoices are not there: {RETAIL}"),
    pytest.mark.django_db,
]

LONDON = ZoneInfo("Europe/London")
BEGUN = datetime(2010, 11, 1, tzinfo=LONDON)
# In the programme's zone the evening of London's last day is the next one.
LAST_DAY = date(2011, 12, 31) if WHOLE_YEAR else date(2011, 2, 1)
WINTER = (
    SPEND,
    rule("first_order", {"points": 50}, caps={"budget": 20_000}),
    rule("steps", {"steps": [["300", 20], ["1000", 100]]}, caps={"per_member": 150}),
    rule(
        "spend",
        {"per": "10", "points": 3},
        code="weekends",
        conditions={"weekdays": [6, 7]},
        caps={"per_rule_day": 900},
    ),
)


@pytest.fixture
def invoices(tmp_path: Path) -> Path:
    """The invoices that are tried."""
    if WHOLE_YEAR:
        return RETAIL
    path = tmp_path / "invoices.csv"
    with gzip.open(RETAIL, "rt", encoding="utf-8-sig", newline="") as whole, path.open("w", newline="") as part:
        # The file is in the order of its dates.
        part.writelines(takewhile(lambda line: ",2011-02-" not in line, whole))
    return path


@pytest.fixture
def retail(db: None) -> Channel:
    return Channel.objects.create(code="retail", name="Online Retail", currency="GBP", time_zone="Europe/London")


def tried(rules: RuleSet) -> dict[str, Any]:
    return backtest(rules, Period(date(2010, 12, 1), LAST_DAY), percent=Decimal(10), at=NOON)


def given_by_rule() -> Counter[str]:
    """What the journal says each rule gave: by the latest award of each order, for an invoice may come in two parts."""
    accruals = Entry.objects.filter(kind=EntryKind.ACCRUAL, order__isnull=False).order_by("pk")
    awards = dict(accruals.values_list("order_id", "trace__award"))
    points: Counter[str] = Counter()
    for award in awards.values():
        for code, _kind, _base, _factor, given, *_rest in award["rules"]:
            points[code] += given
    return points


def test_the_versions_in_force_reproduce_every_accrual(retail: Channel, invoices: Path) -> None:
    publish_rules(SPEND, since=BEGUN)
    winter = publish_rules(*WINTER, since=datetime(2010, 12, 15, tzinfo=LONDON))
    publish_rules(rule("spend", {"per": "1", "points": 2}), since=datetime(2011, 1, 20, tzinfo=LONDON))
    run_file(Source(invoices, retail, INVOICES), at=NOON)

    found = tried(rules_of(winter.pk))

    accruals = Entry.objects.filter(kind=EntryKind.ACCRUAL, order__isnull=False)
    assert found["gross"]["live"] == accruals.aggregate(points=Sum(F("points") + F("pending")))["points"] > 100_000
    assert found["journal"]["differing"] == 0
    assert {row["rule"]: row["live"] for row in found["rules"] if row["live"]} == given_by_rule()
    assert found["orders"] == Order.objects.filter(member__isnull=False).exclude(status="placed").count()
    assert found["gross"]["candidate"] != found["gross"]["live"]
