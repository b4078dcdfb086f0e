"""A picture of a reward is read whole, turned upright, stripped of all but its pixels, and kept in three sizes."""

import hashlib
import io
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageOps

from crm.api import log_action
from redemption.models import RewardPicture
from redemption.rewards.moving import MoveRefused
from redemption.rewards.pictures import WIDTHS, picture_file

MOST_BYTES = 8 * 1024**2
MOST_PIXELS = 50_000_000
MOST_PICTURES = 12
_FORMATS = ("JPEG", "PNG", "WEBP")
_QUALITY = 82


class NotAPicture(MoveRefused):
    code = "not_a_picture"
    text = _("This is no JPEG, PNG or WebP picture, or it is damaged.")


class PictureTooLarge(MoveRefused):
    code = "picture_too_large"
    text = _("The picture has more than 8 MB or 50 megapixels. Make it smaller.")


class TooManyPictures(MoveRefused):
    code = "too_many_pictures"
    text = _("A reward has at most twelve pictures. Delete one first.")


def keep_picture(reward_id: int, path: Path, *, alt: str, actor_id: int, at: datetime) -> RewardPicture:
    """Clean an uploaded file and put it behind the reward's other pictures; the same picture again stays one. Raises
    NotAPicture, PictureTooLarge, TooManyPictures."""
    if path.stat().st_size > MOST_BYTES:
        raise PictureTooLarge
    sizes, width, height = _cleaned(path)
    name = hashlib.sha256(sizes[max(WIDTHS)]).hexdigest()
    pictures = RewardPicture.objects.filter(reward=reward_id)
    known = pictures.filter(name=name).first()
    if known is not None:
        return known
    if pictures.count() >= MOST_PICTURES:
        raise TooManyPictures
    # The files first: a row without them would be a hole in the page, files without a row are only some bytes.
    for wide, content in sizes.items():
        place = picture_file(name, wide)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    with transaction.atomic():
        last = pictures.aggregate(last=Max("position"))["last"]
        picture = RewardPicture.objects.create(
            reward_id=reward_id, name=name, width=width, height=height, alt=alt,
            position=0 if last is None else last + 1,
        )  # fmt: skip
        log_action("rewards.pictures", actor_id=actor_id, at=at, reward=reward_id, added=name[:12])
    return picture


def _cleaned(path: Path) -> tuple[dict[int, bytes], int, int]:
    """Return the picture as WebP by the longest side, and the size of the largest one."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise PictureTooLarge
            upright = ImageOps.exif_transpose(image)
            pixels = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise NotAPicture from error
    sizes: dict[int, bytes] = {}
    largest: Any = pixels
    for wide in sorted(WIDTHS, reverse=True):
        shrunk = pixels.copy()
        shrunk.thumbnail((wide, wide), Image.Resampling.LANCZOS)
        largest = shrunk if wide == max(WIDTHS) else largest
        content = io.BytesIO()
        shrunk.save(content, "WEBP", quality=_QUALITY, exif=b"", icc_profile=b"", xmp=b"")
        sizes[wide] = content.getvalue()
    return sizes, largest.width, largest.height


def arrange_pictures(reward_id: int, said: list[tuple[int, int, str, bool]], *, actor_id: int, at: datetime) -> None:
    """Give pictures, as (id, place, description, whether it goes), their order and words, and delete some. Files stay:
    copies of the reward may show them."""
    with transaction.atomic():
        pictures = RewardPicture.objects.filter(reward=reward_id)
        for pk, position, alt, gone in said:
            if gone:
                pictures.filter(pk=pk).delete()
            else:
                pictures.filter(pk=pk).update(position=position, alt=alt)
        log_action("rewards.pictures", actor_id=actor_id, at=at, reward=reward_id)
