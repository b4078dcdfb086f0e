"""Rules about what is no order: signing in, completing the profile, bringing a new buyer, a campaign's code."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty.earning.award import Miss
from loyalty.earning.facts import ActFacts
from loyalty.earning.fields import Percent, Whole, Word, hundredths
from loyalty.earning.fields import Steps as StepsField
from loyalty.earning.kinds.base import Gift, Giving, Kind, Stage, fixed
from loyalty.earning.money import DOWN
from loyalty.earning.reading import plain, read_decimal, read_object, read_whole
from loyalty.earning.settings import Setting, Text, setting
from loyalty.earning.situation import Situation, Test, unless


class Act(Kind):
    """A kind that rewards an act."""

    __slots__ = ()

    @property
    def stage(self) -> Stage:
        return Stage.ACT


@dataclass(frozen=True, slots=True)
class SignIn(Act):
    """Points for signing in, once a day, and more for days in a row."""

    code: ClassVar[str] = "signin"
    label: ClassVar[Text] = _("Daily sign-in")
    about: ClassVar[Text] = _("Points for signing in once a day, and a bonus for days in a row.")
    act: ClassVar[str] = "signin"

    points: int = setting(Whole(_("Points a day")), 1)
    streak: tuple[tuple[int, int], ...] = setting(
        StepsField(
            _("Bonus for days in a row"),
            _("On which day in a row there are how many points besides."),
            of=Whole("", minimum=2, maximum=3660),
            required=False,
            may_fall=True,
        ),
        (),
    )
    starts_over_after: int = setting(
        Whole(_("Starts over after (days)"), _("0: the days in a row are counted on and on."), maximum=3660), 0
    )

    def day_in_row(self, streak: int) -> int:
        """Which day of its round a streak has reached."""
        return (streak - 1) % self.starts_over_after + 1 if self.starts_over_after else streak

    def giving(self, rule: str) -> Giving:
        bonuses = dict(self.streak)

        def give(situation: Situation, amount: int) -> Gift | Miss:
            streak = _act(situation).streak
            return Gift(self.points + bonuses.get(self.day_in_row(streak), 0), base=streak)

        return give

    def conflicts(self) -> Iterator[tuple[str, str]]:
        if not self.points and not self.streak:
            yield "points", gettext("The rule gives nothing: it needs points a day or a bonus.")
        if self.starts_over_after and any(days > self.starts_over_after for days, _points in self.streak):
            yield "streak", gettext("The days in a row start over before this bonus is reached.")


@dataclass(frozen=True, slots=True)
class Profile(Act):
    """Points for a completed profile."""

    code: ClassVar[str] = "profile"
    label: ClassVar[Text] = _("Profile completed")
    about: ClassVar[Text] = _("Points for completing the profile, once.")
    needs: ClassVar[frozenset[str]] = frozenset({"profile"})
    act: ClassVar[str] = "profile"

    points: int = setting(Whole(_("Points"), minimum=1))

    def tests(self, rule: str) -> tuple[Test, ...]:
        return (unless(lambda situation: situation.member.profile_complete, Miss(rule, "profile_incomplete", {})),)

    def giving(self, rule: str) -> Giving:
        return fixed(self.points)


@dataclass(frozen=True, slots=True)
class Campaign(Act):
    """Points for a code that the shop gave out."""

    code: ClassVar[str] = "campaign"
    label: ClassVar[Text] = _("Campaign code")
    about: ClassVar[Text] = _("Points for entering a code that the shop gave out.")
    act: ClassVar[str] = "campaign"

    word: str = setting(Word(_("Code word"), _("What buyers enter. Capitals and small letters are the same.")))
    points: int = setting(Whole(_("Points"), minimum=1))

    def tests(self, rule: str) -> tuple[Test, ...]:
        word = self.word.casefold()
        return (
            unless(lambda situation: _act(situation).code.strip().casefold() == word, Miss(rule, "other_code", {})),
        )

    def giving(self, rule: str) -> Giving:
        return fixed(self.points)

    def conflicts(self) -> Iterator[tuple[str, str]]:
        if not self.word:
            yield "word", gettext("This field is required.")


class ReferralShare(NamedTuple):
    """What the promoter gets for one product."""

    product_id: int
    percent: Decimal = Decimal(0)
    points: int = 0


@dataclass(frozen=True)
class ReferralShares(Setting[tuple[ReferralShare, ...]]):
    """Shares of products; JSON has {"12": {"percent": "10"}, "13": {"points": 50}}."""

    def decode(self, value: Any) -> tuple[ReferralShare, ...]:
        return tuple(_read_share(product, share) for product, share in read_object(value).items())

    def encode(self, value: tuple[ReferralShare, ...]) -> dict[str, Any]:
        return {str(share.product_id): _share_as_json(share) for share in value}

    def problem(self, value: tuple[ReferralShare, ...]) -> str | None:
        for share in value:
            wrong = Percent("").problem(share.percent) or Whole("").problem(share.points)
            if wrong:
                return wrong
            if share.percent and share.points:
                return gettext("A percentage or points: not both.")
        return None


@dataclass(frozen=True, slots=True)
class Referral(Act):
    """A share of what a new buyer bought, for the member who brought him."""

    code: ClassVar[str] = "referral"
    label: ClassVar[Text] = _("Referral")
    about: ClassVar[Text] = _("For bringing a new buyer: a share of his order, or fixed points.")
    act: ClassVar[str] = "referral"

    percent: Decimal = setting(Percent(_("Percent of the order"), _("5 means: 5 yuan of 100.")), Decimal(0))
    points_per_yuan: int = setting(
        Whole(_("Points for a yuan"), _("How many points the promoter gets for each yuan of his share."), minimum=1), 1
    )
    points: int = setting(Whole(_("Points"), _("Fixed, instead of a percentage.")), 0)
    days: int = setting(
        Whole(
            _("Visit is remembered for (days)"),
            _("So long after opening the link the new buyer's first order still counts."),
            minimum=1,
            maximum=365,
        ),
        30,
    )
    products: tuple[ReferralShare, ...] = setting(
        ReferralShares(_("Products with a share of their own"), _("Instead of the usual one; 0 for none.")), ()
    )

    def giving(self, rule: str) -> Giving:
        own = {share.product_id: share for share in self.products}
        usual = ReferralShare(0, self.percent, self.points)
        nothing = Miss(rule, "no_share", {})

        def give(situation: Situation, amount: int) -> Gift | Miss:
            act = _act(situation)
            share = usual if act.product_id is None else own.get(act.product_id, usual)
            if share.points:
                return Gift(share.points)
            # Hundredths of a percent of fen, so that a yuan's worth is a million of them.
            points = act.amount * hundredths(share.percent) * self.points_per_yuan // 1_000_000
            if points <= 0:
                return nothing
            return Gift(points, base=act.amount, factor=f"{plain(share.percent)}%", rounding=DOWN)

        return give

    def conflicts(self) -> Iterator[tuple[str, str]]:
        if self.percent and self.points:
            yield "points", gettext("A percentage or points: not both.")
        elif not self.percent and not self.points and not any(share.percent or share.points for share in self.products):
            yield "percent", gettext("The rule gives nothing: it needs a percentage or points.")


def _act(situation: Situation) -> ActFacts:
    if situation.act is None:
        raise TypeError("a rule about an act was asked about an order")
    return situation.act


def _read_share(product: str, share: Any) -> ReferralShare:
    values = read_object(share)
    return ReferralShare(
        read_whole(product), read_decimal(values.get("percent", 0)), read_whole(values.get("points", 0))
    )


def _share_as_json(share: ReferralShare) -> dict[str, Any]:
    return {"points": share.points} if share.points else {"percent": plain(share.percent)}
