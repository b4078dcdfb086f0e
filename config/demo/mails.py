"""The mails that were sent, read back from the files in which they are kept while there is no mail server."""

import email
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path

# Django's file backend ends each message of a file with such a line.
_SEPARATOR = re.compile(rb"^-{79}\r?\n", re.MULTILINE)
# A line of the mail that is nothing but a code: digits and capitals, perhaps in two groups.
_CODE = re.compile(r"^\s*([0-9A-Z]{3,8}(?:-[0-9A-Z]{3,8})?)\s*$", re.MULTILINE)
_LARGEST_FILE = 256 * 1024


@dataclass(frozen=True, slots=True)
class SentMail:
    """A mail as its reader sees it. ``code`` is the sign-in code it carries, or ""."""

    sent_at: datetime | None
    recipient: str
    subject: str
    text: str
    code: str


def latest_mails(folder: Path, limit: int = 20) -> list[SentMail]:
    """Return the mails kept in ``folder``, the latest first, at most ``limit``; none when there is no such folder.

    A file that is larger than any mail of ours is left out, and so is one that disappears while the folder is read.
    """
    mails: list[SentMail] = []
    for path in _newest_first(folder):
        try:
            content = path.read_bytes() if path.stat().st_size <= _LARGEST_FILE else b""
        except FileNotFoundError:
            continue
        mails += reversed([_read(message) for message in _SEPARATOR.split(content) if message.strip()])
        if len(mails) >= limit:
            break
    return mails[:limit]


def _newest_first(folder: Path) -> list[Path]:
    # The names begin with the instant of sending, to the second; the time of writing tells mails of one second apart.
    return sorted(folder.glob("*.log"), key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)


def _read(content: bytes) -> SentMail:
    message = email.message_from_bytes(content, _class=EmailMessage, policy=policy.default)
    body = message.get_body(preferencelist=("plain",))
    text = body.get_content().strip() if body else ""
    found = _CODE.search(text)
    return SentMail(
        sent_at=_date(message),
        recipient=str(message.get("To", "")),
        subject=str(message.get("Subject", "")),
        text=text,
        code=found[1] if found else "",
    )


def _date(message: EmailMessage) -> datetime | None:
    try:
        date = parsedate_to_datetime(str(message.get("Date", "")))
    except ValueError:
        return None
    # The zone "-0000", which Django writes, means UTC and is read as no zone at all.
    return date if date.tzinfo else date.replace(tzinfo=UTC)
