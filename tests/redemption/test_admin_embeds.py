"""Embeds in the admin: chosen from a gallery, set up beside a preview, copied, revoked."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from crm.models import Channel, Member, StaffAction
from redemption.embeds.choices import EmbedTemplate
from redemption.models import CouponPlan, Embed
from tests.cast import GivePoints
from tests.factories import RewardFactory
from tests.redemption.embeds.conftest import SITE
from tests.staff import Grant

ADD = "/admin/redemption/embed/add/"
PREVIEW = "/admin/redemption/embed/preview/"
LOOK_AS = "/admin/redemption/embed/look-as/"


@pytest.fixture
def seller(client: Client, grant: Grant, clock: None) -> Client:
    powers = ("view", "add", "change", "preview", "revoke")
    client.force_login(grant(*(f"redemption.{power}_embed" for power in powers)))
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def form(shop: Channel, **changes: Any) -> dict[str, Any]:
    plain = {
        "name": "Front page", "channel": shop.pk, "origins": SITE, "size": "medium", "theme": "light",
        "language": "auto", "colour": "#0f766e",
    }  # fmt: skip
    return plain | changes


def made(seller: Client, shop: Channel, template: str = "card", **changes: Any) -> Embed:
    seller.post(f"{ADD}?template={template}", form(shop, **changes))
    return Embed.objects.get()


def test_the_gallery_shows_every_template_live(seller: Client, shop: Channel) -> None:
    page = seller.get(ADD).content.decode()

    for template in EmbedTemplate:
        assert f"{PREVIEW}?template={template}" in page
        preview = seller.get(PREVIEW, {"template": template})
        assert preview["X-Frame-Options"] == "SAMEORIGIN"
        assert "frame-ancestors 'self'" in preview["Content-Security-Policy"]
        assert "<script" not in preview.content.decode()


def test_an_embed_is_made_logged_and_its_snippets_shown(seller: Client, shop: Channel) -> None:
    embed = made(seller, shop)

    page = seller.get(f"/admin/redemption/embed/{embed.pk}/change/").content.decode()
    assert f"&quot;http://testserver/embed/{embed.public_key}/&quot;" in page
    assert "height=&quot;204&quot;" in page
    assert "data-pointkeeper-token=&quot;TOKEN_FROM_YOUR_SERVER&quot;" in page
    assert StaffAction.objects.get().action == "embed.make"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"origins": "www.tea.cn"}, "origins"), ({"origins": ""}, "origins"), ({"colour": "red"}, "colour"),
        ({"size": "huge"}, "size"), ({"name": ""}, "name"), ({"channel": ""}, "channel"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_at_its_field(
    changes: dict[str, str], field: str, seller: Client, shop: Channel
) -> None:
    page = seller.post(f"{ADD}?template=card", form(shop, **changes))

    assert field in page.context["form"].errors
    assert not Embed.objects.exists()


def test_a_badge_without_a_reward_yet_shows_one_of_the_store(seller: Client, shop: Channel) -> None:
    assert "Not offered for points right now" in seller.get(PREVIEW, {"template": "badge"}).content.decode()
    RewardFactory(points=4321)

    assert "4,321 points" in seller.get(PREVIEW, {"template": "badge"}).content.decode()
    assert "4,321 points" in seller.post(PREVIEW, form(shop, template="badge")).content.decode()


def test_a_badge_needs_its_reward(seller: Client, shop: Channel) -> None:
    page = seller.post(f"{ADD}?template=badge", form(shop))

    assert page.context["form"].errors["reward"] == ["Choose the reward that the badge is for."]


def test_the_preview_follows_the_form_before_anything_is_saved(seller: Client, shop: Channel) -> None:
    page = seller.post(PREVIEW, form(shop, template="card", title_en="Tea club", colour="#123456", name="")).content

    assert "Tea club" in page.decode()
    assert "--accent:#123456" in page.decode()
    assert not Embed.objects.exists()


class TestLookingAsAMember:
    @pytest.fixture
    def rich(self, xiaolu: Member, plan: CouponPlan, give_points: GivePoints) -> Member:
        give_points(xiaolu, 1230)
        return xiaolu

    def look(self, seller: Client, member: str = "小鹿爱喝茶") -> str:
        answer = seller.post(LOOK_AS, {"template": "coupons", "back": "", "member": member})
        return str(answer["Location"])

    def test_he_sees_the_members_points_and_it_is_logged(self, seller: Client, rich: Member) -> None:
        signed = self.look(seller).split("as=")[1]

        page = seller.get(PREVIEW, {"template": "coupons", "as": signed}).content.decode()

        assert "1,230" in page
        assert StaffAction.objects.get(action="embed.preview").member == rich

    def test_nothing_can_be_spent_there(self, seller: Client, rich: Member) -> None:
        signed = self.look(seller).split("as=")[1]

        page = seller.get(PREVIEW, {"template": "coupons", "as": signed}).content.decode()

        assert page.count("<button") == page.count("disabled") > 0
        assert 'name="token"' not in page
        assert "<script" not in page
        assert "session" not in page

    def test_a_number_finds_him_too_and_a_wrong_name_nobody(self, seller: Client, rich: Member) -> None:
        assert "as=" in self.look(seller, f"#{rich.pk}")
        for nobody in ("nobody", "#0", "#99999999999999999999", "#x", ""):
            assert "as=" not in self.look(seller, nobody)
        assert StaffAction.objects.count() == 1

    def test_a_pass_is_for_one_person_and_an_hour(
        self, seller: Client, rich: Member, grant: Grant, at: datetime
    ) -> None:
        signed = self.look(seller).split("as=")[1]
        other = Client()
        other.force_login(grant("redemption.view_embed", "redemption.preview_embed"))

        assert "1,230" not in other.get(PREVIEW, {"template": "coupons", "as": signed}).content.decode()
        with time_machine.travel(at + timedelta(hours=1), tick=False):
            assert "1,230" not in seller.get(PREVIEW, {"template": "coupons", "as": signed}).content.decode()

    def test_without_the_permission_there_is_no_looking(self, seller: Client, rich: Member, grant: Grant) -> None:
        signed = self.look(seller).split("as=")[1]
        other = Client()
        other.force_login(grant("redemption.view_embed", "redemption.change_embed"))

        assert other.post(LOOK_AS, {"template": "card", "member": "小鹿爱喝茶"}).status_code == 403
        assert other.get(PREVIEW, {"template": "card", "as": signed}).status_code == 403


def test_revoking_asks_why_and_is_logged(seller: Client, shop: Channel) -> None:
    embed = made(seller, shop)
    address = f"/admin/redemption/embed/{embed.pk}/revoke/"
    assert f'href="{address}"' in seller.get(f"/admin/redemption/embed/{embed.pk}/change/").content.decode()

    assert seller.post(address, {"reason": ""}).context["form"].errors
    seller.post(address, {"reason": "The site is gone"})

    embed.refresh_from_db()
    assert embed.revoked_at is not None
    assert StaffAction.objects.get(action="embed.revoke").reason == "The site is gone"
    assert seller.post(f"/admin/redemption/embed/{embed.pk}/change/", form(shop)).status_code == 403


def test_who_may_only_look_changes_nothing(client: Client, grant: Grant, seller: Client, shop: Channel) -> None:
    embed = made(seller, shop)
    client.force_login(grant("redemption.view_embed"))
    page = f"/admin/redemption/embed/{embed.pk}/change/"

    looked = client.get(page)
    assert looked.status_code == 200
    assert "/revoke/" not in looked.content.decode()
    assert client.post(page, form(shop, name="Other")).status_code == 403
    assert client.get(ADD).status_code == 403
    assert client.post(f"/admin/redemption/embed/{embed.pk}/revoke/", {"reason": "x"}).status_code == 403
    embed.refresh_from_db()
    assert (embed.name, embed.revoked_at) == ("Front page", None)


def test_who_may_nothing_sees_no_preview(client: Client, grant: Grant) -> None:
    client.force_login(grant("redemption.view_coupon"))

    assert client.get(PREVIEW, {"template": "card"}).status_code == 403
