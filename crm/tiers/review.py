"""Reviewing members: whoever has reached a tier gets it or may claim it, whoever does not keep his goes down.

A review of any set of members takes the same few statements. First it looks, without any lock, who would move; then it
locks those, in ascending order, looks again with fresh eyes, and writes. So two reviews, an import and a grant by hand
at the same moment leave each member with one tier and lose none, and a review of a million members locks only the ones
it moves.

What was due earlier comes first, and as of when it was due: terms that ended, then review days, then today. A review
that comes days late does what the ones before it would have done.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from crm.choices import OrderStatus, RefundPolicy
from crm.events import OrderChanges
from crm.tiers.applying import apply_moves, lapse, lapsing, lock_members, write_standings
from crm.tiers.decide import Occasion
from crm.tiers.figures_sql import Members
from crm.tiers.looks import Look
from crm.tiers.proofs import (
    look_for_undone_grants,
    schemes_of_grants,
    schemes_of_offers,
    undone_offers,
    withdraw_offers,
)
from crm.tiers.scheme import Scheme
from crm.tiers.schemebook import Segment, segments
from crm.tiers.staging import look, staged_ids
from crm.tiers.statements import ended_members

# A term of a month that ended years ago is followed by so many others at most before the review gives up.
_MOST_TERMS = 200


@dataclass(slots=True)
class ReviewReport:
    """What a review did: how many members it looked at, and how many moved in which way ("up", "down", "renewed",
    "resumed", "taken_back"), were "offered" a tier, or had a claim "lapsed" or "withdrawn"."""

    members: int = 0
    moves: Counter[str] = field(default_factory=Counter)

    def add(self, other: "ReviewReport") -> None:
        """Add the figures of another part."""
        self.members += other.members
        self.moves += other.moves


def review_members(member_ids: Collection[int], *, at: datetime, locked: bool = False) -> ReviewReport:
    """Review these members; nothing but the instant and they decide what happens.

    Each step is a transaction of its own unless the caller has one open. ``locked`` says that the caller holds the
    locks of all of them (``crm.tiers.applying.lock_members``). Without a scheme in force nobody moves.
    """
    known = segments(at)
    if not known or not member_ids:
        return ReviewReport()
    part = Part(known, Members(ids=sorted(set(member_ids))), at, at, locked)
    part.review()
    return ReviewReport(len(set(member_ids)), part.moves)


def review_changed_orders(changes: OrderChanges, at: datetime) -> dict[str, int]:
    """Review the members of a batch of orders, in the transaction that recorded it: a handler of
    ``crm.events.on_orders_changed``. ``crm.orders`` has locked them."""
    unpaid = (OrderStatus.PLACED, OrderStatus.PAID)
    member_ids = {c.member_id for c in changes.orders if c.member_id is not None and c.status not in unpaid}
    member_ids |= {change.member_id for change in changes.returns}
    moves = review_members(member_ids, at=at, locked=True).moves
    counts = {"tiers_up": moves["up"] + moves["offered"], "tiers_down": moves["down"] + moves["taken_back"]}
    return {name: number for name, number in counts.items() if number}


@dataclass(slots=True)
class Part:
    """One set of members in the course of a review, by the schemes ``known`` (``crm.tiers.schemebook.segments``).

    They are looked at as of ``at``; what comes of it is written as granted at ``recorded_at``. ``locked`` says that
    somebody holds their locks already. ``moves`` counts what has been done.
    """

    known: Sequence[Segment]
    members: Members
    at: datetime
    recorded_at: datetime
    locked: bool = False
    moves: Counter[str] = field(default_factory=Counter)

    def review(self) -> None:
        """Do everything but review days."""
        self._do_ends(self.at)
        self._do_claims()
        self._do_refunds()
        self._do_now()

    def review_day(self, day: datetime, members: Members, done: Callable[[Counter[str]], None]) -> None:
        """Go through a review day for ``members`` of this part, after the terms that ended until then. ``done`` is
        called with the moves in the transaction that makes them."""
        self._do_ends(day)
        with transaction.atomic(), connection.cursor() as cursor:
            moves = self._move(cursor, self._segment_at(day).scheme, members, Look(Occasion.DAY, day))
            done(moves)
        self.moves += moves

    def _segment_at(self, at: datetime) -> Segment:
        return next(segment for segment in reversed(self.known) if segment.since <= at)

    def _do_ends(self, until: datetime) -> None:
        """Go through all terms that ended up to an instant, each by the scheme that was in force then."""
        members = self.members
        for _round in range(_MOST_TERMS):
            with transaction.atomic(), connection.cursor() as cursor:
                ended = ended_members(cursor, self.known[-1].scheme, members, self.known[0].since, until)
                done: Counter[str] = Counter()
                for segment in self.known:
                    ids = [member_id for member_id, end in ended if self._segment_at(end) is segment]
                    if ids:
                        look_at = Look(Occasion.END, until, segment.since, segment.until)
                        done += self._move(cursor, segment.scheme, Members(ids=ids), look_at)
            self.moves += done
            if not done:
                return
            # Only whoever got another term can have one that is over as well.
            members = Members(ids=[member_id for member_id, _end in ended])

    def _do_claims(self) -> None:
        """End claims whose time is over, and withdraw those whose mark is no longer met."""
        with transaction.atomic(), connection.cursor() as cursor:
            if ids := lapsing(cursor, self.members, self.at):
                self._lock(cursor, ids)
                self.moves["lapsed"] += lapse(cursor, Members(ids=ids), self.at)
        for scheme in self._schemes(schemes_of_offers):
            with transaction.atomic(), connection.cursor() as cursor:
                if ids := undone_offers(cursor, scheme, self.members, self.at):
                    self._lock(cursor, ids)
                    still = undone_offers(cursor, scheme, Members(ids=ids), self.at)
                    self.moves["withdrawn"] += withdraw_offers(cursor, still, self.at)

    def _do_refunds(self) -> None:
        """Take back tiers that were given for money that has gone back, where their scheme says so."""
        for scheme in self._schemes(schemes_of_grants):
            if scheme.on_refund != RefundPolicy.TAKE_BACK:
                continue
            with transaction.atomic(), connection.cursor() as cursor:
                if ids := look_for_undone_grants(cursor, scheme, self.members, self.at):
                    if not self.locked:
                        lock_members(cursor, ids)
                        look_for_undone_grants(cursor, scheme, Members(ids=ids), self.at)
                    self.moves += apply_moves(cursor, scheme, at=self.recorded_at)

    def _do_now(self) -> None:
        """Look at the members as they are now, and write where they stand."""
        scheme, now = self.known[-1].scheme, Look(Occasion.NOW, self.at)
        with transaction.atomic(), connection.cursor() as cursor:
            moves = self._move(cursor, scheme, self.members, now)
            write_standings(cursor)
            if moves:
                look(cursor, scheme, Members(ids=staged_ids(cursor)), now, moving=False)
                write_standings(cursor)
        self.moves += moves

    def _move(self, cursor: CursorWrapper, scheme: Scheme, members: Members, look_at: Look) -> Counter[str]:
        """Look, lock, look again, write."""
        ids = look(cursor, scheme, members, look_at)
        if not ids:
            return Counter()
        if not self.locked:
            lock_members(cursor, ids)
            # A new statement sees what others have committed while we waited.
            look(cursor, scheme, Members(ids=ids), look_at)
        return apply_moves(cursor, scheme, at=self.recorded_at)

    def _lock(self, cursor: CursorWrapper, member_ids: Sequence[int]) -> None:
        if not self.locked:
            lock_members(cursor, member_ids)

    def _schemes(self, of: Callable[[CursorWrapper, Members, datetime], set[int]]) -> list[Scheme]:
        with connection.cursor() as cursor:
            ids = of(cursor, self.members, self.at)
        return [segment.scheme for segment in self.known if segment.scheme.id in ids]
