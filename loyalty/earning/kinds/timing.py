"""Rules about when: paying early, confirming early, festivals."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from loyalty.earning.award import Miss
from loyalty.earning.calendar import Window, membership
from loyalty.earning.fields import Days, Whole
from loyalty.earning.kinds.base import PointsOrFactor, Stage
from loyalty.earning.settings import Text, setting
from loyalty.earning.situation import Situation, Test, unless

_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyPayment(PointsOrFactor):
    """Paid within so many minutes of placing the order."""

    code: ClassVar[str] = "early_payment"
    label: ClassVar[Text] = _("Early payment")
    about: ClassVar[Text] = _("For paying soon after placing the order.")
    needs: ClassVar[frozenset[str]] = frozenset({"times"})

    minutes: int = setting(Whole(_("Minutes"), _("From placing the order to paying."), minimum=1, maximum=60 * 24 * 30))

    def tests(self, rule: str) -> tuple[Test, ...]:
        limit = timedelta(minutes=self.minutes)
        unpaid = Miss(rule, "no_instant", {})

        def test(situation: Situation) -> Miss | None:
            placed, paid = situation.order.placed_at, situation.order.paid_at
            if placed is None or paid is None:
                return unpaid
            if paid - placed <= limit:
                return None
            return Miss(rule, "paid_late", {"minutes": self.minutes, "late": -((limit - (paid - placed)) // _MINUTE)})

        return (test,)


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyConfirmation(PointsOrFactor):
    """Receipt confirmed within so many days of shipping. It is decided when the order completes."""

    code: ClassVar[str] = "early_confirmation"
    label: ClassVar[Text] = _("Early confirmation")
    about: ClassVar[Text] = _("For confirming the receipt soon after shipping.")
    needs: ClassVar[frozenset[str]] = frozenset({"times"})

    days: int = setting(Whole(_("Days"), _("From shipping to confirming the receipt."), minimum=1, maximum=365))

    @property
    def stage(self) -> Stage:
        return Stage.COMPLETION

    def tests(self, rule: str) -> tuple[Test, ...]:
        limit = timedelta(days=self.days)
        not_yet, unknown = Miss(rule, "not_yet", {"days": self.days}), Miss(rule, "no_instant", {})

        def test(situation: Situation) -> Miss | None:
            shipped, completed = situation.order.shipped_at, situation.order.completed_at
            if completed is None:
                return not_yet
            if shipped is None:
                return unknown
            if completed - shipped <= limit:
                return None
            return Miss(rule, "confirmed_late", {"days": self.days, "late": -((limit - (completed - shipped)) // _DAY)})

        return (test,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Festival(PointsOrFactor):
    """More points on certain days."""

    code: ClassVar[str] = "festival"
    label: ClassVar[Text] = _("Festival")
    about: ClassVar[Text] = _("More points on certain days: by dates, every year, or by the lunar calendar.")
    needs: ClassVar[frozenset[str]] = frozenset({"times"})

    window: Window = setting(Days(_("Days"), _("When there are more points.")))

    def tests(self, rule: str) -> tuple[Test, ...]:
        lies_in = membership(self.window)
        no_instant = Miss(rule, "no_instant", {})
        other_day = Miss(rule, "day", {"window": self.window.as_json()})
        return (
            unless(lambda situation: situation.day is not None, no_instant),
            unless(lambda situation: situation.day is not None and lies_in(situation.day), other_day),
        )
