"""An embed as a page of its own, which the seller's page shows in a frame."""

import base64
import hashlib
from datetime import datetime
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation

from redemption.embeds.colours import palette
from redemption.embeds.figures import figures
from redemption.embeds.origins import ancestors
from redemption.models import Embed


def content(embed: Embed, member_id: int | None, at: datetime, **more: Any) -> str:
    """Return the HTML of what the embed shows now, in the language that is active."""
    language = translation.get_language() or ""
    context = {
        "embed": embed,
        "title": embed.text("title", language),
        "invitation": embed.text("invitation", language),
        **figures(embed, member_id, at),
        **more,
    }
    return render_to_string(f"embed/parts/{embed.template}.html", context)


def inside(embed: Embed, template: str, **context: Any) -> str:
    """Return what takes the place of the content for a moment: a question, or a coupon that was taken."""
    answer = render_to_string(template, {"key": embed.public_key, **context})
    return render_to_string("embed/inside.html", {"embed": embed, "answer": answer})


def frame(embed: Embed, shown: str, *, base: str, preview: bool = False) -> tuple[str, str]:
    """Return the frame's page around a content, and the hash by which its policy lets its colours pass."""
    colours = colours_of(embed)
    context = {
        "shop_name": settings.SHOP_NAME, "embed": embed, "content": shown, "colours": colours, "base": base,
        "preview": preview,
        "origins": " ".join(embed.origins.split()), "language": translation.get_language(),
    }  # fmt: skip
    digest = base64.b64encode(hashlib.sha256(colours.encode()).digest()).decode()
    return render_to_string("embed/frame.html", context), f"'sha256-{digest}'"


def colours_of(embed: Embed) -> str:
    """Return the style rule of the seller's colour; the rest of the looks is in static/embed/embed.css."""
    chosen = palette(embed.colour)
    return (
        f":root{{--accent:{chosen.accent};--on-accent:{chosen.on_accent};"
        f"--text-light:{chosen.text_light};--text-dark:{chosen.text_dark}}}"
    )


def policy(style_hash: str, origins: list[str]) -> str:
    """Return the content security policy of a frame: nothing but our own files, and only these sites around it."""
    directives = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": f"'self' {style_hash}",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": " ".join(ancestors(origins)),
    }
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


def spoken(embed: Embed, browser: str) -> str:
    """Return the language that the embed speaks to a visitor whose browser wants ``browser``."""
    return browser if embed.language == "auto" else embed.language
