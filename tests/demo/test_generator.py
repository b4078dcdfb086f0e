"""The demo shop's exports: the platform's own shape, the same for the same seed, one story from week to week."""

import csv
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from config.demo.cast import CAST
from config.demo.generator import WEEK, ShopFiles, write_orders, write_shop

NOON = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
WALL_NOON = datetime.fromisoformat("2026-03-10 12:00:00")  # What the clock in the shop, in Shanghai, shows then.
ORDERS, MEMBERS = 1500, 260


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ShopFiles:
    """A small demo shop, exported at noon."""
    return write_shop(tmp_path_factory.mktemp("demo"), until=NOON, orders=ORDERS, members=MEMBERS)


def rows(path: Path) -> list[dict[str, str]]:
    """Read an export as a spreadsheet program would, with the ids and phones still wrapped."""
    with path.open(encoding="gbk", newline="") as file:
        header, *body = csv.reader(file)
    return [dict(zip(header, row, strict=False)) for row in body]


def test_has_as_many_orders_and_buyers_as_asked_for(shop: ShopFiles) -> None:
    orders = rows(shop.orders)
    assert len(orders) == len({row["订单编号"] for row in orders}) == ORDERS
    assert len({row["买家会员名"] for row in orders}) == MEMBERS


def test_most_buyers_come_once_and_a_few_come_often(shop: ShopFiles) -> None:
    per_buyer = Counter(row["买家会员名"] for row in rows(shop.orders))
    assert sum(1 for count in per_buyer.values() if count == 1) > MEMBERS * 0.4
    assert sum(1 for count in per_buyer.values() if count >= 15) >= 10


def test_the_eleventh_of_november_is_the_busiest_day(shop: ShopFiles) -> None:
    per_day = Counter(row["订单创建时间"][:10] for row in rows(shop.orders))
    assert {day for day, _ in per_day.most_common(2)} == {"2024-11-11", "2025-11-11"}


def test_looks_as_awkward_as_the_platforms_own_files(shop: ShopFiles) -> None:
    text = shop.orders.read_bytes().decode("gbk")
    header, first = text.split("\r\n")[:2]
    assert '"收货地址 "' in header and '"订单付款时间 "' in header
    assert first.startswith('="3')
    assert "\"'1" in first and '"\'null"' in first and '"0元"' in first and ',="",' in first
    assert "******" in text
    details = shop.details.read_bytes().decode("gbk").split("\r\n")
    assert not details[0].endswith(",") and details[1].endswith(",")


def test_the_paid_amount_is_net_of_what_went_back(shop: ShopFiles) -> None:
    refunded = [row for row in rows(shop.orders) if Decimal(row["退款金额"]) > 0]
    assert refunded
    assert all(
        Decimal(row["买家实际支付金额"]) == Decimal(row["总金额"]) - Decimal(row["退款金额"]) for row in refunded
    )
    kinds = {Decimal(row["买家实际支付金额"]) == 0 for row in refunded}
    assert kinds == {True, False}  # Whole returns, and parts.


def test_orders_stand_at_every_step_of_their_life(shop: ShopFiles) -> None:
    states = {row["订单状态"] for row in rows(shop.orders)}
    assert states >= {"买家已付款，等待卖家发货", "卖家已发货，等待买家确认", "交易成功", "交易关闭"}
    unpaid = [row for row in rows(shop.orders) if row["订单关闭原因"] == "买家未付款"]
    assert unpaid and all(row["订单付款时间 "] == "" and row["买家实际支付金额"] == "0.00" for row in unpaid)


def test_some_families_share_a_mail_address(shop: ShopFiles) -> None:
    pairs = {(row["买家会员名"], row["买家支付宝账号"]) for row in rows(shop.orders) if "@" in row["买家支付宝账号"]}
    per_address = Counter(address for _, address in pairs)
    assert max(per_address.values()) > 1


def test_every_mail_address_is_an_invented_one(shop: ShopFiles) -> None:
    addresses = {row["买家支付宝账号"] for row in rows(shop.orders) if "@" in row["买家支付宝账号"]}
    assert {address.partition("@")[2] for address in addresses} == {"example.com", "example.net", "example.org"}


def test_nothing_happens_after_the_instant_of_the_export(shop: ShopFiles) -> None:
    moments = [row[name] for row in rows(shop.orders) for name in ("订单创建时间", "订单付款时间 ", "确认收货时间")]
    assert max(moments) <= "2026-03-10 12:00:00"
    assert min(filter(None, moments)) >= "2024-09-08"


def test_the_same_seed_and_instant_give_the_same_bytes(shop: ShopFiles, tmp_path: Path) -> None:
    again = write_shop(tmp_path, until=NOON, orders=ORDERS, members=MEMBERS)
    for one, other in zip((*shop.all, *shop.week), (*again.all, *again.week), strict=True):
        assert one.name == other.name
        assert one.read_bytes() == other.read_bytes()


def test_another_seed_gives_another_shop(shop: ShopFiles, tmp_path: Path) -> None:
    other = write_shop(tmp_path, until=NOON, seed=7, orders=ORDERS, members=MEMBERS)
    assert shop.orders.read_bytes() != other.orders.read_bytes()


def test_next_week_brings_new_orders_and_moves_the_old_ones_on(shop: ShopFiles) -> None:
    before = {row["订单编号"]: row["订单状态"] for row in rows(shop.orders)}
    week = {row["订单编号"]: row["订单状态"] for row in rows(shop.week[0])}
    assert any(no not in before for no in week)
    assert any(before.get(no) == "卖家已发货，等待买家确认" and status == "交易成功" for no, status in week.items())
    assert all(row["订单创建时间"] <= "2026-03-17 12:00:00" for row in rows(shop.week[0]))


def test_next_week_has_one_row_that_a_spreadsheet_destroyed(shop: ShopFiles) -> None:
    damaged = [row["订单编号"] for row in rows(shop.week[0]) if "E+17" in row["订单编号"]]
    assert len(damaged) == 1


def test_the_cast_is_in_the_shop(shop: ShopFiles) -> None:
    buyers = {row["买家会员名"] for row in rows(shop.orders)}
    assert {persona.nick for persona in CAST} <= buyers


def test_a_benchmark_gets_an_order_list_of_exactly_the_size_it_wants(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    write_orders(path, orders=300, members=40, seed=3, until=NOON)
    orders = rows(path)
    assert len(orders) == 300
    assert len({row["买家会员名"] for row in orders}) == 40
    newest, *_, oldest = [row["订单创建时间"] for row in orders]
    assert newest > oldest
    assert datetime.fromisoformat(newest) <= WALL_NOON < datetime.fromisoformat(newest) + WEEK
    assert datetime.fromisoformat(oldest) > WALL_NOON - timedelta(days=549)
