"""Members who are about to move: near the next tier, about to lose theirs, or with a tier that waits to be taken.

Told from what the last review wrote down (``TierStanding``, ``TierOffer``), so that a list of a million members is read
from an index, a page at a time and by its keys.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from enum import Enum
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from crm.choices import Fall, OfferKind, OfferState, Taking
from crm.models import Member, Tier, TierGrant, TierOffer, TierStanding
from crm.tiers.holding import held_tiers, in_force
from crm.tiers.scheme import Rung, Scheme

ROWS_ON_A_PAGE = 50
ROWS_PER_CHUNK = 2_000
COUNTED_AT_MOST = 10_000
_FOUR_PLACES = Decimal("0.0001")


class Which(Enum):
    """Whom a list is about."""

    NEAR = "near"
    FALLING = "falling"
    UNCLAIMED = "unclaimed"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a list. Near is who lacks ``percent`` of the next tier's mark at most, or ``gap`` of ``metric``
    where that is named; falling is whoever is judged within ``days``."""

    which: Which
    percent: int = 20
    gap: Decimal | None = None
    metric: str = ""
    days: int = 30


# Where a page goes on: the share or instant of the last row, and its member.
Key = tuple[Decimal | datetime, int]


@dataclass(frozen=True, slots=True)
class Row:
    """A member of a list: the tier he holds, the one it is about, how much of the mark is there (None for a claim), how
    much of its only metric is missing, and until or at which instant.
    ``renewal`` says that a claim is for another term."""

    member_id: int
    name: str
    held: str
    tier: str
    share: Decimal | None
    metric: str
    missing: Decimal | None
    due: datetime | None
    renewal: bool
    key: Key


def page_of(asked: Asked, scheme: Scheme | None, *, at: datetime, after: Key | None, rows: int) -> list[Row]:
    """The next rows of a list, those behind ``after``; four queries, however many members the shop has. Without a
    scheme in force nobody is about to move by the rules."""
    if scheme is None:
        return []
    found: list[Any] = list(_behind(_chosen(asked, scheme, at), asked.which, after)[:rows])
    ids = [row.member_id for row in found]
    tiers = {tier.rank: tier for tier in Tier.objects.all()}
    names = {pk: str(member) for pk, member in Member.objects.in_bulk(ids).items()}
    known = _Known(names, held_tiers(ids, at), tiers)
    return [_row(asked.which, scheme, row, known) for row in found]


@dataclass(frozen=True, slots=True)
class _Known:
    """What a page needs to name its rows: members, the tiers that they hold by a grant, all tiers by rank."""

    names: Mapping[int, str]
    held: Mapping[int, str]
    tiers: Mapping[int, Tier]

    def tier(self, rank: int | None) -> str:
        tier = None if rank is None else self.tiers.get(rank)
        return tier.name if tier else "–"


def all_of(asked: Asked, scheme: Scheme | None, *, at: datetime) -> Iterator[Row]:
    """All rows of a list, a chunk in memory at a time."""
    after: Key | None = None
    while rows := page_of(asked, scheme, at=at, after=after, rows=ROWS_PER_CHUNK):
        yield from rows
        after = rows[-1].key


def number_of(asked: Asked, scheme: Scheme | None, *, at: datetime) -> int:
    """How many members a list has; counted no further than one above ``COUNTED_AT_MOST``."""
    if scheme is None:
        return 0
    return _chosen(asked, scheme, at).order_by()[: COUNTED_AT_MOST + 1].count()


def _chosen(asked: Asked, scheme: Scheme, at: datetime) -> "QuerySet[Any]":
    match asked.which:
        case Which.NEAR:
            locked = TierGrant.objects.filter(in_force(at), member=OuterRef("member"), locked=True)
            near = TierStanding.objects.filter(_near(asked, scheme), next_share__isnull=False)
            if scheme.taking == Taking.CLAIM:
                # Who has all of it and may take it is on the list of those who have not, and nowhere else.
                offer = TierOffer.objects.filter(state=OfferState.OPEN, until__gt=at, member=OuterRef("member"))
                near = near.exclude(Exists(offer), next_share__gte=1)
            # Who took a tier since the last review, or was given one, has it or a higher one already.
            held = TierGrant.objects.filter(
                in_force(at), member=OuterRef("member"), tier__rank__gte=OuterRef("next_rank")
            )
            return near.exclude(Exists(locked) | Exists(held)).order_by("-next_share", "member_id")
        case Which.FALLING:
            if scheme.fall == Fall.KEEP:
                return TierStanding.objects.none()
            until = at + timedelta(days=asked.days)
            return TierStanding.objects.filter(keep_share__lt=1, keep_due_at__gt=at, keep_due_at__lte=until).order_by(
                "keep_due_at", "member_id"
            )
        case Which.UNCLAIMED:
            offers = TierOffer.objects.filter(state=OfferState.OPEN, until__gt=at)
            return offers.select_related("tier").order_by("until", "member_id")


def _near(asked: Asked, scheme: Scheme) -> Q:
    if asked.gap is None:
        return Q(next_share__gte=1 - Decimal(asked.percent) / 100)
    near = Q(pk__in=[])
    for rung in scheme.rungs:
        if (share := share_at_gap_rounded_down(rung, asked.metric, asked.gap)) is not None:
            near |= Q(next_rank=rung.rank, next_share__gte=share)
    return near


def share_at_gap_rounded_down(rung: Rung, metric: str, gap: Decimal) -> Decimal | None:
    """Which share of a rung's mark is there when ``gap`` of a metric is missing; None where the rung does not ask for
    it."""
    for threshold in rung.reach.thresholds:
        if threshold.metric == metric and threshold.at_least > 0:
            return max(1 - gap / threshold.at_least, Decimal(0)).quantize(_FOUR_PLACES, ROUND_DOWN)
    return None


def missing_rounded_up(rung: Rung | None, share: Decimal | None) -> tuple[str, Decimal | None]:
    """The metric of a rung that asks for one only, and about how much of it is missing, in whole units."""
    if rung is None or share is None or len(rung.reach.thresholds) != 1:
        return "", None
    [threshold] = rung.reach.thresholds
    return threshold.metric, (threshold.at_least * (1 - share)).quantize(Decimal(1), ROUND_UP)


def _behind(chosen: "QuerySet[Any]", which: Which, after: Key | None) -> "QuerySet[Any]":
    if after is None:
        return chosen
    value, member_id = after
    field, beyond = {
        Which.NEAR: ("next_share", "lt"), Which.FALLING: ("keep_due_at", "gt"), Which.UNCLAIMED: ("until", "gt"),
    }[which]  # fmt: skip
    return chosen.filter(Q(**{f"{field}__{beyond}": value}) | Q(**{field: value, "member_id__gt": member_id}))


def _row(which: Which, scheme: Scheme, row: Any, known: _Known) -> Row:
    name = known.names.get(row.member_id, f"#{row.member_id}")
    held = known.held.get(row.member_id) or known.tier(0)
    if which is Which.UNCLAIMED:
        renewal = row.kind == OfferKind.RENEWAL
        return Row(
            row.member_id, name, held, row.tier.name, None, "", None, row.until, renewal, (row.until, row.member_id)
        )  # fmt: skip
    if which is Which.FALLING:
        key = row.keep_due_at, row.member_id
        return Row(row.member_id, name, held, held, row.keep_share, "", None, row.keep_due_at, False, key)
    tier = known.tier(row.next_rank)
    metric, missing = missing_rounded_up(scheme.rung(row.next_rank), row.next_share)
    key = row.next_share, row.member_id
    return Row(row.member_id, name, held, tier, row.next_share, metric, missing, None, False, key)


def key_in_words(key: Key) -> str:
    """A key for the address of a page."""
    value, member_id = key
    return f"{value.isoformat() if isinstance(value, datetime) else value}~{member_id}"


def read_key(which: Which, text: str) -> Key | None:
    """Read what ``key_in_words`` wrote; None for anything else."""
    value, _tilde, member_id = text.partition("~")
    if not member_id.isdecimal() or len(member_id) > 18:
        return None
    try:
        if which is Which.NEAR:
            share = Decimal(value)
            return (share, int(member_id)) if share.is_finite() else None
        instant = datetime.fromisoformat(value)
    except (ValueError, ArithmeticError):
        return None
    return (instant, int(member_id)) if instant.tzinfo else None


def metrics_of(scheme: Scheme) -> Sequence[str]:
    """The metrics that any tier asks for to be reached."""
    return sorted({threshold.metric for rung in scheme.rungs for threshold in rung.reach.thresholds})
