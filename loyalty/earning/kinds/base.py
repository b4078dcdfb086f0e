"""What every kind of rule is: a small frozen configuration that knows its stage, its own tests and what it gives."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import ClassVar, NamedTuple

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty.earning.award import Miss
from loyalty.earning.fields import Factor, Whole, hundredths
from loyalty.earning.settings import Settings, Text, setting
from loyalty.earning.situation import Situation, Test


class Stage(IntEnum):
    """When a rule has its turn. docs/rules.md, "Order of application"."""

    SHARE = 1
    BASE = 2
    FACTOR = 3
    GIFT = 4
    COMPLETION = 5
    ACT = 6


class Gift(NamedTuple):
    """Points that are not multiplied: what the rule looked at, with what it was multiplied, how it was rounded."""

    points: int
    base: int = 0
    factor: str = ""
    rounding: str = ""


# What a rule gives for the amount (fen) of the lines that it sees, or why it gives nothing.
Giving = Callable[[Situation, int], Gift | Miss]


class Kind(Settings):
    """A kind of rule. ``code`` is its stable name, ``needs`` are the facts that it looks at.

    Of the methods a kind has those that its stage asks for: ``factor_for`` or ``giving``.
    """

    __slots__ = ()

    code: ClassVar[str]
    label: ClassVar[Text]
    about: ClassVar[Text]
    needs: ClassVar[frozenset[str]] = frozenset()
    # The kind of act that the rule rewards; "" for rules about orders.
    act: ClassVar[str] = ""

    @property
    def stage(self) -> Stage:
        """When such a rule has its turn."""
        raise NotImplementedError

    @property
    def multiplies(self) -> bool:
        """Whether the rule multiplies what the order earns, rather than giving points."""
        return False

    def tests(self, rule: str) -> tuple[Test, ...]:
        """What must be so besides the rule's conditions."""
        return ()

    def factor_for(self, situation: Situation) -> int:
        """In hundredths, for rules that multiply."""
        raise NotImplementedError

    def giving(self, rule: str) -> Giving:
        """For rules that give points which are not multiplied."""
        raise NotImplementedError


class Base(Kind):
    """A kind that turns money into points: every ``per`` fen are ``points`` points; ``rounding`` is of the steps."""

    __slots__ = ()

    per: int
    points: int
    rounding: str

    @property
    def stage(self) -> Stage:
        return Stage.BASE


@dataclass(frozen=True, slots=True)
class PointsOrFactor(Kind):
    """A kind that either gives points once for an order, or multiplies what the order earns."""

    points: int = setting(Whole(_("Points"), _("Given once for the order; not multiplied.")), 0)
    factor: Decimal = setting(
        Factor(_("Factor"), _("Multiplies what the order earns, such as 2 or 1.5. 1 multiplies nothing.")), Decimal(1)
    )

    @property
    def stage(self) -> Stage:
        return Stage.FACTOR if self.multiplies else Stage.GIFT

    @property
    def multiplies(self) -> bool:
        return self.factor > 1

    def factor_for(self, situation: Situation) -> int:
        return hundredths(self.factor)

    def giving(self, rule: str) -> Giving:
        return fixed(self.points)

    def conflicts(self) -> Iterator[tuple[str, str]]:
        if self.points and self.factor > 1:
            yield "factor", gettext("A rule gives points or multiplies; make two rules if you want both.")
        elif not self.points and self.factor == 1:
            yield "points", gettext("The rule gives nothing: it needs points or a factor.")


def fixed(points: int) -> Giving:
    """The same points whatever the amount."""
    gift = Gift(points)

    def give(situation: Situation, amount: int) -> Gift | Miss:
        return gift

    return give
