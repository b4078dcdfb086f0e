"""The settings that kinds of rules, conditions and caps are made of."""

import dataclasses
import itertools
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from loyalty.earning import calendar
from loyalty.earning.money import fen, yuan
from loyalty.earning.reading import (
    Unreadable,
    plain,
    read_decimal,
    read_items,
    read_minutes,
    read_object,
    read_pair,
    read_whole,
    read_window,
    read_word,
)
from loyalty.earning.settings import Setting, Text

LARGEST_POINTS = 100_000_000
LARGEST_FACTOR = 100
LARGEST_AMOUNT = 10**12  # ten thousand million yuan
MINUTES_A_DAY = 24 * 60


@dataclasses.dataclass(frozen=True)
class Whole(Setting[int]):
    """A whole number."""

    minimum: int = 0
    maximum: int = LARGEST_POINTS

    def decode(self, value: Any) -> int:
        return read_whole(value)

    def problem(self, value: int) -> str | None:
        if value < self.minimum:
            return _("The number must be at least %(minimum)s.") % {"minimum": self.minimum}
        if value > self.maximum:
            return _("The number must be at most %(maximum)s.") % {"maximum": self.maximum}
        return None


@dataclasses.dataclass(frozen=True)
class OptionalWhole(Setting[int | None]):
    """A whole number, or nothing."""

    minimum: int = 0

    def decode(self, value: Any) -> int | None:
        return None if value in (None, "") else read_whole(value)

    def problem(self, value: int | None) -> str | None:
        return None if value is None else Whole(self.label, minimum=self.minimum).problem(value)


@dataclasses.dataclass(frozen=True)
class Amount(Setting[int]):
    """An amount of money: yuan in JSON, fen as a plain value. ``minimum`` is in fen."""

    minimum: int = 0

    def decode(self, value: Any) -> int:
        amount = read_decimal(value)
        try:
            return fen(amount)
        except ValueError:
            raise Unreadable(_("An amount has at most two decimal places.")) from None

    def encode(self, value: int) -> str:
        return plain(yuan(value))

    def problem(self, value: int) -> str | None:
        if value < self.minimum:
            return _("The amount must be at least %(minimum)s yuan.") % {"minimum": yuan(self.minimum)}
        if value > LARGEST_AMOUNT:
            return _("The amount must be at most %(maximum)s yuan.") % {"maximum": yuan(LARGEST_AMOUNT)}
        return None


@dataclasses.dataclass(frozen=True)
class Factor(Setting[Decimal]):
    """What points or amounts are multiplied with: at most two decimal places."""

    minimum: Decimal = Decimal(1)

    def decode(self, value: Any) -> Decimal:
        return read_decimal(value)

    def encode(self, value: Decimal) -> str:
        return plain(value)

    def problem(self, value: Decimal) -> str | None:
        if value < 0:
            return _("A factor cannot be negative.")
        if value < self.minimum:
            return _(
                "A factor below 1 would take points away. To give less, let the product rule count those goods in "
                "part, or give them a base rule of their own."
            )
        if value > LARGEST_FACTOR:
            return _("A factor must be at most %(maximum)s.") % {"maximum": LARGEST_FACTOR}
        if value != round(value, 2):
            return _("A factor has at most two decimal places.")
        return None


@dataclasses.dataclass(frozen=True)
class Percent(Setting[Decimal]):
    """A share in percent: over 0, at most 100, at most two decimal places. 0 stands for none where ``minimum`` is 0."""

    minimum: Decimal = Decimal(0)

    def decode(self, value: Any) -> Decimal:
        return read_decimal(value)

    def encode(self, value: Decimal) -> str:
        return plain(value)

    def problem(self, value: Decimal) -> str | None:
        if value < 0:
            return _("A percentage cannot be negative.")
        if value > 100:
            return _("A percentage cannot be over 100.")
        if value != round(value, 2):
            return _("A percentage has at most two decimal places.")
        return None


@dataclasses.dataclass(frozen=True)
class Choice(Setting[str]):
    """One of several words."""

    choices: tuple[tuple[str, Text], ...] = ()

    def decode(self, value: Any) -> str:
        return read_word(value)

    def problem(self, value: str) -> str | None:
        if value not in dict(self.choices):
            return _("There is no choice %(value)s here.") % {"value": value}
        return None


@dataclasses.dataclass(frozen=True)
class Word(Setting[str]):
    """A short text."""

    longest: int = 64

    def decode(self, value: Any) -> str:
        return read_word(value).strip()

    def problem(self, value: str) -> str | None:
        if len(value) > self.longest:
            return _("At most %(longest)s characters.") % {"longest": self.longest}
        return None


@dataclasses.dataclass(frozen=True)
class Words(Setting[tuple[str, ...]]):
    """Any number of words, such as codes; each once. ``known`` limits them where it is given."""

    known: tuple[str, ...] = ()

    def decode(self, value: Any) -> tuple[str, ...]:
        return tuple(dict.fromkeys(read_word(item) for item in read_items(value)))

    def encode(self, value: tuple[str, ...]) -> list[str]:
        return list(value)

    def problem(self, value: tuple[str, ...]) -> str | None:
        for word in value:
            if not word or (self.known and word not in self.known):
                return _("There is no choice %(value)s here.") % {"value": word}
        return None


@dataclasses.dataclass(frozen=True)
class Numbers(Setting[tuple[int, ...]]):
    """Any number of whole numbers between two bounds, each once."""

    minimum: int = 1
    maximum: int = 2**63 - 1

    def decode(self, value: Any) -> tuple[int, ...]:
        return tuple(dict.fromkeys(read_whole(item) for item in read_items(value)))

    def encode(self, value: tuple[int, ...]) -> list[int]:
        return list(value)

    def problem(self, value: tuple[int, ...]) -> str | None:
        for number in value:
            if not self.minimum <= number <= self.maximum:
                return _("There is no choice %(value)s here.") % {"value": number}
        return None


@dataclasses.dataclass(frozen=True)
class Steps(Setting[tuple[tuple[int, int], ...]]):
    """Steps of (threshold, points). Thresholds are fen or days, as ``of`` says, and rise; points do not fall."""

    of: Setting[int] = dataclasses.field(default_factory=lambda: Amount("", minimum=1))
    required: bool = True
    may_fall: bool = False

    def decode(self, value: Any) -> tuple[tuple[int, int], ...]:
        steps = [read_pair(item) for item in read_items(value)]
        return tuple((self.of.decode(threshold), read_whole(points)) for threshold, points in steps)

    def encode(self, value: tuple[tuple[int, int], ...]) -> list[list[Any]]:
        return [[self.of.encode(threshold), points] for threshold, points in value]

    def problem(self, value: tuple[tuple[int, int], ...]) -> str | None:
        if self.required and not value:
            return _("There must be at least one step.")
        for threshold, points in value:
            wrong = self.of.problem(threshold) or Whole("").problem(points)
            if wrong:
                return wrong
        for (lower, fewer), (higher, more) in itertools.pairwise(value):
            if higher <= lower:
                return _("Each step must begin above the one before it.")
            if more < fewer and not self.may_fall:
                return _("A higher step cannot give fewer points than the one before it.")
        return None


@dataclasses.dataclass(frozen=True)
class FactorTable(Setting[tuple[tuple[str, Decimal], ...]]):
    """A factor for each of some words, such as tiers. JSON has an object."""

    minimum: Decimal = Decimal(1)
    known: tuple[str, ...] = ()

    def decode(self, value: Any) -> tuple[tuple[str, Decimal], ...]:
        return tuple((read_word(word), read_decimal(factor)) for word, factor in read_object(value).items())

    def encode(self, value: tuple[tuple[str, Decimal], ...]) -> dict[str, str]:
        return {word: plain(factor) for word, factor in value}

    def problem(self, value: tuple[tuple[str, Decimal], ...]) -> str | None:
        if not value:
            return _("There must be at least one factor.")
        for word, factor in value:
            if not word or (self.known and word not in self.known):
                return _("There is no choice %(value)s here.") % {"value": word}
            wrong = Factor("", minimum=self.minimum).problem(factor)
            if wrong:
                return _("%(word)s: %(reason)s") % {"word": word, "reason": wrong}
        return None


@dataclasses.dataclass(frozen=True)
class Days(Setting[calendar.Window]):
    """A window of days: dates, every year, the lunar calendar, or a solar term. A festival may go by its name."""

    def decode(self, value: Any) -> calendar.Window:
        return read_window(value)

    def encode(self, value: calendar.Window) -> dict[str, Any]:
        return value.as_json()

    def problem(self, value: calendar.Window) -> str | None:
        return value.problem()


@dataclasses.dataclass(frozen=True)
class OptionalDays(Setting[calendar.Window | None]):
    """A window of days, or always."""

    def decode(self, value: Any) -> calendar.Window | None:
        return None if value in (None, "") else read_window(value)

    def encode(self, value: calendar.Window | None) -> dict[str, Any] | None:
        return None if value is None else value.as_json()

    def problem(self, value: calendar.Window | None) -> str | None:
        return None if value is None else value.problem()


@dataclasses.dataclass(frozen=True)
class TimeOfDay(Setting[tuple[int, int] | None]):
    """From a time of day until before another, in minutes since midnight; over midnight if the end is before the start.
    JSON has ["20:00", "24:00"]."""

    def decode(self, value: Any) -> tuple[int, int] | None:
        if value in (None, "", []):
            return None
        begins, ends = read_pair(value)
        return read_minutes(begins), read_minutes(ends)

    def encode(self, value: tuple[int, int] | None) -> list[str] | None:
        return None if value is None else [f"{minutes // 60:02}:{minutes % 60:02}" for minutes in value]

    def problem(self, value: tuple[int, int] | None) -> str | None:
        if value is None:
            return None
        if not all(0 <= minutes <= MINUTES_A_DAY for minutes in value):
            return _("A day has 24 hours.")
        if value[0] % MINUTES_A_DAY == value[1]:
            return _("The window is empty: it ends when it begins.")
        return None


@dataclasses.dataclass(frozen=True)
class YesNo(Setting[bool | None]):
    """Yes, no, or no matter."""

    def decode(self, value: Any) -> bool | None:
        if value is None or isinstance(value, bool):
            return value
        raise Unreadable(_("This is neither yes nor no."))

    def problem(self, value: bool | None) -> str | None:
        return None


def hundredths(factor: Decimal) -> int:
    """A factor of at most two decimal places as a whole number: 1.5 is 150."""
    return int(factor * 100)
