"""Which dress the buyer's pages wear today: the shop's everyday colours, or those of a festival."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

from django.core.cache import cache
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from loyalty import api as loyalty
from redemption.choices import Festive, Theme
from redemption.models import Look

# SQL text: what the shop has chosen, as ``dress_of`` reads it; NULL where it has chosen nothing.
LOOK_CHOICE = "(SELECT concat_ws('/', l.theme, l.festive) FROM redemption_look AS l)"

_CACHED = "redemption.look"
_KEPT = 300  # Seconds; a change in the admin is seen at once all the same.

# The first window that holds a day decides. Days are the programme's.
CALENDAR: tuple[tuple[Theme, loyalty.Window], ...] = (
    # From the eighth day before the new year, when the kitchen god leaves, to the end of the Lantern Festival.
    (Theme.SPRING, loyalty.LunarWindow(1, 1, first=-8, last=14)),
    (Theme.SHOPPING, loyalty.YearlyWindow((6, 16), (6, 18))),
    (Theme.DRAGON_BOAT, loyalty.LunarWindow(5, 5, first=-3, last=0)),
    (Theme.SHOPPING, loyalty.YearlyWindow((6, 1), (6, 20))),
    (Theme.MID_AUTUMN, loyalty.LunarWindow(8, 15, first=-7, last=1)),
    (Theme.SHOPPING, loyalty.YearlyWindow((11, 1), (11, 11))),
    (Theme.SHOPPING, loyalty.YearlyWindow((12, 10), (12, 12))),
)
GREETINGS: dict[Theme, Promise] = {
    Theme.SPRING: _("Happy New Year"),
    Theme.DRAGON_BOAT: _("Good health at Dragon Boat"),
    Theme.MID_AUTUMN: _("A full moon to you"),
    Theme.SHOPPING: _("Shopping days"),
}


@dataclass(frozen=True, slots=True)
class Dress:
    """A theme as templates use it. ``stylesheet`` is empty for the colours that every page begins with."""

    theme: Theme
    festive: bool

    @property
    def stylesheet(self) -> str:
        """Where its style sheet lies below ``static``."""
        return "" if self.theme is Theme.LACQUER else f"buyer/themes/{self.theme.value}.css"

    @property
    def greeting(self) -> Promise | str:
        """A few words for the membership card; none on common days."""
        return GREETINGS[self.theme] if self.festive else ""


def dress_on(day: date, everyday: Theme, festive: Festive) -> Dress:
    """Decide what is worn on a day."""
    if festive is Festive.NEVER:
        return Dress(everyday, festive=False)
    if festive is not Festive.BY_DATE:
        return Dress(Theme(festive.value), festive=True)
    for theme, window in CALENDAR:
        if loyalty.contains(window, day):
            return Dress(theme, festive=True)
    return Dress(everyday, festive=False)


def current_dress(at: datetime) -> Dress:
    """Return what is worn now. The choice is read from the cache, and from the database only after a change."""
    chosen: tuple[str, str] | None = cache.get(_CACHED)
    if chosen is None:
        row = Look.objects.first() or Look()
        chosen = (str(row.theme), str(row.festive))
        cache.set(_CACHED, chosen, _KEPT)
    everyday, festive = chosen
    return _dress(everyday, festive, at)


def dress_of(choice: str | None, at: datetime) -> Dress:
    """Return what is worn now, from the choice as ``LOOK_CHOICE`` found it."""
    if choice is None:
        unchosen = Look()
        return _dress(unchosen.theme, unchosen.festive, at)
    everyday, festive = choice.split("/")
    return _dress(everyday, festive, at)


class _DressedRequest(HttpRequest):
    """A request of which it is known what its page wears."""

    dress: Dress


def wear(request: HttpRequest, dress: Dress) -> None:
    """Let the page that answers a request wear this; who has read it with something else spares the look-up."""
    cast("_DressedRequest", request).dress = dress


def worn(request: HttpRequest, at: datetime) -> Dress:
    """Return what the page that answers a request wears."""
    dress: Dress | None = getattr(request, "dress", None)
    return dress or current_dress(at)


def _dress(everyday: str, festive: str, at: datetime) -> Dress:
    return dress_on(at.astimezone(loyalty.programme_zone()).date(), Theme(everyday), Festive(festive))


def forget_look() -> None:
    """Let the pages read the choice anew; called when a change has been committed."""
    cache.delete(_CACHED)
