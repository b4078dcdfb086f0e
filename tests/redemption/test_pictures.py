"""The pictures of rewards as a browser asks for them."""

from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from redemption.rewards.pictures import picture_file
from redemption.templatetags.pictures import picture_src, picture_srcset

CUP = "c0ffee" + "0" * 58


@pytest.fixture
def kept(settings: Settings, tmp_path: Path) -> str:
    """A picture in its middle size, and beside it a file that is nobody's business."""
    settings.MEDIA_ROOT = tmp_path
    path = picture_file(CUP, 640)
    path.parent.mkdir()
    path.write_bytes(b"RIFF....WEBP")
    (tmp_path / "orders.csv").write_text("secret")
    return CUP


def test_a_browser_may_keep_it_for_ever_and_do_nothing_but_show_it(kept: str, client: Client) -> None:
    response = client.get(picture_src(kept))

    assert b"".join(response.streaming_content) == b"RIFF....WEBP"  # type: ignore[attr-defined]
    assert response["Content-Type"] == "image/webp"
    assert "immutable" in response["Cache-Control"]
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", [f"{CUP}-1280.webp", f"{CUP}-100.webp", f"{'0' * 64}-640.webp", "../orders.csv"])
def test_nothing_else_is_served_from_there(path: str, kept: str, client: Client, db: None) -> None:
    assert client.get(f"/rewards/pictures/{path}").status_code == 404


def test_a_browser_chooses_from_three_sizes() -> None:
    assert [part.split()[1] for part in picture_srcset(CUP).split(", ")] == ["320w", "640w", "1280w"]
