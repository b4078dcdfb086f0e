"""The night's part in tiers: everybody is looked at, and review days that have come are gone through."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from crm.models import TierReview
from crm.tiers.figures_sql import Members
from crm.tiers.review import Part, ReviewReport
from crm.tiers.schemebook import Segment, segments
from crm.tiers.windows import review_days

MEMBERS_PER_CHUNK = 20_000

_NEXT_CHUNK = """
SELECT count(*), max(id) FROM (SELECT id FROM crm_member WHERE id > %s ORDER BY id LIMIT %s) AS m
"""

Progress = Callable[[ReviewReport], None]


def review_chunk(
    due: datetime, after: int, *, at: datetime, members: int = MEMBERS_PER_CHUNK
) -> tuple[ReviewReport, int | None]:
    """Review the next members in ascending order, those with ids above ``after``, as of ``due``; it is ``at`` now.

    Returns what was done and the last member looked at, None when there was nobody left. What is done is not due any
    more: the night may stop anywhere, be repeated, and come days late. Two at once only wait for each other. Each step
    is a transaction of its own, so that it locks its members in one ascending row: call it outside of any other.
    """
    known = segments(due)
    if not known:
        return ReviewReport(), None
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_CHUNK, [after, members])
        number, last = cursor.fetchone()
    if not number:
        _finish_days(known, due)
        return ReviewReport(), None
    part = Part(known, Members(after=after, last=last), due, at)
    for day in _due_days(known, due):
        if day.after < last:
            part.review_day(day.due_at, Members(after=max(after, day.after), last=last), partial(_note, day, last))
    part.review()
    return ReviewReport(number, part.moves), last


def review_everybody(
    due: datetime, *, at: datetime, members: int = MEMBERS_PER_CHUNK, progress: Progress = lambda total: None
) -> ReviewReport:
    """Review all members as of ``due``, chunk by chunk; ``progress`` hears after each what has been done so far."""
    total = ReviewReport()
    after: int | None = 0
    while after is not None:
        report, after = review_chunk(due, after, at=at, members=members)
        total.add(report)
        progress(total)
    return total


def _due_days(known: list[Segment], due: datetime) -> list[TierReview]:
    """The review days that have come and are not done, in their order; those that nobody has begun are noted."""
    zone = ZoneInfo(settings.PROGRAMME_TIME_ZONE)
    done = TierReview.objects.filter(finished_at__isnull=False).order_by("-due_at").first()
    since = done.due_at if done else known[0].since
    for segment in known:
        if not segment.scheme.has_review_days:
            continue
        until = due if segment.until is None else min(due, segment.until)
        for day in review_days(segment.scheme.review_months, max(since, segment.since), until, zone):
            if segment.until is None or day < segment.until:
                TierReview.objects.get_or_create(
                    due_at=day, defaults={"scheme_id": segment.scheme.id, "started_at": due}
                )
    return list(TierReview.objects.filter(finished_at=None, due_at__lte=due).order_by("due_at"))


def _note(day: TierReview, last: int, moves: Counter[str]) -> None:
    day.after = last
    day.counts = dict(Counter(day.counts) + moves)
    day.save(update_fields=["after", "counts"])


def _finish_days(known: list[Segment], due: datetime) -> None:
    for day in _due_days(known, due):
        day.finished_at = due
        day.save(update_fields=["finished_at"])
