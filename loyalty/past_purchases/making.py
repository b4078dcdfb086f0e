"""Uploading a table of past purchases for a named time."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import connection, transaction
from django.db.models import Value
from django.db.models.functions import Lower

from crm.api import log_action
from loyalty.grants import making
from loyalty.models import Grant, PastGap, PastPurchases
from loyalty.rulebook import published_sets, set_at

CountsFrom = PastPurchases.CountsFrom


@dataclass(frozen=True, slots=True)
class Rate:
    """``points`` for every ``per`` yuan; begun steps are rounded ``down``, ``half_up`` or ``up``."""

    per: Decimal
    points: int
    rounding: str


@dataclass(frozen=True, slots=True)
class GapFigures:
    """A named time, and how many members got how many points for it."""

    gap: PastGap
    members: int
    points: int


def plain_name(name: str) -> str:
    """The name of a time without regard to width and blanks, which nobody sees."""
    return " ".join(unicodedata.normalize("NFKC", name).split())


def upload(
    file: "UploadedFile[Any]",
    *,
    gap: str,
    rate: Rate | None,
    counts_from: CountsFrom,
    makes_members: bool,
    actor_id: int,
    at: datetime,
) -> Grant:
    """Keep a table of past purchases as a grant that waits to be checked.

    ``gap`` names the time that it is about; the same name, whatever its case, is the same time, for which a member gets
    points once. Without a ``rate`` the plain base of the rules in force at ``at`` counts, of exactly that version, also
    when the check comes later. Raises ValueError without a name.
    """
    name = plain_name(gap)
    if not name:
        raise ValueError("the time of the purchases needs a name")
    with transaction.atomic():
        PastGap.objects.bulk_create([PastGap(name=name, made_by_id=actor_id, made_at=at)], ignore_conflicts=True)
        meant = PastGap.objects.alias(plain=Lower("name")).get(plain=Lower(Value(name)))
        grant = making.upload(file, actor_id=actor_id, at=at, source=Grant.Source.PAST)
        past = PastPurchases(grant=grant, gap=meant, counts_from=counts_from, makes_members=makes_members)
        if rate is None:
            past.rule_version = set_at(published_sets(), at).version
        else:
            past.per, past.points, past.rounding = rate.per, rate.points, rate.rounding
        past.save(force_insert=True)
        log_action(
            "grant.past", actor_id=actor_id, at=at, grant=grant.pk, time=meant.name, counts_from=str(counts_from),
            makes_members=makes_members, rule_version=past.rule_version, per=rate and str(rate.per),
            points=rate and rate.points,
        )  # fmt: skip
    return grant


_FIGURES = """
SELECT p.gap_id, count(r.id), coalesce(sum(r.points), 0)::bigint
  FROM loyalty_pastpurchases AS p
  JOIN loyalty_grantrow AS r ON r.grant_id = p.grant_id AND r.outcome = 'given'
 GROUP BY p.gap_id
"""


def gaps_with_figures() -> list[GapFigures]:
    """The named times, the latest first, with what was given for each."""
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES)
        given = {gap: (members, points) for gap, members, points in cursor.fetchall()}
    return [GapFigures(gap, *given.get(gap.pk, (0, 0))) for gap in PastGap.objects.order_by("-pk")]


_ELSEWHERE = """
SELECT g.name, count(DISTINCT r.member_id)
  FROM loyalty_grantrow AS r
  JOIN loyalty_grantrow AS o ON o.member_id = r.member_id AND o.outcome = 'given' AND o.grant_id <> r.grant_id
  JOIN loyalty_pastpurchases AS p ON p.grant_id = o.grant_id AND p.gap_id <> %(gap)s
  JOIN loyalty_pastgap AS g ON g.id = p.gap_id
 WHERE r.grant_id = %(grant)s AND r.code = ''
 GROUP BY g.name ORDER BY 2 DESC, 1 LIMIT 5
"""


def given_elsewhere(grant: Grant) -> list[tuple[str, int]]:
    """How many members of this grant already have points for purchases of another time, by that time's name: maybe it
    is the same time under two names. At most five."""
    with connection.cursor() as cursor:
        cursor.execute(_ELSEWHERE, {"grant": grant.pk, "gap": grant.past.gap_id})
        return [(name, members) for name, members in cursor.fetchall()]
