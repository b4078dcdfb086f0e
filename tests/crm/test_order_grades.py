"""Grades on other tools that come with orders: a column of the order files that a tool's settings name."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.choices import OrderStatus
from crm.feeds import OrderRecord, Profile
from crm.imports.pipeline import Batch, Source, run_file
from crm.models import Channel, Member, MemberPlatformGrade, Order, PlatformGrade, PlatformTool
from crm.order_grades import MOST_GRADES
from crm.orders import RecordReport, record
from tests.cast import NOON
from tests.crm.feeds.exports import ORDER, WITH_RECEIPT
from tests.crm.memberlists.lists import import_list
from tests.crm.reports import DAY, DAYONG, details, row
from tests.factories import PlatformGradeFactory, PlatformToolFactory

pytestmark = pytest.mark.django_db

COLUMN = "会员等级"
Fact = tuple[str, str]


@pytest.fixture
def tool(shop: Channel) -> PlatformTool:
    """A tool whose grades come with the orders of the shop; the seller has said what its 金牌 pays."""
    tool = PlatformToolFactory(name="会员关系管理", channel=shop, from_orders=True, order_column=COLUMN)
    PlatformGradeFactory(tool=tool, name="金牌", discount_percent=90)
    return tool


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def graded(grade: str, number: str = "1", **facts: Any) -> OrderRecord:
    """A row of the order list, with the grade of its buyer."""
    return row(number, raw={COLUMN: grade, "备注": "快一点"}, **facts)


def held() -> dict[str, tuple[str | None, str]]:
    """The grade of each member, and the order it came with."""
    rows = MemberPlatformGrade.objects.select_related("member", "grade")
    return {row.member.name: (row.grade.name if row.grade else None, row.order_no) for row in rows}


def remarks(report: RecordReport) -> list[tuple[int, str, str, str]]:
    return [(remark.line_no, remark.column, remark.code, remark.value) for remark in report.remarks]


def test_an_order_brings_its_buyer_the_grade_that_stands_in_its_row(
    shop: Channel, tool: PlatformTool, xiaolu: Member
) -> None:
    report = record(shop, [graded("金牌", "7")], at=NOON)

    found = MemberPlatformGrade.objects.get()
    assert (found.member, str(found.grade), found.seen_at, found.order_no) == (xiaolu, "金牌", NOON, "7")
    assert (report.effects["grades"], report.remarks) == (1, [])


@pytest.mark.parametrize("orders", list(permutations(range(3))))
def test_of_several_orders_the_newest_counts_whichever_comes_first(
    orders: Sequence[int], shop: Channel, tool: PlatformTool, xiaolu: Member
) -> None:
    reports = [graded(name, str(day), placed_at=NOON - day * DAY) for day, name in enumerate(("银牌", "金牌", "无"))]
    for place in orders:
        record(shop, [reports[place]], at=NOON)

    assert held() == {"林小鹿": ("银牌", "0")}


def test_within_one_batch_the_newest_counts_as_well(shop: Channel, tool: PlatformTool, xiaolu: Member) -> None:
    record(shop, [graded("银牌", "1"), graded("金牌", "2", placed_at=NOON - DAY)], at=NOON)

    assert held() == {"林小鹿": ("银牌", "1")}


@pytest.mark.parametrize("later_first", [True, False])
def test_of_two_reports_of_one_order_the_one_that_knows_more_of_it_counts(
    later_first: bool, shop: Channel, tool: PlatformTool, xiaolu: Member
) -> None:
    reports = [
        graded("银牌"),
        graded("金牌", status=OrderStatus.COMPLETED, completed_at=NOON + DAY),
        graded("铜牌", status=OrderStatus.SHIPPED, shipped_at=NOON + timedelta(hours=1)),
    ]
    for report in reversed(reports) if later_first else reports:
        record(shop, [report], at=NOON + DAY)

    assert held() == {"林小鹿": ("金牌", "1")}


@pytest.mark.parametrize("orders_first", [True, False])
def test_lists_and_orders_are_told_apart_by_their_days(
    orders_first: bool, shop: Channel, tool: PlatformTool, xiaolu: Member, folder: None
) -> None:
    steps: list[Callable[[], object]] = [
        lambda: record(shop, [graded("金牌")], at=NOON),
        lambda: import_list("平台昵称,等级\n小鹿爱喝茶,银牌", tool, seen_at=NOON - DAY),
    ]
    for step in steps if orders_first else reversed(steps):
        step()

    assert held() == {"林小鹿": ("金牌", "1")}


def test_a_grade_nobody_has_priced_is_kept_takes_nothing_off_and_is_told(
    shop: Channel, tool: PlatformTool, xiaolu: Member
) -> None:
    report = record(shop, [graded("钻石")], at=NOON)

    assert PlatformGrade.objects.get(name="钻石").discount_percent is None
    assert held() == {"林小鹿": ("钻石", "1")}
    assert remarks(report) == [(2, COLUMN, "grade_unpriced", "钻石")]


def test_the_word_for_no_grade_takes_it_away(shop: Channel, tool: PlatformTool, xiaolu: Member) -> None:
    record(shop, [graded("金牌", placed_at=NOON - DAY)], at=NOON)
    record(shop, [graded("无", "2")], at=NOON)

    assert held() == {"林小鹿": (None, "2")}


def test_a_row_that_says_nothing_changes_nothing(shop: Channel, tool: PlatformTool, xiaolu: Member) -> None:
    record(shop, [graded("金牌", placed_at=NOON - DAY)], at=NOON)
    assert record(shop, [row("2")], at=NOON).remarks == []

    assert held() == {"林小鹿": ("金牌", "1")}


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (graded("很" * 61), "grade_unreadable"),
        (graded("金牌\n银牌"), "grade_differs"),
        (graded("金牌", buyer=None), "grade_of_nobody"),
        (graded("金牌", placed_at=None), "grade_without_time"),
        (details("1", raw={COLUMN: "金牌"}), "grade_of_nobody"),
    ],
    ids=["too long", "two in one order", "no buyer", "no time", "a list without buyers"],
)
def test_what_cannot_be_kept_is_told_and_its_order_is_recorded(
    bad: OrderRecord, code: str, shop: Channel, tool: PlatformTool
) -> None:
    report = record(shop, [bad, graded("金牌", "2", buyer=DAYONG)], at=NOON)

    assert [remark.code for remark in report.remarks] == [code]
    assert held() == {"王大勇": ("金牌", "2")}
    assert Order.objects.count() == 2


def test_a_column_that_holds_something_else_does_not_fill_the_list_of_grades(
    shop: Channel, tool: PlatformTool, xiaolu: Member
) -> None:
    report = record(shop, [graded(f"备注{number:03}", str(number)) for number in range(MOST_GRADES + 5)], at=NOON)

    assert PlatformGrade.objects.filter(tool=tool).count() == MOST_GRADES
    assert sum(remark.code == "grade_too_many" for remark in report.remarks) == 6


def test_orders_of_another_channel_and_tools_that_do_not_read_them_are_left_alone(
    shop: Channel, xiaolu: Member
) -> None:
    PlatformToolFactory(channel=shop, from_orders=False, order_column=COLUMN)

    assert record(shop, [graded("金牌")], at=NOON).effects.get("grades") is None
    assert not MemberPlatformGrade.objects.exists()


def test_two_tools_read_a_column_each(shop: Channel, tool: PlatformTool, xiaolu: Member) -> None:
    other = PlatformToolFactory(name="网店版客户管理", channel=shop, from_orders=True, order_column="店铺等级")
    record(shop, [row("1", raw={COLUMN: "金牌", "店铺等级": "VIP"})], at=NOON)

    found = MemberPlatformGrade.objects.values_list("tool__name", "grade__name")
    assert set(found) == {(tool.name, "金牌"), (other.name, "VIP")}


def test_a_batch_costs_the_same_queries_however_many_buyers_and_grades(shop: Channel, tool: PlatformTool) -> None:
    from crm.feeds.records import BuyerRecord

    def queries(first: int, number: int) -> int:
        batch = [
            graded(f"等级{each % 7}", str(each), buyer=BuyerRecord(f"buyer{each}"))
            for each in range(first, first + number)
        ]
        with CaptureQueriesContext(connection) as seen:
            record(shop, batch, at=NOON)
        return sum("platformgrade" in query["sql"] or "platformtool" in query["sql"] for query in seen)

    queries(0, 7)
    assert queries(100, 3) == queries(200, 60) == 6


class TestFiles:
    """Whole files, as platforms export them."""

    def read(self, source: Source) -> list[Batch]:
        batches: list[Batch] = []
        run_file(source, at=NOON + 365 * DAY, size=2, save=batches.append)
        return batches

    def problems(self, source: Source) -> list[tuple[int, str, str]]:
        return [(each.line_no, each.code, each.value) for batch in self.read(source) for each in batch.problems]

    def test_an_order_list_of_taobao_with_one_column_more(
        self, shop: Channel, tool: PlatformTool, tmp_path: Path
    ) -> None:
        header = [*WITH_RECEIPT, COLUMN]
        lines = [",".join(header)]
        for number, (buyer, grade) in enumerate(
            [("小鹿", "金牌"), ("大勇", "钻石"), ("小鹿", "钻石"), ("阿梅", ""), ("大勇", "金牌"), ("阿梅", "钻石")]
        ):
            said = ORDER | {"订单编号": f'="351531314000000{number}"', "买家会员名": buyer, COLUMN: grade}
            said |= {"宝贝标题": "茶", "订单创建时间": f"2026-03-0{number + 1} 10:00:00", "订单付款时间": ""}
            lines.append(",".join(str(said.get(name.strip(), "")) for name in header))
        file = tmp_path / "orders.csv"
        file.write_text("\n".join(lines), encoding="gbk")

        # Told once, although it comes in each of the three batches.
        assert self.problems(Source(file, shop)) == [(3, "grade_unpriced", "钻石")]
        grades = {name: grade for name, (grade, _no) in held().items()}
        assert grades == {"小鹿": "钻石", "大勇": "金牌", "阿梅": "钻石"}
        assert set(MemberPlatformGrade.objects.values_list("source", flat=True)) == {"orders.csv"}

        again = MemberPlatformGrade.objects.order_by("pk").values()
        before = list(again)
        self.read(Source(file, shop))
        assert list(again.all()) == before

    @pytest.mark.parametrize(
        ("columns", "lines"),
        [
            # As Shopify writes them: the rows after an order's first one repeat its number and hold a line only.
            (
                {"order_no": "Name", "buyer": "Email", "placed_at": "Created at", "paid": "Total", "sku": "SKU"},
                ["Name,Email,Created at,Total,SKU,Tags",
                 "#1001,lu@example.com,2026-03-01 10:00:00 +0800,20.00,T-1,VIP",
                 "#1001,,,,C-1,"],
            ),
            # A WooCommerce export with the meta field of a membership plugin.
            (
                {"order_no": "order_id", "buyer": "customer_email", "placed_at": "date_created", "paid": "total"},
                ["order_id,date_created,total,customer_email,Tags", "17,2026-03-01T10:00:00,20.00,lu@example.com,VIP"],
            ),
            # Youzan.
            (
                {"order_no": "订单号", "buyer": "买家昵称", "placed_at": "下单时间", "paid": "实付金额"},
                ["订单号,买家昵称,下单时间,实付金额,Tags", "E2026,lu@example.com,2026-03-01 10:00:00,20.00,VIP"],
            ),
        ],
        ids=["shopify", "woocommerce", "youzan"],
    )  # fmt: skip
    def test_files_read_by_a_profile(
        self, columns: dict[str, str], lines: list[str], shop: Channel, tmp_path: Path
    ) -> None:
        tool = PlatformToolFactory(channel=shop, from_orders=True, order_column="Tags")
        PlatformGradeFactory(tool=tool, name="VIP", discount_percent=95)
        file = tmp_path / "orders.csv"
        file.write_text("\n".join(lines), encoding="utf-8")

        assert self.problems(Source(file, shop, Profile.from_json("p", {"columns": columns}))) == []
        assert [grade for grade, _no in held().values()] == ["VIP"]
