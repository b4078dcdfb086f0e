"""The promises about files that nobody on this project made up. They lie beside the checkout and are not part of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from crm.imports.pipeline import Source, run_file
from crm.models import Channel, Identity, Member, Order, OrderLine, Refund
from loyalty.api import audit, summary
from tests.cast import NOON
from tests.crm.feeds.exports import INVOICES
from tests.scenarios.state import facts

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"The real files are not there: {DATA}")

TAOBAO = DATA / "taobao"
ORDERS = TAOBAO / "ExportOrderList201707080045.csv"
DETAILS = TAOBAO / "ExportOrderDetailList201707080045.csv"
RETAIL = DATA / "online_retail" / "online_retail_all.csv.gz"

PAID = "买家已付款，等待卖家发货"
FLOORS = {"tb60000001": 201, "示例买家二": 186, "示例小镇三": 331, "sample天下": 989, "tb20000005": 236}


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``command(FILE...)``: import into the shop and return the summary."""
    monkeypatch.chdir(tmp_path)

    def run(*paths: Path) -> dict[str, Any]:
        call_command("import_orders", *map(str, paths), "--channel", "tea")
        summary_line = capsys.readouterr().out.strip().splitlines()[-1]
        parsed: dict[str, Any] = json.loads(summary_line)
        return parsed

    return run


def with_status(folder: Path, status: str, reason: str = "订单未关闭") -> Path:
    """The real order list with every order in another state."""
    text = ORDERS.read_text("gb18030").replace(PAID, status).replace("订单未关闭", reason)
    path = folder / f"{status}.csv"
    path.write_text(text, "gb18030", newline="")
    return path


def balances() -> dict[str, int]:
    return {i.external_id: summary(i.member_id, NOON).balance for i in Identity.objects.all()}


def test_paid_orders_bring_members_and_no_points_yet(shop: Channel, command: Any) -> None:
    report = command(ORDERS, DETAILS)

    assert (report["orders_new"], report["members_new"], report["rejected"]) == (5, 5, 0)
    assert report["points_accrued"] == 0
    assert Order.objects.count() == Member.objects.count() == OrderLine.objects.count() == 5
    assert sorted(str(paid) for paid in Order.objects.values_list("paid", flat=True)) == [
        "186.15",
        "201.12",
        "236.55",
        "331.55",
        "989.00",
    ]
    assert set(balances().values()) == {0}


def test_success_accrues_the_whole_yuan_once_however_often_imported(
    shop: Channel, command: Any, tmp_path: Path
) -> None:
    succeeded = with_status(tmp_path, "交易成功")
    command(ORDERS, DETAILS)

    first = command(succeeded)
    again = command(succeeded, ORDERS, succeeded)

    assert first["points_accrued"] == sum(FLOORS.values())
    assert again["points_accrued"] == 0
    assert balances() == FLOORS
    assert audit().ok


def test_a_later_closing_takes_the_points_back_once(shop: Channel, command: Any, tmp_path: Path) -> None:
    succeeded, closed = with_status(tmp_path, "交易成功"), with_status(tmp_path, "交易关闭", "退款")
    command(succeeded)

    first = command(closed)
    again = command(closed, succeeded, ORDERS)

    assert first["points_reversed"] == sum(FLOORS.values())
    assert again["points_reversed"] == again["points_accrued"] == 0
    assert set(balances().values()) == {0}
    assert audit().ok


def test_a_year_of_a_real_shop_imports_whole_and_adds_up(db: None) -> None:
    shop = Channel.objects.create(code="retail", name="Online Retail", currency="GBP", time_zone="Europe/London")
    counts = run_file(Source(RETAIL, shop, INVOICES), at=NOON)

    assert counts.rows == 541_909
    assert counts.members_new == Member.objects.count() == 4_372
    assert not Order.objects.filter(member=None, identity__isnull=False).exists()
    assert Refund.objects.filter(order=None, member__isnull=False).exists()
    assert counts.effects["points_accrued"] > 0
    assert counts.effects["points_reversed"] > 0
    report = audit()
    assert report.ok, report.mismatches[:5]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM loyalty_account WHERE balance < 0")
        assert cursor.fetchone() == (0,), "a return never takes more than the buyer's orders brought"
    assert facts()["accounts"]
