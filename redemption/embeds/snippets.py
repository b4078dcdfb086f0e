"""The lines that a seller pastes into his pages. Pure."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

from redemption.embeds.choices import EmbedTemplate

BADGE_WIDTH = 340
TOKEN = "TOKEN_FROM_YOUR_SERVER"  # noqa: S105


def snippet(template: str, *, key: str, home: str, height: int, title: str, signed_in: bool) -> SafeString:
    """Return the HTML of an embed. ``home`` is our origin; ``signed_in`` leaves room for the shop's token.

    The room is reserved by plain attributes, which no policy of the seller's page forbids, so nothing moves when the
    embed comes; and without scripts the frame is there all the same.
    """
    token = format_html(' data-pointkeeper-token="{}"', TOKEN) if signed_in else ""
    if template == EmbedTemplate.FLOAT:
        return format_html(
            '<script async src="{home}/embed.js" data-embed="{key}" data-height="{height}" data-title="{title}"{token}>'
            '</script>\n<noscript><a href="{home}/">{title}</a></noscript>',
            home=home, key=key, height=height, title=title, token=token,
        )  # fmt: skip
    width = BADGE_WIDTH if template == EmbedTemplate.BADGE else "100%"
    frame = format_html(
        '<iframe data-pointkeeper="{key}" src="{home}/embed/{key}/" title="{title}" width="{width}" height="{height}" '
        'frameborder="0" loading="lazy"></iframe>',
        home=home, key=key, height=height, title=title, width=width,
    )  # fmt: skip
    if template == EmbedTemplate.BADGE and not signed_in:
        return frame  # The same for everybody: it leads to the store, and needs no script for that.
    return format_html('{}\n<script async src="{}/embed.js"{}></script>', frame, home, token)
