"""Files that nobody on this project made up. They lie beside the checkout and are not part of it."""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crm.choices import OrderStatus
from crm.feeds import OrderRecord, inspect, read
from tests.crm.feeds.exports import INVOICES, LINE, NOON, ORDER, REFUND, read_all, save, table

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"The real files are not there: {DATA}")

ORDERS = DATA / "taobao" / "ExportOrderList201707080045.csv"
DETAILS = DATA / "taobao" / "ExportOrderDetailList201707080045.csv"
HEADERS = DATA / "taobao" / "export_headers.json"
RETAIL = DATA / "online_retail" / "online_retail_all.csv.gz"


def test_five_real_orders_read_to_the_cent() -> None:
    records = [item for item in read_all(ORDERS) if isinstance(item, OrderRecord)]

    assert [record.paid for record in records] == [
        Decimal(amount) for amount in ("201.12", "186.15", "331.55", "989.00", "236.55")
    ]
    assert len({record.buyer.external_id for record in records if record.buyer}) == 5
    assert {record.status for record in records} == {OrderStatus.PAID}
    assert {record.refunded for record in records} == {Decimal(0)}
    assert records[0].title == "【顺丰包邮】原厂授权日本制吉川COOK-PAL雪平锅不锈钢"
    assert records[0].placed_at == datetime.fromisoformat("2017-07-08T00:42:32+08:00")
    assert records[4].buyer is not None and records[4].buyer.phone == "13900000005"
    assert inspect(ORDERS, at=NOON).encoding == "gb18030"


def test_their_detail_list_brings_one_line_each() -> None:
    details = [item for item in read_all(DETAILS) if isinstance(item, OrderRecord)]
    orders = [item for item in read_all(ORDERS) if isinstance(item, OrderRecord)]

    assert [record.external_no for record in details] == [record.external_no for record in orders]
    assert [line.product_code for record in details for line in record.lines][:2] == [
        "YO-PAN-20-WITHGLASS",
        "YO-PAN-20",
    ]
    assert [record.lines[0].title for record in details] == [record.title for record in orders]


@pytest.mark.parametrize("era", json.loads(HEADERS.read_text(encoding="utf-8")) if HEADERS.is_file() else [])
def test_the_real_header_of_every_era_is_recognised(tmp_path: Path, era: dict[str, Any]) -> None:
    kind = {"order_list": "taobao_orders", "order_detail": "taobao_details", "refund": "taobao_refunds"}
    path = save(tmp_path, table(era["columns"], [ORDER | LINE | REFUND]))

    report = inspect(path, at=NOON)

    assert report.kind == kind[era["id"].partition("_20")[0]]
    assert (report.records, report.problem_counts) == (1, {})


def test_a_year_of_invoices_reads_whole() -> None:
    rows = rejected = cancellations = 0
    buyers = set()
    for item in read(RETAIL, at=NOON, profile=INVOICES, encoding="utf-8"):
        rows += item.rows
        if not isinstance(item, OrderRecord):
            rejected += 1
            continue
        cancellations += item.unlinked_refund is not None
        if item.buyer is not None:
            buyers.add(item.buyer.external_id)

    assert rows == 541_909
    assert len(buyers) == 4_372
    assert cancellations == 3_836
    assert rejected == 1_338  # Stock written off (negative pieces at no price) and two bad debts.
