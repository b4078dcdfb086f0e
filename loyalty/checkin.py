"""The daily sign-in: one a day, days in a row, and what they bring."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction

from loyalty.act_preview import ActPreview, rewarded_acts
from loyalty.acts import reward_act
from loyalty.earning.facts import ActFacts
from loyalty.earning.kinds.acts import SignIn
from loyalty.models import CheckIn
from loyalty.rule_usage import lock_members
from loyalty.rulebook import PublishedSets, published_sets
from loyalty.validity import programme_zone

SIGN_IN = SignIn.act
_DAY = timedelta(days=1)


class NoSignInRule(Exception):
    """The shop does not reward signing in at this instant."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What became of a sign-in: the day, which day in a row it is, what it gave, and whether it was repeated."""

    day: date
    streak: int
    points: int
    repeated: bool


@dataclass(frozen=True, slots=True)
class SignedDay:
    """A day that a member signed in on: which day in a row it was, and the points it gave."""

    streak: int
    points: int


@dataclass(frozen=True, slots=True)
class NextBonus:
    """The next day in a row that brings more than the others: ``in_days`` from the last day signed, ``points`` in all
    on that day, which is the ``day_in_row``-th."""

    in_days: int
    day_in_row: int
    points: int


@dataclass(frozen=True, slots=True)
class CheckInBoard:
    """What a member sees of his sign-ins.

    ``streak`` are the days in a row up to today, or up to yesterday while today is still open. ``offer`` is what today
    would bring while it is open, ``earned`` what it brought, ``tomorrow`` what comes next. ``signed`` are the days of
    the month of today.
    """

    today: date
    signed: frozenset[date]
    streak: int
    done: bool
    earned: int
    offer: int
    tomorrow: int
    bonus: NextBonus | None


def check_in(member_id: int, at: datetime) -> SignedIn:
    """Sign a member in for the day, exactly once, and give what the rules in force have for it.

    A second call on the same day, be it a double tap, a second phone or a retry, reports the first one and changes
    nothing. Raises NoSignInRule when no rule rewards it.
    """
    if SIGN_IN not in rewarded_acts(published_sets(), at):
        raise NoSignInRule
    day = _day(at)
    with transaction.atomic():
        lock_members([member_id])
        # Looked up under the lock: whoever was quicker has committed by now.
        rows = _rows(member_id, {day, day - _DAY})
        if today := rows.get(day):
            return SignedIn(day, today.streak, today.entry.points if today.entry else 0, repeated=True)
        streak = _streak_of(rows.get(day - _DAY)) + 1
        act = ActFacts(SIGN_IN, at, streak=streak)
        given = reward_act(act, member_id, key=f"checkin:{member_id}:{day}", at=at)
        CheckIn.objects.create(
            member_id=member_id, day=day, streak=streak, at=at, entry_id=given.entry_id if given else None
        )
    return SignedIn(day, streak, given.points if given else 0, repeated=False)


def checkin_board(member_id: int, at: datetime, sets: PublishedSets) -> CheckInBoard | None:
    """What to show a member of his sign-ins; None when no rule rewards them now."""
    if SIGN_IN not in rewarded_acts(sets, at):
        return None
    today = _day(at)
    rows = CheckIn.objects.filter(
        member_id=member_id, day__gte=min(today.replace(day=1), today - _DAY), day__lte=today
    ).values_list("day", "streak", "entry__points")
    days = {day: SignedDay(streak, points or 0) for day, streak, points in rows}
    return board_from(days, member_id, at, sets)


def board_from(
    days: Mapping[date, SignedDay], member_id: int, at: datetime, sets: PublishedSets
) -> CheckInBoard | None:
    """What to show of sign-ins that were read before: those of this month up to today, and yesterday's."""
    if SIGN_IN not in rewarded_acts(sets, at):
        return None
    today = _day(at)
    done = days.get(today)
    streak = _streak_of(done or days.get(today - _DAY))
    last = today if done else today - _DAY  # The day that the streak reaches up to.
    preview = ActPreview(SIGN_IN, member_id, at, sets)

    def worth(days: int) -> int:
        return preview.award(_act(last, streak, days, at)).points

    return CheckInBoard(
        today=today,
        signed=frozenset(day for day in days if day >= today.replace(day=1)),
        streak=streak,
        done=done is not None,
        earned=done.points if done else 0,
        offer=0 if done else worth(1),
        tomorrow=worth(1 if done else 2),
        bonus=_next_bonus(preview, last, streak, at),
    )


def steps_ahead(rules: Iterable[SignIn], streak: int) -> list[int]:
    """How many days after a streak its rules have bonuses, the nearest first. Pure."""
    ahead: set[int] = set()
    for rule in rules:
        reached = rule.day_in_row(streak) if streak else 0
        for day, _points in rule.streak:
            if day > reached:
                ahead.add(day - reached)
            elif rule.starts_over_after:
                ahead.add(rule.starts_over_after - reached + day)
    return sorted(ahead)


def _next_bonus(preview: ActPreview, last: date, streak: int, at: datetime) -> NextBonus | None:
    """The nearest bonus that this member would really get, his tier and the caps considered."""
    rules = {
        rule.code: rule.kind for rule in preview.rules(_act(last, streak, 1, at).at) if isinstance(rule.kind, SignIn)
    }
    for days in steps_ahead(rules.values(), streak):
        award = preview.award(_act(last, streak, days, at))
        if any(line.points > rules[line.rule].points for line in award.lines if line.rule in rules):
            return NextBonus(days, streak + days, award.points)
    return None


def _act(last: date, streak: int, days: int, at: datetime) -> ActFacts:
    """The sign-in that is ``days`` after the last one. Today's happens now; later ones, as far as can be told, at the
    same time of day."""
    zone = programme_zone()
    moment = at.astimezone(zone).time()
    return ActFacts(SIGN_IN, datetime.combine(last + days * _DAY, moment, tzinfo=zone), streak=streak + days)


def _rows(member_id: int, days: Collection[date]) -> dict[date, CheckIn]:
    found = CheckIn.objects.filter(member_id=member_id, day__in=days).select_related("entry")
    return {row.day: row for row in found}


def _streak_of(row: CheckIn | SignedDay | None) -> int:
    return row.streak if row else 0


def _day(at: datetime) -> date:
    return at.astimezone(programme_zone()).date()
