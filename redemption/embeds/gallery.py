"""What the seller can choose from: each template with the room it takes and the figures it needs. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from redemption.embeds.choices import EmbedSize, EmbedTemplate


class Need(StrEnum):
    """A figure that a template shows; what it does not need is not asked for."""

    POINTS = "points"
    OFFERS = "offers"
    BOARD = "board"
    TIER = "tier"
    REWARDS = "rewards"
    REACH = "reach"  # A few rewards that the member can take.
    REWARD = "reward"


@dataclass(frozen=True, slots=True)
class Template:
    """One way to look. ``heights`` are CSS pixels for the three sizes, at every width from 280 pixels on."""

    code: EmbedTemplate
    about: str | Promise
    heights: tuple[int, int, int]
    needs: frozenset[Need]
    default_size: EmbedSize = EmbedSize.MEDIUM

    @property
    def default_height(self) -> int:
        """The room that it takes in the size it is offered in first."""
        return self.height(self.default_size)

    def height(self, size: str) -> int:
        """Return the room that the page reserves for a size."""
        return self.heights[list(EmbedSize).index(EmbedSize(size))]


GALLERY: tuple[Template, ...] = (
    Template(
        EmbedTemplate.BAR,
        _("One line across the page: points, what they are worth, and the sign-in for the day."),
        (56, 68, 84),
        frozenset({Need.POINTS, Need.OFFERS, Need.BOARD}),
    ),
    Template(
        EmbedTemplate.CARD,
        _("The member's card with points, pending points and his tier."),
        (176, 204, 236),
        frozenset({Need.POINTS, Need.OFFERS, Need.TIER, Need.BOARD}),
    ),
    Template(
        EmbedTemplate.FLOAT,
        _(
            "A round button in the corner of every page that opens a panel: points, sign-in, rewards and coupons to "
            "take."
        ),
        (480, 560, 640),
        frozenset({Need.POINTS, Need.OFFERS, Need.BOARD, Need.TIER, Need.REACH}),
    ),
    Template(
        EmbedTemplate.TIER,
        _("The ladder of tiers with the member's rung, what each rung brings, and the tier that he may take."),
        (132, 152, 176),
        frozenset({Need.POINTS, Need.TIER}),
    ),
    Template(
        EmbedTemplate.COUPONS,
        _("A strip of coupons to take for points, one beside the other."),
        (148, 180, 196),
        frozenset({Need.POINTS, Need.OFFERS}),
    ),
    Template(
        EmbedTemplate.REWARDS,
        _("A shelf of rewards with their price in points, to redeem in place."),
        (300, 420, 620),
        frozenset({Need.POINTS, Need.REWARDS}),
    ),
    Template(
        EmbedTemplate.BADGE,
        _(
            "A small badge beside the price of an item: what it costs in points, how many are left, and the limit. "
            "Pressed, it opens the agreement over the page."
        ),
        (36, 44, 52),
        frozenset({Need.REWARD}),
        EmbedSize.SMALL,
    ),
    Template(
        EmbedTemplate.CALENDAR,
        _("This month with the days signed in, and the button for today."),
        (392, 424, 464),
        frozenset({Need.BOARD}),
    ),
)
_BY_CODE = {template.code: template for template in GALLERY}


def template_of(code: str) -> Template:
    """Return a template of the gallery."""
    return _BY_CODE[EmbedTemplate(code)]
