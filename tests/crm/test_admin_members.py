"""The member list and the page of a member."""

from datetime import datetime

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from crm.admin.member_search import find_members
from crm.adminkit import masked_email, masked_phone, member_columns
from crm.models import Channel, Identity, Member, StaffAction
from crm.stafflog import log_action
from tests.cast import GivePoints
from tests.factories import IdentityFactory, MemberFactory, OrderFactory
from tests.staff import Grant

pytestmark = pytest.mark.django_db

LIST = "admin:crm_member_changelist"
PERSONAL = "crm.view_personal_data"


def found(term: str) -> set[str]:
    return set(find_members(Member.objects.all(), term).values_list("name", flat=True))


class TestSearch:
    def test_by_a_part_of_the_name(self, xiaolu: Member, dayong: Member) -> None:
        assert found("小鹿") == {"林小鹿"}

    def test_by_a_part_of_the_platform_name_without_regard_to_case(self, xiaolu: Member, dayong: Member) -> None:
        assert found("DAYONG") == {"王大勇"}

    def test_by_the_whole_phone_of_a_platform(self, xiaolu: Member, dayong: Member) -> None:
        assert found("138 0000 0001") == {"林小鹿"}

    def test_by_the_whole_mail_address_whoever_knows_it(self, xiaolu: Member, dayong: Member) -> None:
        assert found("XiaoLu@example.com") == {"林小鹿"}
        assert found("dayong@example.com") == {"王大勇"}

    def test_a_part_of_a_phone_or_an_address_finds_nobody(self, xiaolu: Member, dayong: Member) -> None:
        assert found("1380000") == set()
        assert found("@example.com") == set()

    def test_what_has_a_meaning_in_patterns_is_taken_as_it_is(self, xiaolu: Member, shop: Channel) -> None:
        IdentityFactory(channel=shop, member=MemberFactory(name="Odd"), external_id="a.b(c")
        assert found("a.b(c") == {"Odd"}
        assert found("%") == found("_") == found("\\") == set()

    def test_nothing_typed_finds_everybody(self, xiaolu: Member, dayong: Member) -> None:
        assert found("  ") == {"林小鹿", "王大勇"}

    def test_a_search_can_use_the_indexes(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")  # With so few members scanning would be quicker.
            cursor.execute("SET LOCAL enable_indexscan = off")
        plan = find_members(Member.objects.all(), "小鹿爱喝茶").explain()
        assert "crm_member_name_trgm" in plan
        assert "crm_identity_trgm" in plan
        assert "Seq Scan" not in plan


class TestMasking:
    @pytest.mark.parametrize(("phone", "shown"), [("13800000001", "138****0001"), ("12345", "****"), ("", "")])
    def test_a_phone_can_be_recognised_but_not_dialled(self, phone: str, shown: str) -> None:
        assert masked_phone(phone) == shown

    @pytest.mark.parametrize(("email", "shown"), [("lin@example.com", "l***@example.com"), ("x", "****"), ("", "")])
    def test_an_address_can_be_recognised_but_not_written_to(self, email: str, shown: str) -> None:
        assert masked_email(email) == shown


class TestList:
    def test_phones_and_addresses_are_masked(self, client: Client, grant: Grant, xiaolu: Member) -> None:
        client.force_login(grant("crm.view_member"))
        shown = client.get(reverse(LIST)).content.decode()
        assert "138****0001" in shown
        assert "x***@example.com" in shown
        assert "13800000001" not in shown
        assert "xiaolu@example.com" not in shown

    def test_they_are_shown_in_full_with_the_permission(self, client: Client, grant: Grant, xiaolu: Member) -> None:
        client.force_login(grant("crm.view_member", PERSONAL))
        shown = client.get(reverse(LIST)).content.decode()
        assert "13800000001" in shown
        assert "xiaolu@example.com" in shown

    @pytest.mark.parametrize("field", ["email", "phone", "birthday"])
    def test_what_is_masked_cannot_be_guessed_by_filters(
        self, field: str, client: Client, grant: Grant, xiaolu: Member
    ) -> None:
        client.force_login(grant("crm.view_member"))
        assert client.get(reverse(LIST), {f"{field}__gte": "1"}).status_code == 400
        client.force_login(grant("crm.view_member", PERSONAL))
        assert client.get(reverse(LIST), {f"{field}__gte": "1"}).status_code in {200, 302}

    def test_it_shows_points_and_orders(
        self, client: Client, grant: Grant, shop: Channel, xiaolu: Member, give_points: GivePoints
    ) -> None:
        give_points(xiaolu, 321)
        OrderFactory.create_batch(3, channel=shop, member=xiaolu)
        client.force_login(grant("crm.view_member"))
        listed = client.get(reverse(LIST)).context["cl"].result_list[0]
        assert listed.page_figures["balance"] == 321
        assert listed.page_figures["orders"] == 3

    def test_the_number_of_queries_does_not_grow_with_the_members(
        self,
        client: Client,
        grant: Grant,
        shop: Channel,
        give_points: GivePoints,
    ) -> None:
        client.force_login(grant("crm.view_member", PERSONAL))
        for number in range(20):
            member = MemberFactory()
            IdentityFactory(channel=shop, member=member)
            OrderFactory(channel=shop, member=member)
            give_points(member, number + 1)
        client.get(reverse(LIST))
        # Session with its login, two for permissions, two for filters, two counts, members, identities, channels,
        # orders, tags, two for tiers, two figures of points.
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse(LIST))
        assert len(queries) == 16

    def test_the_upper_floors_have_handed_in_their_columns(self) -> None:
        assert [column.name for column in member_columns()] == ["balance", "pending"]


class TestPage:
    ALL = (
        "crm.view_member",
        "crm.view_order",
        "loyalty.view_account",
        "redemption.view_coupon",
        "crm.view_staffaction",
    )

    def page(self, client: Client, member: Member, query: str = "") -> str:
        return client.get(reverse("admin:crm_member_change", args=[member.pk]) + query).content.decode()

    def test_it_shows_all_that_is_known_of_a_buyer(
        self, client: Client, grant: Grant, at: datetime, xiaolu: Member, give_points: GivePoints
    ) -> None:
        order = OrderFactory(member=xiaolu)
        give_points(xiaolu, 500)
        log_action("points.adjust", actor_id=None, at=at, reason="Sorry for the delay", member_id=xiaolu.pk, points=500)
        client.force_login(grant(*self.ALL))
        shown = self.page(client, xiaolu)
        for text in ("小鹿爱喝茶", order.external_no, "500", "A gift", "Sorry for the delay"):
            assert text in shown

    def test_each_part_needs_its_own_permission(
        self, client: Client, grant: Grant, shop: Channel, xiaolu: Member
    ) -> None:
        OrderFactory(channel=shop, member=xiaolu)
        client.force_login(grant("crm.view_member"))
        panels = client.get(reverse("admin:crm_member_change", args=[xiaolu.pk])).context["panels"]
        assert [panel["name"] for panel in panels] == ["identities", "tier", "tags", "access", "data"]

    def test_personal_data_is_masked_without_the_permission(self, client: Client, grant: Grant, xiaolu: Member) -> None:
        client.force_login(grant(*self.ALL, "crm.change_member"))
        shown = self.page(client, xiaolu)
        assert "13800000001" not in shown
        assert "xiaolu@example.com" not in shown

    def test_the_statement_goes_on_where_a_page_ended(
        self, client: Client, grant: Grant, xiaolu: Member, give_points: GivePoints
    ) -> None:
        for points in range(1, 31):
            give_points(xiaolu, points)
        client.force_login(grant(*self.ALL))
        url = reverse("admin:crm_member_change", args=[xiaolu.pk])
        first = next(panel for panel in client.get(url).context["panels"] if panel["name"] == "points")["data"]
        assert [row["line"].points for row in first["rows"]] == list(range(30, 10, -1))
        response = client.get(url, {"before": first["older"]})
        second = next(panel for panel in response.context["panels"] if panel["name"] == "points")["data"]
        assert [row["line"].points for row in second["rows"]] == list(range(10, 0, -1))
        assert second["older"] is None

    def test_it_takes_the_same_queries_however_much_there_is(
        self,
        client: Client,
        grant: Grant,
        shop: Channel,
        xiaolu: Member,
        give_points: GivePoints,
    ) -> None:
        OrderFactory.create_batch(15, channel=shop, member=xiaolu)
        for points in range(1, 16):
            give_points(xiaolu, points)
        client.force_login(grant(*self.ALL))
        self.page(client, xiaolu)
        with CaptureQueriesContext(connection) as queries:
            self.page(client, xiaolu)
        assert len(queries) == 20

    def test_a_change_is_in_the_staff_log_without_the_values(
        self, client: Client, grant: Grant, xiaolu: Member
    ) -> None:
        user = grant("crm.view_member", "crm.change_member", PERSONAL)
        client.force_login(user)
        data = {"name": "林小鹿", "email": "Lin@Example.com", "phone": "+86 139 0000 0002", "birthday": "", "note": ""}
        client.post(reverse("admin:crm_member_change", args=[xiaolu.pk]), data)
        xiaolu.refresh_from_db()
        assert (xiaolu.email, xiaolu.phone) == ("lin@example.com", "13900000002")
        action = StaffAction.objects.get()
        assert (action.action, action.actor, action.member) == ("member.change", user, xiaolu)
        assert action.details == {"fields": ["email", "phone"]}

    def test_half_a_phone_number_is_refused(self, client: Client, grant: Grant, xiaolu: Member) -> None:
        client.force_login(grant("crm.view_member", "crm.change_member", PERSONAL))
        data = {"name": "", "email": "", "phone": "139 0000", "birthday": "", "note": ""}
        response = client.post(reverse("admin:crm_member_change", args=[xiaolu.pk]), data)
        assert response.context["adminform"].form.errors["phone"]

    def test_without_the_permission_for_personal_data_addresses_cannot_be_set(
        self, client: Client, grant: Grant, xiaolu: Member
    ) -> None:
        client.force_login(grant("crm.view_member", "crm.change_member"))
        data = {"name": "林小鹿", "email": "thief@example.com", "note": "Likes green tea"}
        client.post(reverse("admin:crm_member_change", args=[xiaolu.pk]), data)
        xiaolu.refresh_from_db()
        assert (xiaolu.email, xiaolu.note) == ("xiaolu@example.com", "Likes green tea")

    def test_a_member_is_never_deleted(self, client: Client, admin_client: Client, xiaolu: Member) -> None:
        assert admin_client.post(reverse("admin:crm_member_delete", args=[xiaolu.pk])).status_code == 403

    def test_a_member_that_does_not_exist_leads_home(self, admin_client: Client) -> None:
        assert admin_client.get(reverse("admin:crm_member_change", args=[999])).status_code == 302


def test_orders_are_found_by_number_and_by_buyer(admin_client: Client, shop: Channel, xiaolu: Member) -> None:
    mine = OrderFactory(channel=shop, member=xiaolu)
    other = OrderFactory(channel=shop)
    url = reverse("admin:crm_order_changelist")
    assert list(admin_client.get(url, {"q": "小鹿爱喝茶"}).context["cl"].result_list) == [mine]
    assert list(admin_client.get(url, {"q": other.external_no}).context["cl"].result_list) == [other]
    assert list(admin_client.get(url, {"q": "nobody"}).context["cl"].result_list) == []


def test_every_model_that_is_only_shown_refuses_even_the_owner(admin_client: Client, xiaolu: Member) -> None:
    for label in ("order", "refund", "product", "staffaction"):
        assert admin_client.get(reverse(f"admin:crm_{label}_add")).status_code == 403
    assert Identity not in admin.site._registry


def test_the_other_columns_of_orders_cannot_be_guessed_by_filters(
    client: Client, grant: Grant, shop: Channel, xiaolu: Member
) -> None:
    OrderFactory(channel=shop, member=xiaolu, raw={"收货地址": "文三路 1 号"})
    orders = reverse("admin:crm_order_changelist")
    client.force_login(grant("crm.view_order"))
    assert client.get(orders, {"raw__收货地址__startswith": "文"}).status_code == 400
    assert client.get(orders, {"member__id__exact": xiaolu.pk}).status_code == 200
    client.force_login(grant("crm.view_order", PERSONAL))
    assert client.get(orders, {"raw__收货地址__startswith": "文"}).status_code == 200


def test_the_staff_log_masks_addresses(client: Client, grant: Grant, xiaolu: Member, at: datetime) -> None:
    action = log_action("member.claim", actor_id=None, at=at, member_id=xiaolu.pk, email="xiaolu@example.com")
    page, entries = (
        reverse("admin:crm_staffaction_change", args=[action.pk]),
        reverse("admin:crm_staffaction_changelist"),
    )
    client.force_login(grant("crm.view_staffaction"))
    assert "xiaolu@example.com" not in (masked := client.get(page).content.decode())
    assert "x***@example.com" in masked
    assert client.get(entries, {"details__email__startswith": "x"}).status_code == 400
    client.force_login(grant("crm.view_staffaction", PERSONAL))
    assert "xiaolu@example.com" in client.get(page).content.decode()
