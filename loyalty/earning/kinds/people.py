"""Rules about who buys: the tier, the first order, the birthday."""

from calendar import isleap
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from loyalty.earning.award import Miss
from loyalty.earning.fields import Choice, FactorTable, Whole, hundredths
from loyalty.earning.kinds.base import Giving, Kind, PointsOrFactor, Stage, fixed
from loyalty.earning.settings import Text, setting
from loyalty.earning.situation import Situation, Test, unless

DAY, WEEK, MONTH = "day", "week", "month"


@dataclass(frozen=True, slots=True)
class TierMultiplier(Kind):
    """Higher tiers earn more."""

    code: ClassVar[str] = "tier_multiplier"
    label: ClassVar[Text] = _("Tier multiplier")
    about: ClassVar[Text] = _("Members of some tiers earn a multiple of what others do.")
    needs: ClassVar[frozenset[str]] = frozenset({"tier"})

    factors: tuple[tuple[str, Decimal], ...] = setting(
        FactorTable(_("Factors"), _("Tiers that are not listed earn as usual."))
    )

    @property
    def stage(self) -> Stage:
        return Stage.FACTOR

    @property
    def multiplies(self) -> bool:
        return True

    def tests(self, rule: str) -> tuple[Test, ...]:
        more = frozenset(tier for tier, factor in self.factors if factor > 1)
        return (unless(lambda situation: situation.member.tier in more, Miss(rule, "tier", {"wanted": sorted(more)})),)

    def factor_for(self, situation: Situation) -> int:
        return hundredths(dict(self.factors)[situation.member.tier])


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstOrder(PointsOrFactor):
    """The first order of a buyer."""

    code: ClassVar[str] = "first_order"
    label: ClassVar[Text] = _("First order")
    about: ClassVar[Text] = _("For the first order of a buyer.")
    needs: ClassVar[frozenset[str]] = frozenset({"earlier_orders"})

    def tests(self, rule: str) -> tuple[Test, ...]:
        return (unless(lambda situation: not situation.member.earlier_orders, Miss(rule, "not_new", {})),)


@dataclass(frozen=True, slots=True, kw_only=True)
class BirthdayOrder(PointsOrFactor):
    """Orders around the buyer's birthday."""

    code: ClassVar[str] = "birthday_order"
    label: ClassVar[Text] = _("Order at the birthday")
    about: ClassVar[Text] = _("More points for orders around the buyer's birthday.")
    needs: ClassVar[frozenset[str]] = frozenset({"birthday", "times"})

    window: str = setting(
        Choice(
            _("When"),
            choices=((DAY, _("On the day")), (WEEK, _("In its week, Monday to Sunday")), (MONTH, _("In its month"))),
        ),
        DAY,
    )

    def tests(self, rule: str) -> tuple[Test, ...]:
        return (birthday_test(rule, self.window),)


@dataclass(frozen=True, slots=True)
class Birthday(Kind):
    """A gift at the birthday, without any order."""

    code: ClassVar[str] = "birthday"
    label: ClassVar[Text] = _("Birthday gift")
    about: ClassVar[Text] = _("Points at the birthday, whether the member buys or not.")
    needs: ClassVar[frozenset[str]] = frozenset({"birthday"})
    act: ClassVar[str] = "birthday"

    points: int = setting(Whole(_("Points"), minimum=1))

    @property
    def stage(self) -> Stage:
        return Stage.ACT

    def tests(self, rule: str) -> tuple[Test, ...]:
        return (birthday_test(rule, DAY),)

    def giving(self, rule: str) -> Giving:
        return fixed(self.points)


def birthday_test(rule: str, window: str) -> Test:
    """Whether the day is in the window around the birthday."""
    unknown, other_day = Miss(rule, "no_birthday", {}), Miss(rule, "no_birthday_now", {"window": window})
    no_instant = Miss(rule, "no_instant", {})

    def test(situation: Situation) -> Miss | None:
        birthday, day = situation.member.birthday, situation.day
        if birthday is None:
            return unknown
        if day is None:
            return no_instant
        return None if _at_birthday(window, birthday, day) else other_day

    return test


def _at_birthday(window: str, birthday: date, day: date) -> bool:
    if window == MONTH:
        return birthday.month == day.month
    if window == WEEK:
        monday = day - timedelta(days=day.weekday())
        return any(_is_birthday(birthday, monday + timedelta(days=number)) for number in range(7))
    return _is_birthday(birthday, day)


def _is_birthday(birthday: date, day: date) -> bool:
    """Somebody born on 29 February has his birthday on the 28th of other years."""
    if (birthday.month, birthday.day) == (2, 29) and not isleap(day.year):
        return (day.month, day.day) == (2, 28)
    return (birthday.month, birthday.day) == (day.month, day.day)
