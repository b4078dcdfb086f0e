"""Rules that turn money into points, and those that look at how large an order is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty.earning.award import Miss
from loyalty.earning.fields import Amount, Choice, Whole, Words
from loyalty.earning.fields import Steps as StepsField
from loyalty.earning.kinds.base import Base, Gift, Giving, Kind, Stage
from loyalty.earning.money import DOWN, HALF_UP, UP
from loyalty.earning.settings import Text, setting
from loyalty.earning.situation import Situation, Test, unless

ROUNDINGS: tuple[tuple[str, Text], ...] = (
    (DOWN, _("Down: only whole steps count")),
    (HALF_UP, _("Half up: from half a step on it counts whole")),
    (UP, _("Up: every step begun counts whole")),
)
_PER = Amount(_("Every (yuan)"), _("So much money is one step."), minimum=1)
_POINTS = Whole(_("Points"), _("What each step earns."), minimum=1)
_ROUNDING = Choice(_("Rounding"), _("What becomes of a step that is not full."), choices=ROUNDINGS)


@dataclass(frozen=True, slots=True)
class Spend(Base):
    """Every N yuan are M points."""

    code: ClassVar[str] = "spend"
    label: ClassVar[Text] = _("Points for money")
    about: ClassVar[Text] = _("Every so many yuan paid earn so many points.")

    per: int = setting(_PER, 100)
    points: int = setting(_POINTS, 1)
    rounding: str = setting(_ROUNDING, DOWN)


@dataclass(frozen=True, slots=True)
class PaymentKind(Base):
    """A rate of its own for orders paid in certain ways; put it before the usual rate, into the same group."""

    code: ClassVar[str] = "payment_kind"
    label: ClassVar[Text] = _("Points by way of payment")
    about: ClassVar[Text] = _("Orders paid in certain ways, such as by gift card, earn at a rate of their own.")
    needs: ClassVar[frozenset[str]] = frozenset({"payment_kind"})

    kinds: tuple[str, ...] = setting(Words(_("Ways of payment"), _("Such as gift_card.")), ())
    per: int = setting(_PER, 100)
    points: int = setting(_POINTS, 1)
    rounding: str = setting(_ROUNDING, DOWN)

    def tests(self, rule: str) -> tuple[Test, ...]:
        kinds = frozenset(self.kinds)
        miss = Miss(rule, "payment_kind", {"wanted": list(self.kinds)})
        return (unless(lambda situation: situation.order.payment_kind in kinds, miss),)

    def conflicts(self) -> Iterator[tuple[str, str]]:
        if not self.kinds:
            yield "kinds", gettext("There must be at least one way of payment.")


@dataclass(frozen=True, slots=True)
class Steps(Kind):
    """An order over an amount gets points: those of the highest step it reaches."""

    code: ClassVar[str] = "steps"
    label: ClassVar[Text] = _("Order over an amount")
    about: ClassVar[Text] = _("An order over an amount gets points: those of the highest step that it reaches.")

    steps: tuple[tuple[int, int], ...] = setting(
        StepsField(_("Steps"), _("From which amount on there are how many points."), of=Amount("", minimum=1))
    )

    @property
    def stage(self) -> Stage:
        return Stage.GIFT

    def giving(self, rule: str) -> Giving:
        falling = tuple(reversed(self.steps))
        lowest = self.steps[0][0]

        def give(situation: Situation, amount: int) -> Gift | Miss:
            for threshold, points in falling:
                if amount >= threshold:
                    return Gift(points, base=amount)
            return Miss(rule, "amount_short", {"short": lowest - amount})

        return give
