"""Lists of members from upload to report, as short as a story needs it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

from django.core.files.uploadedfile import SimpleUploadedFile

from crm.choices import ListKind
from crm.memberlists import jobs
from crm.memberlists.importing import ListReport
from crm.models import MemberList, PlatformTool
from tests.cast import NOON


def uploaded(
    text: str, tool: PlatformTool | None = None, *, kind: ListKind = ListKind.GRADES, seen_at: datetime = NOON,
    at: datetime = NOON, reason: str = "From the tool", encoding: str = "utf-8",
) -> MemberList:  # fmt: skip
    """A list that was uploaded and looked at."""
    upload = SimpleUploadedFile("list.csv", text.encode(encoding))
    found = jobs.create(
        kind=kind,
        tool_id=tool.pk if tool else None,
        seen_at=seen_at,
        reason=reason,
        upload=upload,
        actor_id=None,
        at=at,
    )
    jobs.check(found.pk, clock=lambda: at)
    found.refresh_from_db()
    return found


def import_list(text: str, tool: PlatformTool | None = None, *, at: datetime = NOON, **facts: object) -> MemberList:
    """A list that was uploaded, confirmed and written."""
    found = uploaded(text, tool, at=at, **facts)  # type: ignore[arg-type]
    jobs.confirm(found.pk, actor_id=None, at=at)
    jobs.run(found.pk, clock=lambda: at)
    found.refresh_from_db()
    return found


def said(found: MemberList) -> ListReport:
    return ListReport.from_json(found.report)


def ticking(at: datetime = NOON) -> Callable[[], datetime]:
    """A clock that moves on by a second each time it is read."""
    seconds = count()
    return lambda: at + timedelta(seconds=next(seconds))
