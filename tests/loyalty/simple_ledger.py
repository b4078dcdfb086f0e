"""A ledger so small that it is plainly right: what the journal must come to, reckoned in memory one posting at a time.

It knows nothing of tables, locks or sets. Postings of a run (neighbours with the same verb) are one call, as in the
journal.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from loyalty.choices import EntryKind
from loyalty.posting import Posting, Verb

Done = tuple[int, int, int | None]  # Points, pending points, balance after: what an outcome says.
NOTHING: Done = (0, 0, None)


class Closed(Exception):
    """More was to be spent of a hold, or given back of an entry, than is left of it."""


class Short(Exception):
    """Too few points: for each account that falls short, what could be spent and what is missing."""

    def __init__(self, accounts: dict[int, tuple[int, int]]) -> None:
        super().__init__(str(accounts))
        self.accounts = accounts


@dataclass
class SimpleLot:
    account_id: int
    points: int
    remaining: int
    pending: bool
    expires_at: datetime | None
    number: int
    taken_back: int = 0
    expired: int = 0

    def is_live(self, at: datetime) -> bool:
        return not self.pending and (self.expires_at is None or self.expires_at > at)


@dataclass
class SimpleDraw:
    """A burn, a deduction or a hold, and what each lot gave to it and has not got back. Of a burn all is spent at once;
    of a hold, what was captured."""

    account_id: int
    is_hold: bool
    held: int
    spent: int
    gave: dict[str, int]


@dataclass
class SimpleLedger:
    balances: dict[int, int] = field(default_factory=dict)
    lots: dict[str, SimpleLot] = field(default_factory=dict)
    draws: dict[str, SimpleDraw] = field(default_factory=dict)

    def post(self, postings: Sequence[Posting], at: datetime) -> list[Done]:
        """Apply a batch. After Short the ledger is spoilt: take a copy before."""
        verbs = {
            Verb.ACCRUE: self._accrue,
            Verb.MATURE: self._mature,
            Verb.DRAW: self._draw,
            Verb.REVERSE: self._reverse,
        }
        done: list[Done] = []
        for verb, run in groupby(postings, key=lambda posting: posting.verb):
            done += verbs[verb](list(run), at)
        return done

    def expire(self, at: datetime, accounts: Collection[int] = ()) -> int:
        """Take what is left of lapsed lots, of all accounts or of these; return how many points that is."""
        total = 0
        for lot in self.lots.values():
            if accounts and lot.account_id not in accounts:
                continue
            if not lot.pending and lot.expires_at is not None and lot.expires_at <= at:
                self._add(lot.account_id, -lot.remaining)
                total += lot.remaining
                lot.expired, lot.remaining = lot.expired + lot.remaining, 0
        return total

    def capture(self, draw_key: str, points: int) -> Done:
        """Spend of a hold ``points``, or all that waits."""
        draw = self.draws[draw_key]
        points = self._part(points, draw.held)
        draw.held -= points
        draw.spent += points
        return 0, 0, self.balance(draw.account_id)

    def release(self, draw_key: str, points: int, at: datetime, until: datetime | None) -> Done:
        """Give back of a hold ``points``, or all that waits."""
        draw = self.draws[draw_key]
        points = self._part(points, draw.held)
        draw.held -= points
        return self._give_back(draw, points, at, until)

    def undo(self, draw_key: str, points: int, at: datetime, until: datetime | None) -> Done:
        """Give back ``points`` of what was spent, or all of it."""
        draw = self.draws[draw_key]
        points = self._part(points, draw.spent)
        draw.spent -= points
        return self._give_back(draw, points, at, until)

    @staticmethod
    def _part(points: int, left: int) -> int:
        if not left or points > left:
            raise Closed
        return points or left

    def _give_back(self, draw: SimpleDraw, points: int, at: datetime, until: datetime | None) -> Done:
        """The lot that would expire last gets its points first; whatever comes settles a debt first. Only what comes
        back is revived: what else has lapsed is gone before."""
        if until is not None:
            self.expire(at, {draw.account_id})
        settles = min(points, max(-self.balance(draw.account_id), 0))
        rest = points
        for lot in reversed(self._first_in_first_out(draw.account_id)):
            key = next(key for key, known in self.lots.items() if known is lot)
            part = min(rest, draw.gave.get(key, 0))
            if not part:
                continue
            draw.gave[key] -= part
            rest -= part
            settled = min(part, settles)
            settles -= settled
            lot.remaining += part - settled
            if part > settled and lot.expires_at is not None and lot.expires_at <= at:
                lot.expires_at = until or lot.expires_at
        return points, 0, self._add(draw.account_id, points)

    def held(self, account_id: int) -> int:
        return sum(draw.held for draw in self.draws.values() if draw.account_id == account_id)

    def balance(self, account_id: int) -> int:
        return self.balances.get(account_id, 0)

    def pending(self, account_id: int) -> int:
        return sum(lot.remaining for lot in self.lots.values() if lot.account_id == account_id and lot.pending)

    def _add(self, account_id: int, points: int) -> int:
        self.balances[account_id] = self.balance(account_id) + points
        return self.balances[account_id]

    def _accrue(self, run: list[Posting], at: datetime) -> list[Done]:
        done: list[Done] = []
        for p in run:
            lot = SimpleLot(p.account_id, p.points, p.points, p.pending, p.expires_at, number=len(self.lots))
            self.lots[p.key] = lot
            if p.pending:
                done.append((0, p.points, self.balance(p.account_id)))
            else:
                done.append((p.points, 0, self._come_in(lot)))
        return done

    def _come_in(self, lot: SimpleLot) -> int:
        """Points of a lot join the balance; a debt is settled first."""
        points = lot.remaining
        lot.remaining -= min(points, max(-self.balance(lot.account_id), 0))
        return self._add(lot.account_id, points)

    def _mature(self, run: list[Posting], at: datetime) -> list[Done]:
        done: list[Done] = []
        for p in run:
            lot = self.lots.get(p.about_key)
            if lot is None or lot.account_id != p.account_id or not lot.pending or not lot.remaining:
                done.append(NOTHING)
                continue
            points = lot.remaining
            lot.pending, lot.expires_at = False, p.expires_at
            done.append((points, -points, self._come_in(lot)))
        return done

    def _first_in_first_out(self, account_id: int) -> list[SimpleLot]:
        lots = [lot for lot in self.lots.values() if lot.account_id == account_id and not lot.pending]
        return sorted(lots, key=lambda lot: (lot.expires_at is None, lot.expires_at, lot.number))

    @staticmethod
    def _take(lots: Sequence[SimpleLot], points: int) -> int:
        """Take points from lots in turn; return how many there were not."""
        for lot in lots:
            part = min(points, lot.remaining)
            lot.remaining -= part
            points -= part
        return points

    def _draw(self, run: list[Posting], at: datetime) -> list[Done]:
        short = {}
        for account_id in {p.account_id for p in run}:
            live = sum(lot.remaining for lot in self._first_in_first_out(account_id) if lot.is_live(at))
            wanted = sum(p.points for p in run if p.account_id == account_id)
            if wanted > live:
                short[account_id] = (live, wanted - live)
        if short:
            raise Short(short)
        done: list[Done] = []
        for p in run:
            before = {key: lot.remaining for key, lot in self.lots.items()}
            self._take([lot for lot in self._first_in_first_out(p.account_id) if lot.is_live(at)], p.points)
            gave = {key: before[key] - lot.remaining for key, lot in self.lots.items() if before[key] > lot.remaining}
            is_hold = p.kind is EntryKind.HOLD
            held, spent = (p.points, 0) if is_hold else (0, p.points)
            self.draws[p.key] = SimpleDraw(p.account_id, is_hold, held, spent, gave)
            done.append((-p.points, 0, self._add(p.account_id, -p.points)))
        return done

    def _reverse(self, run: list[Posting], at: datetime) -> list[Done]:
        """All postings take from their own lots before any of them takes from the others, and lapsed lots give none."""
        self.expire(at, {p.account_id for p in run})
        done: list[Done] = []
        rests: list[tuple[int, int]] = []
        for p in run:
            lot = self.lots.get(p.about_key)
            if p.about_key and (lot is None or lot.account_id != p.account_id):
                done.append(NOTHING)
                continue
            take = p.points
            if lot is not None:
                # Expired points count as taken.
                in_all = min(lot.taken_back + take, lot.points) - lot.expired
                take = min(take, lot.remaining) if lot.pending else max(in_all - lot.taken_back, 0)
                lot.taken_back += take
            if not take:
                done.append(NOTHING)
                continue
            rests.append((p.account_id, self._take([lot] if lot else [], take)))
            if lot is not None and lot.pending:
                done.append((0, -take, self.balance(p.account_id)))
            else:
                done.append((-take, 0, self._add(p.account_id, -take)))
        for account_id, rest in rests:
            self._take(self._first_in_first_out(account_id), rest)
        return done
