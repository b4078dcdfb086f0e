"""What a scheme would do to the members as they are, before it is published. Nothing is written.

Everybody is looked at as if the scheme were in force since just now. Moves that wait for something (a claim, an order,
a review day, the end of a term) are counted by what they wait for: the figures are those of today, so they say what
comes if nobody buys anything more.

A page calls ``preview`` directly for a small shop; for a large one ``crm.tiers.preview_jobs.start`` has a worker do it
and keeps the result as ``Preview.as_json`` gives it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from crm.choices import Effect, Fall, KeepCheck, Taking, WindowKind
from crm.models import Member, Tier
from crm.tiers.decide import Occasion
from crm.tiers.figures_sql import Members
from crm.tiers.looks import Look
from crm.tiers.scheme import Scheme
from crm.tiers.statements import decision_sql
from crm.tiers.windows import Window, window_start

MEMBERS_PER_CHUNK = 20_000
EXAMPLES = 5
_CENT = Decimal("0.01")


class When(Enum):
    """What a move waits for. ``STAY`` is no move."""

    STAY = "stay"
    NOW = "now"
    CLAIM = "claim"
    NEXT_ORDER = "next_order"
    REVIEW_DAY = "review_day"
    TERM_END = "term_end"


@dataclass(frozen=True, slots=True)
class Flow:
    """``members`` go from one rank to another. ``examples`` are the ids of some of them, ``turnover`` what all of them
    paid in the last quarter, in yuan."""

    from_rank: int
    to_rank: int
    when: When
    members: int
    examples: tuple[int, ...]
    turnover: Decimal


@dataclass(frozen=True, slots=True)
class RungPreview:
    """A tier, how many members hold it today, and how many would when all moves have been made."""

    rank: int
    code: str
    name: str
    discount_percent: Decimal
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Discounts:
    """What member prices would have cost on what was paid from ``since`` on and before ``until`` (the last whole
    quarter of the calendar), in yuan: by the tiers as they are, and by those that the scheme leads to. That is a
    share of what was paid, whatever the products: special prices are not left out."""

    since: datetime
    until: datetime
    turnover: Decimal
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class Preview:
    """What a scheme would do to all ``members``."""

    at: datetime
    members: int
    flows: tuple[Flow, ...]
    rungs: tuple[RungPreview, ...]
    discounts: Discounts

    def moving(self, direction: int) -> int:
        """How many go up (1), down (-1) or stay where they are (0)."""
        return sum(flow.members for flow in self.flows if _sign(flow.to_rank - flow.from_rank) == direction)

    def as_json(self) -> dict[str, Any]:
        """For the table of jobs; ``from_json`` reads it."""
        return {
            "at": self.at.isoformat(),
            "members": self.members,
            "flows": [
                [f.from_rank, f.to_rank, f.when.value, f.members, list(f.examples), str(f.turnover)] for f in self.flows
            ],
            "rungs": [[r.rank, r.code, r.name, str(r.discount_percent), r.before, r.after] for r in self.rungs],
            "discounts": [
                self.discounts.since.isoformat(),
                self.discounts.until.isoformat(),
                *map(str, (self.discounts.turnover, self.discounts.before, self.discounts.after)),
            ],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Preview":
        """Read what ``as_json`` gave."""
        since, until, *amounts = data["discounts"]
        return cls(
            datetime.fromisoformat(data["at"]),
            data["members"],
            tuple(
                Flow(start, end, When(when), members, tuple(examples), Decimal(turnover))
                for start, end, when, members, examples, turnover in data["flows"]
            ),
            tuple(
                RungPreview(rank, code, name, Decimal(percent), before, after)
                for rank, code, name, percent, before, after in data["rungs"]
            ),
            Discounts(datetime.fromisoformat(since), datetime.fromisoformat(until), *map(Decimal, amounts)),
        )


Progress = Callable[[int, int], None]


def preview(scheme: Scheme, *, at: datetime, progress: Progress = lambda done, members: None) -> Preview:
    """Say what ``scheme``, a draft mostly, would do to all members at an instant.

    ``progress`` hears after each chunk how many members have been looked at, of how many.
    """
    draft = replace(scheme, effective_from=at)
    since, until = last_quarter(at)
    number = Member.objects.count()
    found: dict[tuple[int, int, When], Flow] = {}
    after = done = 0
    while (last := _end_of_chunk(after)) is not None:
        for flow in _flows(draft, Members(after=after, last=last), at, since, until):
            done += flow.members
            key = flow.from_rank, flow.to_rank, flow.when
            found[key] = _together(found[key], flow) if key in found else flow
        after = last
        progress(min(done, number), number)
    flows = tuple(found[key] for key in sorted(found, key=lambda key: (key[0], key[1], key[2].value)))
    rungs = _rungs(flows)
    return Preview(at, done, flows, rungs, _discounts(flows, rungs, since, until))


def last_quarter(at: datetime) -> tuple[datetime, datetime]:
    """The last quarter of the calendar that is over at an instant: its first instant and its end."""
    zone = ZoneInfo(settings.PROGRAMME_TIME_ZONE)
    quarter = Window(WindowKind.PERIOD, 3)
    until = window_start(quarter, at + timedelta(microseconds=1), zone) or at
    return window_start(quarter, until, zone) or until, until


def _end_of_chunk(after: int) -> int | None:
    ids = Member.objects.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:MEMBERS_PER_CHUNK]
    return max(ids, default=None)


_TURNOVER = """
SELECT o.member_id, sum(o.paid - o.refunded) AS amount
  FROM crm_order AS o
 WHERE {members} AND o.status IN ('paid', 'shipped', 'completed')
   AND coalesce(o.paid_at, o.placed_at) >= {since} AND coalesce(o.paid_at, o.placed_at) < {until}
   AND o.channel_id IN (SELECT c.id FROM crm_channel AS c WHERE c.currency = %(currency)s)
 GROUP BY o.member_id
"""


def _flows(scheme: Scheme, members: Members, at: datetime, since: datetime, until: datetime) -> list[Flow]:
    statement = decision_sql(scheme, members, Look(Occasion.NOW, at))
    values = statement.values
    rises, falls = "j.reached > j.judged_rank AND NOT j.locked", _falls(scheme)
    turnover = _TURNOVER.format(
        members=members.condition("o.member_id"),
        since=values.add(since, "timestamptz"),
        until=values.add(until, "timestamptz"),
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"""{statement.ctes}, turnover AS ({turnover}), moves AS (
                SELECT j.member_id, j.judged_rank AS from_rank,
                       CASE WHEN {rises} THEN j.reached WHEN {falls} THEN j.lower ELSE j.judged_rank END AS to_rank,
                       CASE WHEN {rises} THEN '{_rise_waits(scheme).value}'
                            WHEN {falls} THEN '{_fall_waits(scheme).value}' ELSE 'stay' END AS waits
                  FROM judged AS j
            )
            SELECT m.from_rank, m.to_rank, m.waits, count(*),
                   (array_agg(m.member_id ORDER BY m.member_id))[:{EXAMPLES}], coalesce(sum(t.amount), 0)
              FROM moves AS m LEFT JOIN turnover AS t ON t.member_id = m.member_id
             GROUP BY 1, 2, 3""",
            values.named,
        )
        return [
            Flow(start, end, When(waits), number, tuple(examples), amount)
            for start, end, waits, number, examples, amount in cursor.fetchall()
        ]


def _rise_waits(scheme: Scheme) -> When:
    if scheme.taking == Taking.CLAIM:
        return When.CLAIM
    return {Effect.AT_ONCE: When.NOW, Effect.NEXT_ORDER: When.NEXT_ORDER, Effect.REVIEW_DAY: When.REVIEW_DAY}[
        scheme.effect
    ]


def _falls(scheme: Scheme) -> str:
    """Who does not keep his tier, as far as anything ever looks at it."""
    if scheme.fall == Fall.KEEP:
        return "FALSE"
    looked_at = "j.ends_at IS NOT NULL" if scheme.keep_check == KeepCheck.AT_END else "TRUE"
    return f"(NOT j.kept AND NOT j.locked AND j.source <> 'manual' AND {looked_at})"


def _fall_waits(scheme: Scheme) -> When:
    return {
        KeepCheck.AT_END: When.TERM_END, KeepCheck.NEXT_ORDER: When.NEXT_ORDER, KeepCheck.REVIEW_DAY: When.REVIEW_DAY,
    }[scheme.keep_check]  # fmt: skip


def _together(flow: Flow, other: Flow) -> Flow:
    return replace(
        flow,
        members=flow.members + other.members,
        examples=(flow.examples + other.examples)[:EXAMPLES],
        turnover=flow.turnover + other.turnover,
    )


def _rungs(flows: Sequence[Flow]) -> tuple[RungPreview, ...]:
    before: dict[int, int] = {}
    after: dict[int, int] = {}
    for flow in flows:
        before[flow.from_rank] = before.get(flow.from_rank, 0) + flow.members
        after[flow.to_rank] = after.get(flow.to_rank, 0) + flow.members
    return tuple(
        RungPreview(
            tier.rank,
            tier.code,
            tier.name,
            tier.discount_percent,
            before.get(tier.rank, 0),
            after.get(tier.rank, 0),
        )
        for tier in Tier.objects.order_by("rank")
    )


def _discounts(flows: Sequence[Flow], rungs: Sequence[RungPreview], since: datetime, until: datetime) -> Discounts:
    off = {rung.rank: 1 - rung.discount_percent / 100 for rung in rungs}
    return Discounts(
        since,
        until,
        sum((flow.turnover for flow in flows), Decimal(0)),
        _cents_rounded_half_up(sum((flow.turnover * off.get(flow.from_rank, 0) for flow in flows), Decimal(0))),
        _cents_rounded_half_up(sum((flow.turnover * off.get(flow.to_rank, 0) for flow in flows), Decimal(0))),
    )


def _cents_rounded_half_up(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)


def _sign(difference: int) -> int:
    return (difference > 0) - (difference < 0)
