"""Why a buyer does not get what he asked for: what the refusals of rewards and of coupons have in common."""

from datetime import datetime, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from crm.api import moment_in_words

_SOON = timedelta(days=300)


class Refused(Exception):
    """There is nothing for the buyer. ``code`` is stable; ``message()`` tells him why and what to do."""

    code = ""
    text: str | Promise = ""

    def message(self) -> str:
        return str(self.text)


class BeginsLater(Refused):
    """The offer begins at ``begins_at``; ``text`` says so with %(when)s."""

    code = "not_yet"

    def __init__(self, begins_at: datetime) -> None:
        super().__init__(begins_at)
        self.begins_at = begins_at

    def message(self) -> str:
        return str(self.text) % {"when": in_words(self.begins_at)}


class EndedBefore(Refused):
    """The offer ended at ``ended_at``."""

    code = "no_longer"
    text = gettext_lazy("This offer ended on %(when)s. Your points are untouched.")

    def __init__(self, ended_at: datetime) -> None:
        super().__init__(ended_at)
        self.ended_at = ended_at

    def message(self) -> str:
        return str(self.text) % {"when": in_words(self.ended_at)}


class NeedsTier(Refused):
    """It is for members of ``tier``, a name, and the tiers above it; ``text`` says so with %(tier)s."""

    code = "tier_too_low"

    def __init__(self, tier: str) -> None:
        super().__init__(tier)
        self.tier = tier

    def message(self) -> str:
        return str(self.text) % {"tier": self.tier}


class NeedsPoints(Refused):
    """``missing`` points are lacking, at least one."""

    def __init__(self, missing: int) -> None:
        super().__init__(missing)
        self.missing = missing


def in_words(at: datetime | None) -> str:
    """Return a moment as a buyer reads it, "March 11, 2026, 12:00" or "2026年3月11日 12:00"; "" for none."""
    return moment_in_words(at) if at is not None else ""


def soon_in_words(at: datetime, since: datetime) -> str:
    """Return a moment as a buyer reads it who is shown it from ``since`` on: "March 11, 12:00". Within ten months the
    season tells the year."""
    return moment_in_words(at, "MONTH_DAY_FORMAT" if at - since <= _SOON else "DATE_FORMAT")
