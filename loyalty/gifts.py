"""Gifts that come once: at a birthday, for a completed profile, for a campaign's code."""

from calendar import isleap
from datetime import date, datetime, time, timedelta

from crm.api import members_born_on
from loyalty.acts import Act, keys_in_journal, reward_act, reward_acts, rules_about
from loyalty.earning.facts import ActFacts
from loyalty.earning.kinds.acts import Campaign, Profile, SignIn
from loyalty.earning.kinds.people import Birthday
from loyalty.models import Entry
from loyalty.posting import Outcome
from loyalty.rulebook import published_sets, set_at
from loyalty.validity import programme_zone

CATCH_UP_DAYS = 7  # So many nights may be missed, and nobody his gift.
LONGEST_CODE = 64  # A rule allows no longer one.


class NoGift(Exception):
    """Nothing was given. Which reason it was is deliberately not told: whoever tries codes shall learn nothing."""


def give_birthday_gifts(due: datetime, at: datetime, after: int, most: int) -> tuple[int, int, int, int | None]:
    """Give the next ``most`` members after the id ``after`` the gifts of the birthdays they had lately.

    Each day's gift is that of the rules in force as the day began; a member gets one a year (the key says so), however
    often this is repeated. The caller holds a transaction. Returns members, gifts and points, and the last member
    looked at; None for that when there are no more.
    """
    days = _birthdays(due)
    if not days:
        return 0, 0, 0, None
    born = members_born_on([*days], after=after, most=most)
    if not born:
        return 0, 0, 0, None
    gifts = [
        Act(pk, f"birthday:{pk}:{day.year}", ActFacts(Birthday.act, _morning(day)))
        for pk, day in ((pk, days[birthday.month, birthday.day]) for pk, birthday in born)
    ]
    # Without those who have had theirs in the nights before, nobody's account is locked for nothing.
    had = keys_in_journal(gift.key for gift in gifts)
    outcomes = reward_acts([gift for gift in gifts if gift.key not in had], at=at)
    points = [outcome.points for outcome in outcomes if outcome is not None and not outcome.repeated]
    return len(points), len(points), sum(points), born[-1][0]


def reward_profile(member_id: int, at: datetime) -> Outcome | None:
    """Give what the rules have for a completed profile, once in a member's life; None when they have nothing for it, or
    it is not complete."""
    return reward_act(ActFacts(Profile.act, at), member_id, key=profile_key(member_id), at=at)


def profile_key(member_id: int) -> str:
    """The key of the gift for a completed profile."""
    return f"profile:{member_id}"


def profile_rewarded(member_id: int) -> bool:
    """Whether a member has had his gift for the profile."""
    return Entry.objects.filter(key=profile_key(member_id)).exists()


def fixed_gift(kind: str, at: datetime) -> int:
    """How many points the rules in force have at most for a gift of this kind, whoever gets it: what a page may hold
    out to a member who does not meet its condition yet."""
    rules = rules_about(set_at(published_sets(), at), kind)
    return sum(rule.kind.points for rule in rules if isinstance(rule.kind, Birthday | Profile | SignIn))


def redeem_code(member_id: int, typed: str, at: datetime) -> Outcome:
    """Give what a campaign has for its code, once for each member and code; a repeated outcome when he has had it.

    Raises NoGift when the code is none, is not in force, is not meant for this member or is used up.
    """
    code = typed.strip().casefold()
    if not code or len(code) > LONGEST_CODE or not code.isprintable():
        raise NoGift
    given = reward_act(ActFacts(Campaign.act, at, code=code), member_id, key=f"campaign:{member_id}:{code}", at=at)
    if given is None:
        raise NoGift
    return given


def _birthdays(due: datetime) -> dict[tuple[int, int], date]:
    """Whose birthday (month, day) fell on which of the latest days, as far as a rule rewarded birthdays then. Whoever
    was born on 29 February has his on the 28th of other years, as the rules say too."""
    sets = published_sets()
    today = due.astimezone(programme_zone()).date()
    days: dict[tuple[int, int], date] = {}
    for back in range(CATCH_UP_DAYS):
        day = today - timedelta(days=back)
        if Birthday.act not in set_at(sets, _morning(day)).acts:
            continue
        days[day.month, day.day] = day
        if (day.month, day.day) == (2, 28) and not isleap(day.year):
            days[2, 29] = day
    return days


def _morning(day: date) -> datetime:
    """The instant at which the day begins."""
    return datetime.combine(day, time.min, tzinfo=programme_zone())
