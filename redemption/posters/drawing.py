"""A poster drawn: words, figure, QR code, as SVG; and the same drawing as PNG."""

from dataclasses import dataclass
from enum import StrEnum

import resvg_py
import segno
from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from redemption.embeds.colours import palette
from redemption.embeds.goods import PublicReward
from redemption.offers import Offer
from redemption.posters.layout import PosterSize, set_lines, width_in_em
from redemption.refusals import in_words
from redemption.templatetags.shop import number, yuan

WIDTH = 1080
HEIGHTS = {PosterSize.PORTRAIT: 1440, PosterSize.SQUARE: 1080}
_WORDS = 920  # Pixels for a line of words.
_QR = 300


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the lines stand, and how high their letters are. ``largest`` is the figure's height at most; its comma
    hangs a sixth of that below the line."""

    head: int
    head_size: int
    figure: int
    largest: int
    unit: int
    unit_size: int
    about: int
    about_size: int


_PLACES = {
    PosterSize.PORTRAIT: _Places(345, 64, 640, 300, 750, 60, 840, 52),
    PosterSize.SQUARE: _Places(250, 56, 446, 190, 526, 46, 592, 42),
}


class PosterKind(StrEnum):
    """What a poster is for."""

    REWARD = "reward"
    COUPON = "coupon"
    SIGN_IN = "signin"


@dataclass(frozen=True, slots=True)
class Words:
    """What a poster says: a line above, the big figure with its unit, what it is about, and the small print."""

    head: str
    figure: str
    unit: str
    about: str
    small: str


def reward_words(reward: PublicReward) -> Words:
    """Return the words for points for goods."""
    cash = f" + {yuan(reward.cash)}" if reward.cash else ""
    price = _("Old price %(price)s") % {"price": yuan(reward.list_price)} if reward.list_price else ""
    limit = (
        ngettext("%(limit)s per person", "%(limit)s per person", reward.limit) % {"limit": number(reward.limit)}
        if reward.limit
        else ""
    )
    unit = ngettext("point", "points", reward.points) + cash
    return Words(_("Redeem for"), number(reward.points), unit, reward.name, " · ".join(filter(None, (price, limit))))


def coupon_words(offer: Offer) -> Words:
    """Return the words for points for a coupon."""
    until = (
        _("Offered until %(day)s") % {"day": date_format(localtime(offer.ends_at), "DATE_FORMAT")}
        if offer.ends_at
        else ngettext("Valid for %(days)s day", "Valid for %(days)s days", offer.validity_days)
        % {"days": number(offer.validity_days)}
    )
    if offer.special:
        until = _("%(name)s, until %(when)s") % {"name": offer.special.name, "when": in_words(offer.special.ends_at)}
    about = ngettext("For %(points)s point", "For %(points)s points", offer.points) % {"points": number(offer.points)}
    if offer.usual_points != offer.points:
        about = _("%(price)s, usually %(usual)s") % {"price": about, "usual": number(offer.usual_points)}
    return Words(offer.plan_name, yuan(offer.yuan), _("coupon"), about, until)


def sign_in_words(points: int) -> Words:
    """Return the words for the daily sign-in, which brings so many points."""
    return Words(
        _("Sign in every day"),
        f"+{number(points)}",
        ngettext("point", "points", points),
        _("Once a day, and points add up."),
        _("Points buy coupons and rewards."),
    )


def draw(words: Words, *, size: PosterSize, address: str, colour: str) -> str:
    """Return the poster as SVG. ``address`` is what the QR code leads to."""
    height, place = HEIGHTS[size], _PLACES[size]
    qr_y = height - _QR - 76
    context = {
        "width": WIDTH, "height": height, "colours": palette(colour), "words": words, "place": place,
        "region": "TC" if translation.get_language() == "zh-hant" else "SC",
        "shop_name": settings.SHOP_NAME, "initial": settings.SHOP_NAME[:1],
        "head": set_lines(words.head, most=_WORDS // 64, lines=1, top=place.head, size=place.head_size),
        "figure_size": _fitting_down(words.figure, place.largest),
        "about": set_lines(words.about, most=_WORDS // 52, lines=2, top=place.about, size=place.about_size),
        "small": set_lines(words.small, most=19, lines=2, top=height - 176, size=30),
        "call": set_lines(_("Scan to see your points"), most=15, lines=2, top=height - 281, size=38),
        "foot": qr_y - 30, "qr": _qr(address), "qr_x": WIDTH - _QR - 80, "qr_y": qr_y, "qr_size": _QR,
    }  # fmt: skip
    return render_to_string("poster/poster.svg", context)


def png(svg: str) -> bytes:
    """Return the same drawing as PNG, in the fonts of this machine and those of POSTER_FONTS."""
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, font_files=settings.POSTER_FONTS or None))


def _fitting_down(text: str, largest: int) -> int:
    """Return the height of letters, rounded down, at which a text is no wider than the words' room."""
    return min(largest, int(_WORDS / width_in_em(text)))


def _qr(address: str) -> str:
    """Return the dark modules as one path in a square of one unit a module, and the square's side."""
    code = segno.make(address, micro=False, error="m")
    rows = [
        f"M{x} {y}h1v1h-1z" for y, row in enumerate(code.matrix_iter(border=2)) for x, dark in enumerate(row) if dark
    ]
    side = code.symbol_size(border=2)[0]
    return f'<svg viewBox="0 0 {side} {side}" width="{_QR}" height="{_QR}"><path d="{"".join(rows)}"/></svg>'
