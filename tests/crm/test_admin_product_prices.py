"""What staff say of a product's price: one at a time, many at once, and in a spreadsheet."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation
from import_export.formats.base_formats import CSV, XLSX
from tablib import Dataset

from crm.models import Channel, Product, ProductTierPrice, StaffAction, Tier, User
from crm.resources import ProductResource
from crm.tiers.defaults import make_usual_tiers
from tests.factories import OrderFactory, OrderLineFactory, ProductFactory, ProductTierPriceFactory
from tests.staff import Grant

pytestmark = pytest.mark.django_db

LIST = "admin:crm_product_changelist"


@pytest.fixture(autouse=True)
def ladder(db: None) -> dict[str, Tier]:
    return {tier.code: tier for tier in make_usual_tiers()}


@pytest.fixture
def tea(shop: Channel) -> Product:
    return ProductFactory(channel=shop, code="T-1", title="Spring tea", list_price=Decimal("100.00"))


@pytest.fixture
def keeper(client: Client, grant: Grant) -> User:
    """Who looks after the products, signed in."""
    user = grant("crm.view_product", "crm.change_product", "crm.export_product")
    client.force_login(user)
    return user


def own(product: Product) -> dict[str, tuple[Decimal | None, Decimal | None]]:
    rows = ProductTierPrice.objects.filter(product=product)
    return {code: (percent, price) for code, percent, price in rows.values_list("tier__code", "percent", "price")}


class TestOneProduct:
    def save(self, client: Client, product: Product, *prices: dict[str, Any], **facts: Any) -> Any:
        data = {
            "policy": "normal", "bonus_points": "0", "category": "", "price_policy": "follow", "list_price": "100.00",
            "tier_prices-TOTAL_FORMS": str(len(prices)),
            "tier_prices-INITIAL_FORMS": str(ProductTierPrice.objects.filter(product=product).count()),
        }  # fmt: skip
        for number, row in enumerate(prices):
            data |= {f"tier_prices-{number}-{name}": value for name, value in row.items()}
        response: Any = client.post(reverse("admin:crm_product_change", args=[product.pk]), {**data, **facts})
        return response

    def test_prices_are_saved_and_the_staff_log_says_what_changed(
        self, keeper: User, client: Client, tea: Product, ladder: dict[str, Tier]
    ) -> None:
        vip, supreme = ladder["vip"].pk, ladder["supreme"].pk
        rows = [{"tier": vip, "percent": "88", "price": ""}, {"tier": supreme, "percent": "", "price": "66.60"}]
        self.save(client, tea, *rows, list_price="120.00", price_policy="normal", discount_visible_from=vip)

        tea.refresh_from_db()
        assert (tea.list_price, tea.price_policy, tea.discount_visible_from_id) == (Decimal(120), "normal", vip)
        assert own(tea) == {"vip": (Decimal(88), None), "supreme": (None, Decimal("66.60"))}
        assert StaffAction.objects.get().details["changes"] == {
            "list_price": ["100.00", "120.00"],
            "price_policy": ["follow", "normal"],
            "discount_visible_from": [None, vip],
            "tier_prices": [{}, {"vip": "88.00%", "supreme": "66.60"}],
        }

    @pytest.mark.parametrize("wrong", [{"percent": "88", "price": "50"}, {"percent": "", "price": ""}])
    def test_a_price_for_a_tier_is_a_percentage_or_a_price(
        self, wrong: dict[str, str], keeper: User, client: Client, tea: Product, ladder: dict[str, Tier]
    ) -> None:
        page = self.save(client, tea, {"tier": ladder["vip"].pk, **wrong})
        assert page.status_code == 200
        assert not own(tea)

    def test_a_price_that_no_member_would_see_is_refused(
        self, keeper: User, client: Client, tea: Product, ladder: dict[str, Tier]
    ) -> None:
        row = {"tier": ladder["senior"].pk, "percent": "88", "price": ""}
        page = self.save(client, tea, row, discount_visible_from=ladder["vip"].pk)
        assert "高级会员" in str(page.context["inline_admin_formsets"][0].formset.errors)
        assert not own(tea)

    @pytest.mark.parametrize("price", ["0", "-1", "1.234", "free", "99999999"])
    def test_a_list_price_is_an_amount_in_cents(self, price: str, keeper: User, client: Client, tea: Product) -> None:
        assert "list_price" in self.save(client, tea, list_price=price).context["adminform"].form.errors

    def test_the_page_shows_what_each_tier_pays_and_warns_where_a_higher_one_pays_more(
        self, keeper: User, client: Client, tea: Product, ladder: dict[str, Tier]
    ) -> None:
        ProductTierPriceFactory(product=tea, tier=ladder["vip"], percent=Decimal(98))
        page = client.get(reverse("admin:crm_product_change", args=[tea.pk]))
        rows = [(row["tier"], row["price"], row["dearer"]) for row in page.context["tier_rows"]]
        assert rows == [
            ("普通会员", Decimal("100.00"), False),
            ("高级会员", Decimal("95.00"), False),
            ("VIP会员", Decimal("98.00"), True),
            ("至尊VIP会员", Decimal("85.00"), False),
        ]

    def test_who_may_only_look_sees_the_prices_and_changes_none(
        self, client: Client, grant: Grant, tea: Product, ladder: dict[str, Tier]
    ) -> None:
        ProductTierPriceFactory(product=tea, tier=ladder["vip"], percent=Decimal("77.70"))
        client.force_login(grant("crm.view_product"))
        assert "77.7" in client.get(reverse("admin:crm_product_change", args=[tea.pk])).content.decode()
        assert self.save(client, tea, list_price="1.00").status_code == 403


class TestManyProducts:
    def act(self, client: Client, action: str, *products: Product, **data: str) -> Any:
        chosen = {"action": action, "_selected_action": [product.pk for product in products]}
        response: Any = client.post(reverse(LIST), {**chosen, **data}, follow=True)
        return response

    def test_all_selected_get_the_price_rules(
        self, keeper: User, client: Client, tea: Product, ladder: dict[str, Tier]
    ) -> None:
        other = ProductFactory(channel=tea.channel)
        vip = ladder["vip"].pk
        said = {"apply": "1", "price_policy": "group_buy", "visible_from": str(vip), "reason": "Group buy week"}
        self.act(client, "change_price_rules", tea, **said)
        found = Product.objects.values_list("pk", "price_policy", "discount_visible_from").order_by("pk")
        assert list(found) == [(tea.pk, "group_buy", vip), (other.pk, "follow", None)]
        action = StaffAction.objects.get()
        assert (action.action, action.reason) == ("products.price_rules", "Group buy week")
        assert action.details == {"products": 1, "price_policy": "group_buy", "discount_visible_from": vip}

    def test_what_is_not_said_stays(self, keeper: User, client: Client, tea: Product, ladder: dict[str, Tier]) -> None:
        Product.objects.update(price_policy="special", discount_visible_from=ladder["vip"])
        self.act(client, "change_price_rules", tea, apply="1", visible_from="0", reason="For all")
        tea.refresh_from_db()
        assert (tea.price_policy, tea.discount_visible_from) == ("special", None)

    def test_saying_nothing_at_all_is_asked_about(self, keeper: User, client: Client, tea: Product) -> None:
        page = self.act(client, "change_price_rules", tea, apply="1", reason="For all")
        assert page.context["form"].non_field_errors()
        assert not StaffAction.objects.exists()

    def bought(self, product: Product, day: int, unit_price: str) -> None:
        order = OrderFactory(channel=product.channel, placed_at=None, paid_at=f"2026-03-{day:02}T04:00:00Z")
        OrderLineFactory(order=order, product=product, unit_price=Decimal(unit_price))

    def test_a_list_price_is_taken_from_the_latest_order(self, keeper: User, client: Client, shop: Channel) -> None:
        cup, kettle, gift = ProductFactory.create_batch(3, channel=shop)
        for day, price in ((3, "19.90"), (5, "21.90"), (4, "25.90")):
            self.bought(cup, day, price)
        self.bought(gift, 1, "0.00")
        self.bought(gift, 2, "3.3333")  # Five for 16.67: no price of a piece.
        self.act(client, "list_prices_from_orders", cup, kettle, gift, apply="1", reason="First prices")
        prices = Product.objects.order_by("pk").values_list("list_price", flat=True)
        assert list(prices) == [Decimal("21.90"), None, None]
        assert StaffAction.objects.get().details == {"products": 1, "overwrite": False}

    def test_one_that_is_there_gives_way_only_when_told_to(self, keeper: User, client: Client, tea: Product) -> None:
        self.bought(tea, 3, "110.00")
        self.act(client, "list_prices_from_orders", tea, apply="1", reason="First prices")
        tea.refresh_from_db()
        assert tea.list_price == Decimal("100.00")
        self.act(client, "list_prices_from_orders", tea, apply="1", overwrite="on", reason="New season")
        tea.refresh_from_db()
        assert tea.list_price == Decimal("110.00")

    def test_the_list_finds_those_without_a_list_price(self, keeper: User, client: Client, tea: Product) -> None:
        bare = ProductFactory(channel=tea.channel)

        def shown(priced: str) -> list[Product]:
            return list(client.get(reverse(LIST), {"priced": priced}).context["cl"].result_list)

        assert (shown("no"), shown("yes")) == ([bare], [tea])


def exported(kind: str) -> Dataset:
    """Export everything through a real file of this kind, and read that file again."""
    fmt: Any = {"csv": CSV, "xlsx": XLSX}[kind]()
    data = ProductResource().export(Product.objects.order_by("pk"), force_native_type=kind == "xlsx")
    dataset: Dataset = fmt.create_dataset(fmt.export_data(data))
    return dataset


def imported(*rows: dict[str, Any] | Dataset) -> Any:
    if isinstance(rows[0], Dataset):
        dataset = rows[0]
    else:
        dataset = Dataset(headers=["channel", "code", *rows[0]])
        for row in rows:
            assert isinstance(row, dict)
            dataset.append(["tea", "T-1", *row.values()])
    return ProductResource().import_data(dataset, dry_run=False, raise_errors=False, use_transactions=True)


class TestFiles:
    @pytest.fixture(autouse=True)
    def dear_tea(self, tea: Product, ladder: dict[str, Tier]) -> None:
        Product.objects.update(discount_visible_from=ladder["senior"], price_policy="normal")
        ProductTierPriceFactory(product=tea, tier=ladder["vip"], percent=Decimal("87.50"))
        ProductTierPriceFactory(product=tea, tier=ladder["supreme"], percent=None, price=Decimal("66.60"))

    @pytest.mark.parametrize("kind", ["csv", "xlsx"])
    def test_what_goes_out_comes_back_as_no_change(self, kind: str, shop: Channel) -> None:
        ProductFactory(channel=shop)
        result = imported(exported(kind))
        assert not result.has_errors() and not result.has_validation_errors()
        assert result.totals["skip"] == 2

    def test_a_chinese_export_is_understood_in_english(self) -> None:
        with translation.override("zh-hans"):
            chinese = exported("csv")
        assert chinese["原价"] == ["100.00"]
        assert chinese["折扣可见的最低等级"] == ["高级会员"]
        assert chinese["等级专属价"] == ["VIP会员: 87.5%\n至尊VIP会员: 66.60"]
        with translation.override("en"):
            assert imported(chinese).totals["skip"] == 1

    def test_changed_cells_change_the_prices(self, tea: Product) -> None:
        row = {"list_price": 88, "price_policy": "special", "discount_visible_from": "vip"}
        assert imported(row | {"tier_prices": "VIP会员：90％；supreme: 60"}).totals["update"] == 1
        tea.refresh_from_db()
        assert (tea.list_price, tea.price_policy) == (Decimal(88), "special")
        assert str(tea.discount_visible_from) == "VIP会员"
        assert own(tea) == {"vip": (Decimal(90), None), "supreme": (None, Decimal(60))}

    def test_an_empty_cell_takes_the_prices_away_and_a_missing_column_leaves_them(self, tea: Product) -> None:
        imported({"category": "tea"})
        assert len(own(tea)) == 2
        imported({"tier_prices": "", "list_price": "", "discount_visible_from": ""})
        tea.refresh_from_db()
        assert (own(tea), tea.list_price, tea.discount_visible_from) == ({}, None, None)

    @pytest.mark.parametrize(
        ("column", "cell"),
        [
            ("list_price", "free"), ("list_price", "0"), ("list_price", "-5"), ("list_price", "1.234"),
            ("price_policy", "half"), ("discount_visible_from", "Gold"), ("tier_prices", "VIP会员"),
            ("tier_prices", "Gold: 90%"), ("tier_prices", "vip: 0%"), ("tier_prices", "vip: 101%"),
            ("tier_prices", "vip: 90.123%"), ("tier_prices", "vip: NaN%"), ("tier_prices", "vip:"),
            ("tier_prices", "vip: free"), ("tier_prices", "vip: 90%; VIP会员: 80%"), ("tier_prices", "base: 90%"),
        ],
    )  # fmt: skip
    def test_a_row_is_refused_with_its_line_and_column(self, column: str, cell: str, tea: Product) -> None:
        refused = imported({column: cell}).invalid_rows
        assert [row.number for row in refused] == [2]
        assert list(refused[0].field_specific_errors) == [column]
        assert len(own(tea)) == 2

    def test_a_tier_that_would_hide_the_prices_that_are_there_is_refused(self, tea: Product) -> None:
        refused = imported({"discount_visible_from": "至尊VIP会员"}).invalid_rows
        assert "tier_prices" in refused[0].field_specific_errors

    def test_a_large_file_takes_few_queries(self, shop: Channel) -> None:
        ProductFactory.create_batch(60, channel=shop, list_price=None)
        data = exported("csv")
        data = Dataset(*[[*row[:6], "5.00", *row[7:9], "vip: 50%"] for row in data[1:]], headers=data.headers)
        with CaptureQueriesContext(connection) as queries:
            assert imported(data).totals["update"] == 60
        # Channels, products, tiers, their prices; the update, prices taken away and written.
        assert len([query for query in queries if "crm_" in query["sql"]]) == 7
