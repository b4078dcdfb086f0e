"""Where the pictures of rewards lie, and in which sizes. A picture goes by a name that is made from its content."""

from pathlib import Path

from django.conf import settings

WIDTHS = (320, 640, 1280)  # Pixels, of the longer side.


def picture_file(name: str, width: int) -> Path:
    """Return where a picture is kept in one of its sizes, as WebP."""
    return Path(settings.MEDIA_ROOT) / "rewards" / f"{name}-{width}.webp"
