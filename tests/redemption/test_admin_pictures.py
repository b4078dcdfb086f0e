"""Pictures of rewards: cleaned, kept in three sizes, ordered and described."""

import io
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image

from redemption.models import Reward, RewardPicture
from redemption.rewards.picture_keeping import NotAPicture, PictureTooLarge, keep_picture
from redemption.rewards.pictures import WIDTHS, picture_file
from tests.factories import RewardFactory, StaffFactory
from tests.staff import Grant

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def cup(db: None) -> Reward:
    return RewardFactory()


def photo(width: int = 2000, height: int = 1000, kind: str = "JPEG", **more: Any) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (width, height), "green").save(content, kind, **more)
    return content.getvalue()


def test_the_page_needs_the_permission(client: Client, grant: Grant, cup: Reward) -> None:
    page = reverse("admin:redemption_reward_pictures", args=[cup.pk])
    client.force_login(grant("redemption.view_reward"))
    assert client.get(page).status_code == 403
    client.force_login(grant("redemption.view_reward", "redemption.change_reward"))
    assert client.get(page).status_code == 200


def test_a_photo_is_turned_upright_stripped_and_kept_in_three_sizes(cup: Reward, at: datetime, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # Lies on its side.
    exif[0x010E] = "taken at home"
    path = tmp_path / "photo.jpg"
    path.write_bytes(photo(exif=exif))
    picture = keep_picture(cup.pk, path, alt="", actor_id=StaffFactory().pk, at=at)
    again = keep_picture(cup.pk, path, alt="", actor_id=StaffFactory().pk, at=at)
    assert picture == again
    assert (picture.width, picture.height) == (640, 1280)
    for width in WIDTHS:
        with Image.open(picture_file(picture.name, width)) as kept:
            assert (kept.format, max(kept.size), dict(kept.getexif())) == ("WEBP", width, {})


@pytest.mark.parametrize("content", [b"GIF89a", b"", b"<svg/>", b"\xff\xd8\xff\xe0 damaged"])
def test_what_is_no_picture_is_refused(content: bytes, cup: Reward, at: datetime, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(NotAPicture):
        keep_picture(cup.pk, path, alt="", actor_id=StaffFactory().pk, at=at)


def test_a_bomb_is_refused_before_it_is_unpacked(cup: Reward, at: datetime, tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(photo(9000, 6000, "PNG"))
    with pytest.raises(PictureTooLarge):
        keep_picture(cup.pk, path, alt="", actor_id=StaffFactory().pk, at=at)


def test_pictures_are_uploaded_ordered_and_deleted(client: Client, grant: Grant, cup: Reward) -> None:
    client.force_login(grant("redemption.view_reward", "redemption.change_reward"))
    page = reverse("admin:redemption_reward_pictures", args=[cup.pk])
    files = [SimpleUploadedFile(f"{n}.png", photo(100 + n, 50, "PNG")) for n in range(2)]
    client.post(page, {"pictures": files})
    first, second = RewardPicture.objects.order_by("position")
    served: Any = client.get(reverse("redemption:picture", args=[first.name, 320]))
    assert b"".join(served.streaming_content)[8:12] == b"WEBP"

    client.post(
        page,
        {"arrange": "1", f"p{first.pk}-position": "1", f"p{first.pk}-alt": "", f"p{first.pk}-gone": "on",
         f"p{second.pk}-position": "0", f"p{second.pk}-alt": "A cup"},
    )  # fmt: skip
    assert list(RewardPicture.objects.values_list("pk", "position", "alt")) == [(second.pk, 0, "A cup")]
