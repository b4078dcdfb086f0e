"""The camera at the desk: it reads a coupon's QR code where the browser can, and says what to do where it cannot.

Chromium on a desk has no detector of its own, so the browser gets one that sees what the test holds up to it.
"""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from crm.models import Member
from redemption.checkout import redeem_coupon
from redemption.models import Coupon
from redemption.tokens import new_token
from tests.browser.test_admin import browser_context_args, desk, folder, no_wider_than_the_screen
from tests.cast import GivePoints
from tests.factories import CouponPlanFactory

__all__ = ["browser_context_args", "desk", "folder"]

CHECK = "/admin/redemption/coupon/check/"
_CAMERA = """
window.BarcodeDetector = class {
  static async getSupportedFormats() { return ["qr_code", "ean_13"]; }
  async detect(video) {
    if (video.readyState < 2) throw new Error("no picture yet");
    return window.heldUp ? [{ rawValue: window.heldUp }] : [];
  }
};
navigator.mediaDevices.getUserMedia = async () => {
  const canvas = document.createElement("canvas");
  canvas.getContext("2d").fillRect(0, 0, 9, 9);
  window.film = canvas.captureStream(25);
  return window.film;
};
"""
_NO_CAMERA = """
navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", "NotAllowedError"); };
"""
_NO_DETECTOR = "delete window.BarcodeDetector;"


@pytest.fixture
def coupon(xiaolu: Member, give_points: GivePoints) -> Coupon:
    now = timezone.now()
    give_points(xiaolu, 100, expires_at=now + timedelta(days=90))
    plan = CouponPlanFactory(denominations=(5,))
    return redeem_coupon(xiaolu.pk, plan.pk, 5, token=new_token(xiaolu.pk, plan.pk, 5, 50, at=now), at=now)


def test_a_code_is_read_and_the_coupon_used(desk: Page, live_server: LiveServer, coupon: Coupon) -> None:
    desk.add_init_script(_CAMERA)
    desk.goto(f"{live_server.url}{CHECK}")
    desk.get_by_role("button", name="Scan the QR code").click()
    expect(desk.locator("video")).to_be_visible()
    assert no_wider_than_the_screen(desk)
    desk.evaluate("window.heldUp = 'https://shop.example/tea'")
    expect(desk.get_by_text("This QR code is none of a coupon.")).to_be_visible()
    desk.evaluate(f"window.heldUp = '{live_server.url}{CHECK}?code={coupon.code}'")
    expect(desk.get_by_text(coupon.spoken_code)).to_be_visible()
    assert Coupon.objects.get().state == "issued"
    desk.get_by_role("button", name="mark it used").click()
    expect(desk.get_by_text("The coupon is used: take ¥5 off.")).to_be_visible()
    assert Coupon.objects.get().state == "used"


def test_a_code_without_an_address_is_read_too(desk: Page, live_server: LiveServer, coupon: Coupon) -> None:
    desk.add_init_script(_CAMERA)
    desk.goto(f"{live_server.url}{CHECK}")
    desk.get_by_role("button", name="Scan the QR code").click()
    desk.evaluate(f"window.heldUp = '{coupon.spoken_code}'")
    expect(desk.locator(".pk-code")).to_have_text(coupon.spoken_code)


def test_the_camera_is_stopped_when_it_is_not_wanted(desk: Page, live_server: LiveServer, coupon: Coupon) -> None:
    desk.add_init_script(_CAMERA)
    desk.goto(f"{live_server.url}{CHECK}")
    desk.get_by_role("button", name="Scan the QR code").click()
    desk.get_by_role("button", name="Stop the camera").click()
    expect(desk.locator("video")).to_be_hidden()
    assert desk.evaluate("window.film.getTracks().every((track) => track.readyState === 'ended')")
    expect(desk.get_by_role("button", name="Scan the QR code")).to_be_visible()


def test_a_camera_that_is_refused_leads_back_to_typing(desk: Page, live_server: LiveServer, coupon: Coupon) -> None:
    desk.add_init_script(_CAMERA + _NO_CAMERA)
    desk.goto(f"{live_server.url}{CHECK}")
    desk.get_by_role("button", name="Scan the QR code").click()
    expect(desk.get_by_text("The camera cannot be used. Allow it in the browser, or type the code.")).to_be_visible()
    expect(desk.locator("#id_code")).to_be_focused()
    desk.locator("#id_code").fill(coupon.spoken_code)
    desk.get_by_role("button", name="Look up").click()
    expect(desk.locator(".pk-code")).to_have_text(coupon.spoken_code)


def test_a_browser_without_a_detector_says_to_type(desk: Page, live_server: LiveServer, coupon: Coupon) -> None:
    desk.add_init_script(_NO_DETECTOR)
    desk.goto(f"{live_server.url}{CHECK}")
    expect(desk.get_by_text("This browser cannot read QR codes.")).to_be_visible()
    expect(desk.get_by_role("button", name="Scan the QR code")).to_be_hidden()
    assert no_wider_than_the_screen(desk)
