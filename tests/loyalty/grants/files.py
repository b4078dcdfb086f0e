"""Tables of whom and how many points, as small as a story needs them."""

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl import Workbook

from crm.models import Member, User
from loyalty.grants import approval, jobs, making
from loyalty.models import Grant, GrantRow

HEADER = "channel,name on the platform,points"


def csv_file(
    *lines: str, header: str = HEADER, encoding: str = "utf-8", name: str = "points.csv"
) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, "\n".join((header, *lines)).encode(encoding))


def workbook(*rows: Sequence[Any], name: str = "points.xlsx") -> SimpleUploadedFile:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(list(row))
    content = io.BytesIO()
    book.save(content)
    return SimpleUploadedFile(name, content.getvalue())


def checked(file: SimpleUploadedFile, maker: User, at: datetime) -> Grant:
    """Upload a file and check it."""
    grant = making.upload(file, actor_id=maker.pk, at=at)
    making.check(grant.pk, at=at)
    grant.refresh_from_db()
    return grant


def posted(grant: Grant, at: datetime, **choices: Any) -> Grant:
    """Confirm a grant and run it to its end."""
    approval.confirm(grant.pk, actor_id=grant.made_by_id, at=at, **{"reason": "A gift", **choices})
    jobs.run(grant.pk, clock=lambda: at)
    grant.refresh_from_db()
    return grant


def problems(grant: Grant) -> dict[int, str]:
    """What is wrong with which line."""
    return dict(grant.rows.exclude(code="").order_by("line_no").values_list("line_no", "code"))


def outcomes(grant: Grant) -> dict[int, str]:
    """What became of which line."""
    return dict(grant.rows.exclude(outcome="").order_by("line_no").values_list("line_no", "outcome"))


def row(grant: Grant, line_no: int) -> GrantRow:
    return grant.rows.get(line_no=line_no)


def of(member: Member, points: object) -> str:
    """A line that names a member by his number, for ``header=BY_NUMBER``."""
    return f"{member.pk},{points}"


BY_NUMBER = "member id,points"
