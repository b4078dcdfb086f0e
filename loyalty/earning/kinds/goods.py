"""What the products themselves say about their points."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty.earning.facts import BONUS, NORMAL, POLICIES, SPECIAL, ZERO, LineFacts
from loyalty.earning.fields import FactorTable, Whole, hundredths
from loyalty.earning.kinds.base import Kind, Stage
from loyalty.earning.settings import Text, setting

USUAL_SHARES = ((NORMAL, Decimal(1)), (SPECIAL, Decimal("0.5")), (ZERO, Decimal(0)), (BONUS, Decimal(1)))


@dataclass(frozen=True, slots=True)
class ProductPolicy(Kind):
    """Goods count whole, in part or not at all, by their policy; a piece of a bonus product earns points of its own."""

    code: ClassVar[str] = "product_policy"
    label: ClassVar[Text] = _("Products by their point policy")
    about: ClassVar[Text] = _(
        "Special-price goods count in part, zero-point goods not at all, and each piece of a bonus product earns extra."
    )
    needs: ClassVar[frozenset[str]] = frozenset({"products"})

    shares: tuple[tuple[str, Decimal], ...] = setting(
        FactorTable(
            _("Shares"), _("How much of the price counts: 1 whole, 0.5 half, 0 nothing."), Decimal(0), known=POLICIES
        ),
        USUAL_SHARES,
    )
    bonus_points: int = setting(
        Whole(_("Points a piece"), _("For bonus products that do not name points of their own.")), 0
    )

    @property
    def stage(self) -> Stage:
        return Stage.SHARE

    def shares_by_policy(self) -> dict[str, int]:
        """How much of the price counts, in hundredths; a policy that is not listed counts whole."""
        return {policy: hundredths(share) for policy, share in self.shares}

    def points_a_piece(self, line: LineFacts) -> int:
        """What each piece of a line earns besides."""
        return (line.bonus_points or self.bonus_points) if line.policy == BONUS else 0

    def conflicts(self) -> Iterator[tuple[str, str]]:
        if len(dict(self.shares)) < len(self.shares):
            yield "shares", gettext("There is one share for each policy.")
