"""What the writers of the crash test do: one act, one key, the same again when it is repeated."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from loyalty import api as loyalty
from loyalty.choices import EntryKind
from loyalty.journal import post
from loyalty.posting import InsufficientPoints, NothingOpen, Posting, Verb, accrual, maturation, reversal

AT = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
TOMORROW = AT + timedelta(days=1)
NEXT_YEAR = AT + timedelta(days=365)
MOVES = (
    "earn", "earn", "earn_briefly", "await", "mature", "burn", "burn", "hold", "capture", "release", "undo",
    "take_back", "batch",
)  # fmt: skip
KINDS = (*MOVES * 10, "night")


@dataclass(frozen=True)
class Act:
    """One movement: what, whose, how many points, under which key, about which earlier key."""

    kind: str
    member_id: int
    points: int
    key: str
    about: str = ""

    def perform(self) -> str:
        """Do it, for the first time or again; ``refused`` is an answer like any other."""
        try:
            _WAYS[self.kind](self)
        except (InsufficientPoints, NothingOpen, loyalty.NightBusy):
            return "refused"
        return "written"


def invent(random: Random, members: list[int], number: int, writer: int, earlier: list[Act]) -> Act:
    """The next act of a writer, about one of his earlier ones where it must be about something."""
    kind = random.choice(KINDS)
    needs = {"mature": "await", "capture": "hold", "release": "hold", "undo": "burn", "take_back": "earn"}.get(kind)
    candidates = [act for act in earlier[-200:] if act.kind == needs]
    if needs and not candidates:
        kind, needs = "earn", None
    about = random.choice(candidates) if needs else None
    return Act(
        kind=kind,
        member_id=about.member_id if about else random.choice(members),
        points=random.randint(1, 120),
        key=f"crash:{writer}:{number}",
        about=about.key if about else "",
    )


def _earn(act: Act) -> Any:
    return post([_earned(act, act.key)], at=AT)


def _earned(act: Act, key: str) -> Posting:
    return accrual(act.member_id, act.points, key=key, effective_at=AT, available_at=AT, expires_at=NEXT_YEAR)


def _earn_briefly(act: Act) -> Any:
    posting = accrual(act.member_id, act.points, key=act.key, effective_at=AT, available_at=AT, expires_at=TOMORROW)
    return post([posting], at=AT)


def _await(act: Act) -> Any:
    return post([accrual(act.member_id, act.points, key=act.key, effective_at=AT, pending=True)], at=AT)


def _mature(act: Act) -> Any:
    return post(
        [maturation(act.member_id, key=act.key, about_key=act.about, effective_at=AT, expires_at=NEXT_YEAR)], at=AT
    )


def _burn(act: Act) -> Any:
    return loyalty.burn(act.member_id, act.points, key=act.key, at=AT)


def _hold(act: Act) -> Any:
    """Every other one lapses in the night."""
    deadline = TOMORROW if act.points % 2 else NEXT_YEAR
    return loyalty.hold(act.member_id, act.points, key=act.key, at=AT, deadline=deadline)


def _capture(act: Act) -> Any:
    return loyalty.capture(act.member_id, act.about, key=act.key, at=AT)


def _release(act: Act) -> Any:
    return loyalty.release(act.member_id, act.about, key=act.key, at=AT, revive_until=None)


def _undo(act: Act) -> Any:
    return loyalty.undo(act.member_id, act.about, key=act.key, at=AT, revive_until=None)


def _take_back(act: Act) -> Any:
    return post([reversal(act.member_id, act.points, key=act.key, effective_at=AT, about_key=act.about)], at=AT)


def _batch(act: Act) -> Any:
    """Two movements that must stand or fall together."""
    spent = Posting(Verb.DRAW, EntryKind.BURN, act.member_id, f"{act.key}:spent", AT, act.points)
    return post([_earned(act, act.key), spent], at=AT)


def _night(act: Act) -> Any:
    """The night of tomorrow comes round, in small chunks, so that it is killed in between: holds and points lapse, and
    the day is closed. It comes again and again, as to the writers it is always today."""
    night = TOMORROW + timedelta(days=1)
    return loyalty.run_nightly(night, at=night, accounts_per_chunk=5)


_WAYS = {
    "earn": _earn,
    "earn_briefly": _earn_briefly,
    "await": _await,
    "mature": _mature,
    "burn": _burn,
    "hold": _hold,
    "capture": _capture,
    "release": _release,
    "undo": _undo,
    "take_back": _take_back,
    "batch": _batch,
    "night": _night,
}
