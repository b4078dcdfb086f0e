"""What the seller says of his products: one by one, for many at once, and in a spreadsheet."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation
from import_export.formats.base_formats import CSV, XLSX
from tablib import Dataset

from crm.choices import ProductPolicy
from crm.models import Channel, Product, StaffAction, User
from crm.resources import ProductResource
from tests.factories import ChannelFactory, ProductFactory
from tests.staff import Grant

pytestmark = pytest.mark.django_db

LIST = "admin:crm_product_changelist"
NO_PRICES = {"tier_prices-TOTAL_FORMS": "0", "tier_prices-INITIAL_FORMS": "0"}


@pytest.fixture
def tea(shop: Channel) -> Product:
    return ProductFactory(channel=shop, code="T-1", title="Spring tea", category="tea")


@pytest.fixture
def cup(shop: Channel) -> Product:
    return ProductFactory(channel=shop, code="=C-1", title="A cup", policy=ProductPolicy.BONUS, bonus_points=5)


@pytest.fixture
def keeper(client: Client, grant: Grant) -> User:
    """Who looks after the products, signed in."""
    user = grant("crm.view_product", "crm.change_product", "crm.export_product")
    client.force_login(user)
    return user


def said() -> dict[str, tuple[str, int, str]]:
    """What is stored of every product."""
    rows = Product.objects.values_list("code", "policy", "bonus_points", "category")
    return {code: (policy, points, category) for code, policy, points, category in rows}


class TestOneProduct:
    def save(self, client: Client, product: Product, **facts: Any) -> Any:
        data = {"policy": "normal", "bonus_points": "0", "category": "", "price_policy": "follow", **NO_PRICES, **facts}
        response: Any = client.post(reverse("admin:crm_product_change", args=[product.pk]), data)
        return response

    def test_policy_and_category_are_changed_and_the_staff_log_says_so(
        self, keeper: User, client: Client, tea: Product
    ) -> None:
        self.save(client, tea, policy="special", category="green tea", title="Something else")
        assert said() == {"T-1": ("special", 0, "green tea")}
        tea.refresh_from_db()
        assert tea.title == "Spring tea"
        action = StaffAction.objects.get()
        assert (action.action, action.actor) == ("product.change", keeper)
        assert action.details["changes"] == {"policy": ["normal", "special"], "category": ["tea", "green tea"]}

    @pytest.mark.parametrize(
        "facts",
        [{"policy": "bonus"}, {"policy": "zero", "bonus_points": "5"}, {"policy": "bonus", "bonus_points": "1000001"}],
    )
    def test_points_a_piece_belong_to_bonus_products_only(
        self, facts: dict[str, str], keeper: User, client: Client, tea: Product
    ) -> None:
        page = self.save(client, tea, **facts)
        assert "bonus_points" in page.context["adminform"].form.errors
        assert said() == {"T-1": ("normal", 0, "tea")}

    def test_the_database_says_so_too(self, tea: Product) -> None:
        for wrong in ({"policy": "bonus"}, {"bonus_points": 5}, {"policy": "other"}):
            with pytest.raises(IntegrityError), transaction.atomic():
                Product.objects.filter(pk=tea.pk).update(**wrong)

    def test_looking_is_not_changing(self, client: Client, grant: Grant, tea: Product) -> None:
        client.force_login(grant("crm.view_product"))
        assert self.save(client, tea, policy="zero").status_code == 403
        assert said() == {"T-1": ("normal", 0, "tea")}


class TestManyProducts:
    def act(self, client: Client, action: str, *products: Product, query: str = "", **data: str) -> Any:
        chosen = {"action": action, "_selected_action": [product.pk for product in products]}
        response: Any = client.post(reverse(LIST) + query, {**chosen, **data}, follow=True)
        return response

    def test_a_page_asks_first(self, keeper: User, client: Client, tea: Product, cup: Product) -> None:
        page = self.act(client, "change_policy", tea, cup)
        assert page.status_code == 200
        assert page.context["number"] == 2
        assert "Spring tea" in page.content.decode()
        assert said()["T-1"] == ("normal", 0, "tea")

    def test_all_selected_get_the_policy(self, keeper: User, client: Client, tea: Product, cup: Product) -> None:
        other = ProductFactory(channel=tea.channel, code="X")
        self.act(client, "change_policy", tea, cup, apply="1", policy="zero", reason="Clearance sale")
        assert said() == {"T-1": ("zero", 0, "tea"), "=C-1": ("zero", 0, ""), other.code: ("normal", 0, "")}
        action = StaffAction.objects.get()
        assert (action.action, action.reason) == ("products.policy", "Clearance sale")
        assert action.details == {"products": 2, "policy": "zero", "bonus_points": 0}

    def test_bonus_products_need_their_points(self, keeper: User, client: Client, tea: Product) -> None:
        page = self.act(client, "change_policy", tea, apply="1", policy="bonus", reason="Festival")
        assert "bonus_points" in page.context["form"].errors
        self.act(client, "change_policy", tea, apply="1", policy="bonus", bonus_points="8", reason="Festival")
        assert said() == {"T-1": ("bonus", 8, "tea")}

    def test_nothing_happens_without_a_reason(self, keeper: User, client: Client, tea: Product) -> None:
        page = self.act(client, "change_category", tea, apply="1", category="cups", reason="")
        assert "reason" in page.context["form"].errors
        assert said() == {"T-1": ("normal", 0, "tea")}
        assert not StaffAction.objects.exists()

    def test_everything_that_matches_the_filter_gets_the_category(
        self, keeper: User, client: Client, tea: Product, cup: Product
    ) -> None:
        ProductFactory.create_batch(120, channel=tea.channel, category="tea")
        data = {"apply": "1", "select_across": "1", "category": "green tea", "reason": "Sorted"}
        self.act(client, "change_category", tea, query="?category=tea", **data)
        assert Product.objects.filter(category="green tea").count() == 121
        assert said()["=C-1"] == ("bonus", 5, "")

    def test_it_takes_the_same_queries_however_many_are_selected(
        self, keeper: User, client: Client, shop: Channel
    ) -> None:
        counts = []
        for number in (2, 40):
            products = ProductFactory.create_batch(number, channel=shop)
            data = {"apply": "1", "policy": "zero", "reason": "Clearance sale"}
            with CaptureQueriesContext(connection) as queries:
                client.post(
                    reverse(LIST),
                    {"action": "change_policy", "_selected_action": [product.pk for product in products], **data},
                )
            counts.append(len(queries))
        assert counts[0] == counts[1]

    def test_the_actions_need_the_permission_to_change(self, client: Client, grant: Grant, tea: Product) -> None:
        client.force_login(grant("crm.view_product"))
        self.act(client, "change_policy", tea, apply="1", policy="zero", reason="Clearance sale")
        assert said() == {"T-1": ("normal", 0, "tea")}


def test_the_list_filters_by_policy_and_category(keeper: User, client: Client, tea: Product, cup: Product) -> None:
    def shown(**query: str) -> list[Product]:
        return list(client.get(reverse(LIST), query).context["cl"].result_list)

    assert shown(policy__exact="bonus") == [cup]
    assert shown(category="tea") == [tea]


def test_the_list_takes_the_same_queries_however_many_products_there_are(
    keeper: User, client: Client, shop: Channel
) -> None:
    ProductFactory.create_batch(3, channel=shop)
    client.get(reverse(LIST))
    with CaptureQueriesContext(connection) as few:
        client.get(reverse(LIST))
    ProductFactory.create_batch(30, channel=shop)
    with CaptureQueriesContext(connection) as many:
        client.get(reverse(LIST))
    assert len(few) == len(many)


# --- the spreadsheet ----------------------------------------------------------------------------------------------


def exported(kind: str) -> Dataset:
    """Export everything through a real file of this kind, and read that file again."""
    fmt: Any = {"csv": CSV, "xlsx": XLSX}[kind]()
    data = ProductResource().export(Product.objects.order_by("pk"), force_native_type=kind == "xlsx")
    dataset: Dataset = fmt.create_dataset(fmt.export_data(data))
    return dataset


def imported(dataset: Dataset) -> Any:
    return ProductResource().import_data(dataset, dry_run=False, raise_errors=False, use_transactions=True)


def table(*rows: dict[str, Any]) -> Dataset:
    dataset = Dataset(headers=list(rows[0]))
    for row in rows:
        dataset.append(list(row.values()))
    return dataset


class TestFiles:
    @pytest.mark.parametrize("kind", ["csv", "xlsx"])
    def test_what_goes_out_comes_back_as_no_change(self, kind: str, tea: Product, cup: Product) -> None:
        before = said()
        result = imported(exported(kind))
        assert not result.has_errors() and not result.has_validation_errors()
        assert result.totals["skip"] == 2
        assert said() == before

    def test_a_chinese_export_is_understood_in_english(self, tea: Product, cup: Product) -> None:
        with translation.override("zh-hans"):
            chinese = exported("csv")
        with translation.override("en"):
            assert imported(chinese).totals["skip"] == 2

    def test_changed_cells_change_the_product_but_never_its_title(self, tea: Product) -> None:
        row = {"channel": "tea", "code": "T-1", "title": "Autumn tea", "policy": "Bonus", "bonus_points": 3}
        row |= {"policy": "bonus", "category": "green tea"}
        assert imported(table(row)).totals["update"] == 1
        tea.refresh_from_db()
        assert (tea.title, tea.policy, tea.bonus_points, tea.category) == ("Spring tea", "bonus", 3, "green tea")

    def test_columns_that_are_missing_are_left_alone(self, cup: Product) -> None:
        imported(table({"channel": "tea", "code": "'=C-1", "category": "ware"}))
        assert said() == {"=C-1": ("bonus", 5, "ware")}

    def test_a_product_that_is_no_longer_a_bonus_product_loses_its_points(self, cup: Product) -> None:
        imported(table({"channel": "tea", "code": "'=C-1", "policy": "zero"}))
        assert said() == {"=C-1": ("zero", 0, "")}

    def test_a_product_no_order_has_brought_yet_is_made(self, shop: Channel) -> None:
        row = {"channel": "tea", "code": "N-1", "title": "Next season", "policy": "special", "category": ""}
        assert imported(table(row)).totals["new"] == 1
        assert Product.objects.get(channel=shop, code="N-1").title == "Next season"
        assert imported(table(row)).totals["skip"] == 1

    def test_the_same_code_in_another_channel_is_another_product(self, tea: Product) -> None:
        ProductFactory(channel=ChannelFactory(code="wine"), code="T-1")
        imported(table({"channel": "wine", "code": "T-1", "policy": "zero"}))
        tea.refresh_from_db()
        assert tea.policy == "normal"

    @pytest.mark.parametrize(
        ("row", "column"),
        [
            ({"channel": "coffee", "code": "T-1", "policy": "zero"}, "channel"),
            ({"channel": "tea", "code": "", "policy": "zero"}, "code"),
            ({"channel": "tea", "code": "N-1", "policy": "zero"}, "title"),
            ({"channel": "tea", "code": "T-1", "policy": "half"}, "policy"),
            ({"channel": "tea", "code": "T-1", "policy": "bonus"}, "bonus_points"),
            ({"channel": "tea", "code": "T-1", "policy": "zero", "bonus_points": "5"}, "bonus_points"),
            ({"channel": "tea", "code": "T-1", "policy": "bonus", "bonus_points": "many"}, "bonus_points"),
            ({"channel": "tea", "code": "T-1", "category": "x" * 121}, "category"),
        ],
    )
    def test_a_row_is_refused_with_its_line_and_column(self, row: dict[str, str], column: str, tea: Product) -> None:
        refused = imported(table(row)).invalid_rows
        assert [row.number for row in refused] == [2]
        assert column in refused[0].field_specific_errors
        assert said() == {"T-1": ("normal", 0, "tea")}

    def test_a_product_stands_in_one_row_only(self, tea: Product) -> None:
        row = {"channel": "tea", "code": "T-1", "policy": "zero"}
        assert [row.number for row in imported(table(row, row)).invalid_rows] == [3]

    def test_a_file_without_the_columns_that_name_products_is_refused(self, tea: Product) -> None:
        assert imported(table({"code": "T-1", "policy": "zero"})).has_errors()

    def test_a_large_file_takes_few_queries(self, shop: Channel) -> None:
        ProductFactory.create_batch(60, channel=shop)
        rows = [{"channel": "tea", "code": code, "policy": "special"} for code in said()]
        with CaptureQueriesContext(connection) as queries:
            assert imported(table(*rows)).totals["update"] == 60
        # Channels, products, one update; the savepoints of the rows are not counted.
        assert len([query for query in queries if "crm_" in query["sql"]]) == 3


class TestFilePages:
    def upload(self, client: Client, content: bytes) -> Any:
        data = {"resource": "0", "format": "0", "reason": "Spring sale"}
        data["import_file"] = SimpleUploadedFile("products.csv", content)  # type: ignore[assignment]
        response: Any = client.post(reverse("admin:crm_product_import"), data)
        return response

    def test_an_import_is_shown_first_then_confirmed_and_logged(
        self, keeper: User, client: Client, tea: Product
    ) -> None:
        preview = self.upload(client, b"channel,code,policy\ntea,T-1,special\n")
        assert said() == {"T-1": ("normal", 0, "tea")}
        client.post(reverse("admin:crm_product_process_import"), preview.context["confirm_form"].initial)
        assert said() == {"T-1": ("special", 0, "tea")}
        action = StaffAction.objects.get()
        assert (action.action, action.actor, action.reason) == ("products.import", keeper, "Spring sale")
        assert action.details["updated"] == 1

    def test_an_export_is_logged_with_its_reason(self, keeper: User, client: Client, tea: Product) -> None:
        data = {"resource": "0", "format": "0", "reason": "Price list"}
        response = client.post(reverse("admin:crm_product_export"), data)
        assert "Spring tea" in response.content.decode("utf-8-sig")
        action = StaffAction.objects.get()
        assert (action.action, action.details) == ("products.export", {"products": 1, "format": "csv"})

    def test_each_needs_its_permission(self, client: Client, grant: Grant) -> None:
        client.force_login(grant("crm.view_product"))
        assert client.get(reverse("admin:crm_product_export")).status_code == 403
        assert client.get(reverse("admin:crm_product_import")).status_code == 403
        assert client.post(reverse("admin:crm_product_process_import")).status_code == 403
