"""The book of tier schemes: drafts, published versions, which are frozen, and which of them counts when.

A draft is made from a published scheme, edited, and published as the next version. What is published stays as it is:
the database refuses to change it, and grants name the version that they were given under. Going back to an earlier
version publishes a copy of it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from crm.choices import (
    Climb,
    Effect,
    Fall,
    KeepCheck,
    RefundPolicy,
    Restart,
    SchemeState,
    Taking,
    WindowKind,
)
from crm.models import Tier, TierRung, TierScheme
from crm.tiers.checking import SchemeProblem, problems
from crm.tiers.scheme import Rung, Scheme, mark_from_json
from crm.tiers.windows import Window

_PUBLISHING = 0x70_6B_74_73  # "pkts", among the advisory locks of the database: versions are counted one by one.

# The columns of a scheme that say how members move; what is beside them says who published it and when.
SETTINGS = (
    "taking", "effect", "climb", "review_months", "reach_window", "reach_length", "keep_window", "keep_length",
    "restart", "validity_months", "keep_check", "fall", "on_refund", "claim_days", "renew_days", "success_after_days",
    "currency",
)  # fmt: skip
_RUNG_FIELDS = ("tier_id", "reach", "reach_any", "keep", "keep_any")


class InvalidScheme(Exception):
    """The scheme cannot be published; ``problems`` says why."""

    def __init__(self, found: Sequence[SchemeProblem]) -> None:
        super().__init__("; ".join(str(problem.message) for problem in found))
        self.problems = list(found)


class NotADraft(Exception):
    """The scheme does not exist any more, or has been published meanwhile."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The time for which a published scheme counts: from ``since`` on and before ``until`` (None: until further
    notice)."""

    scheme: Scheme
    since: datetime
    until: datetime | None


def segments(at: datetime) -> list[Segment]:
    """The schemes that have counted up to an instant, the first one first; the last one is in force. Two queries."""
    rows = (
        TierScheme.objects.filter(state=SchemeState.PUBLISHED, effective_from__lte=at)
        .order_by("effective_from", "version")
        .prefetch_related("rungs__tier")
    )
    # Of two that begin together the later version counts.
    by_start = {row.effective_from: row for row in rows if row.effective_from is not None}
    starts = [*by_start, None]
    return [
        Segment(scheme_of(row), since, until) for (since, row), until in zip(by_start.items(), starts[1:], strict=True)
    ]


def scheme_at(at: datetime) -> Scheme | None:
    """The scheme in force at an instant; None while tiers move by hand only."""
    row = (
        TierScheme.objects.filter(state=SchemeState.PUBLISHED, effective_from__lte=at)
        .order_by("-effective_from", "-version")
        .prefetch_related("rungs__tier")
        .first()
    )
    return scheme_of(row) if row else None


def scheme_of(row: TierScheme) -> Scheme:
    """A scheme of the database, a draft or a published one, as data. The rungs' tiers should be prefetched."""
    rungs = []
    for rung in row.rungs.all():
        reach = mark_from_json(rung.reach, rung.reach_any)
        keep = mark_from_json(rung.keep, rung.keep_any) if rung.keep else reach
        rungs.append(Rung(rung.tier.code, rung.tier.rank, reach, keep))
    return Scheme(
        version=row.version or 0,
        rungs=tuple(sorted(rungs, key=lambda rung: rung.rank)),
        taking=Taking(row.taking),
        effect=Effect(row.effect),
        climb=Climb(row.climb),
        reach_window=Window(WindowKind(row.reach_window), row.reach_length),
        keep_window=Window(WindowKind(row.keep_window), row.keep_length),
        restart=Restart(row.restart),
        validity_months=row.validity_months,
        keep_check=KeepCheck(row.keep_check),
        fall=Fall(row.fall),
        review_months=row.review_months,
        on_refund=RefundPolicy(row.on_refund),
        claim_days=row.claim_days,
        renew_days=row.renew_days,
        success_after_days=row.success_after_days,
        currency=row.currency,
        effective_from=row.effective_from,
        id=row.pk,
    )


def find_scheme(scheme_id: int) -> Scheme:
    """The scheme of an id, a draft or a published one. Raises TierScheme.DoesNotExist."""
    return scheme_of(TierScheme.objects.prefetch_related("rungs__tier").get(pk=scheme_id))


def content_of(scheme: Scheme) -> str:
    """A digest of all that a scheme says of how members move, to tell whether it is still what somebody has seen. Its
    version, and from when on it counts, are no part of that."""
    said = asdict(replace(scheme, version=0, id=0, effective_from=None))
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def draft_of(version: int, *, at: datetime, actor_id: int | None, note: str = "") -> TierScheme:
    """Begin a draft with the settings and rungs of a published version; 0 begins with none.

    Raises TierScheme.DoesNotExist for a version that was never published.
    """
    with transaction.atomic():
        draft = TierScheme(created_at=at, created_by_id=actor_id, note=note)
        rungs: list[dict[str, Any]] = []
        if version:
            base = TierScheme.objects.get(version=version)
            draft.based_on = base
            for name in SETTINGS:
                setattr(draft, name, getattr(base, name))
            rungs = list(base.rungs.values(*_RUNG_FIELDS))
        draft.save()
        TierRung.objects.bulk_create(TierRung(scheme=draft, **rung) for rung in rungs)
    return draft


def save_draft(draft_id: int, settings: Mapping[str, Any], rungs: Sequence[Mapping[str, Any]]) -> list[SchemeProblem]:
    """Write the settings (named as in ``SETTINGS``; those left out stay) and all rungs of a draft.

    A rung is ``{"tier": code, "reach": […], "reach_any": bool, "keep": […], "keep_any": bool}``, with thresholds as
    in ``crm.models.TierRung``. Returns what publishing it would be refused for. Raises NotADraft, Tier.DoesNotExist
    and KeyError for a setting that there is not.
    """
    with transaction.atomic():
        draft = _locked_draft(draft_id)
        for name, value in settings.items():
            if name not in SETTINGS and name != "note":
                raise KeyError(name)
            setattr(draft, name, value)
        draft.save()
        draft.rungs.all().delete()
        tiers = {tier.code: tier for tier in Tier.objects.all()}
        for rung in rungs:
            if rung["tier"] not in tiers:
                raise Tier.DoesNotExist(rung["tier"])
        TierRung.objects.bulk_create(
            TierRung(
                scheme=draft,
                tier=tiers[rung["tier"]],
                reach=[_threshold(row) for row in rung["reach"]],
                reach_any=rung.get("reach_any", False),
                keep=[_threshold(row) for row in rung.get("keep", ())],
                keep_any=rung.get("keep_any", False),
            )
            for rung in rungs
        )
    return draft_problems(draft_id)


def draft_problems(draft_id: int) -> list[SchemeProblem]:
    """Why the draft could not be published as it is; empty when it could."""
    return problems(find_scheme(draft_id), has_base=Tier.objects.filter(rank=0).exists())


def discard_draft(draft_id: int) -> None:
    """Throw a draft away. Raises NotADraft."""
    with transaction.atomic():
        _locked_draft(draft_id).delete()


def publish(draft_id: int, *, effective_from: datetime, at: datetime, actor_id: int | None, reason: str) -> TierScheme:
    """Publish a draft as the next version: from ``effective_from`` on it says who moves.

    Nobody moves by this itself; the next review does it. ``effective_from`` may not lie before ``at``: who held what
    until now stays history. Raises InvalidScheme with all that is wrong, NotADraft, and ValueError without a reason or
    for a date that is past.
    """
    if not reason.strip():
        raise ValueError("a change of the tier scheme needs a reason")
    if effective_from < at:
        raise ValueError("a tier scheme begins now or later")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_PUBLISHING])
        draft = _locked_draft(draft_id)
        if found := draft_problems(draft_id):
            raise InvalidScheme(found)
        latest = TierScheme.objects.aggregate(latest=Max("version"))["latest"] or 0
        draft.version = latest + 1
        draft.state = SchemeState.PUBLISHED
        draft.effective_from = effective_from
        draft.published_at = at
        draft.published_by_id = actor_id
        draft.reason = reason
        draft.content = _digest(draft)
        draft.save()
    return draft


def roll_back(version: int, *, at: datetime, actor_id: int | None, reason: str) -> TierScheme:
    """Publish an earlier version again, as the next one, from now on. Raises as ``draft_of`` and ``publish`` do."""
    with transaction.atomic():
        note = _("Back to version %(version)s") % {"version": version}
        draft = draft_of(version, at=at, actor_id=actor_id, note=note)
        return publish(draft.pk, effective_from=at, at=at, actor_id=actor_id, reason=reason)


def _threshold(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "metric": row["metric"],
        "at_least": str(Decimal(str(row["at_least"]))),
        "strict": bool(row.get("strict", False)),
    }


def _locked_draft(draft_id: int) -> TierScheme:
    draft = TierScheme.objects.select_for_update().filter(pk=draft_id, state=SchemeState.DRAFT).first()
    if draft is None:
        raise NotADraft(draft_id)
    return draft


def _digest(draft: TierScheme) -> str:
    content = {name: getattr(draft, name) for name in SETTINGS}
    rungs = list(draft.rungs.order_by("tier__rank").values("tier__code", "reach", "reach_any", "keep", "keep_any"))
    return hashlib.sha256(json.dumps([content, rungs], sort_keys=True).encode()).hexdigest()
