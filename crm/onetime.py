"""Codes that are sent to a phone or an address and typed into a page: kept as hashes, for ten minutes, good once."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import connection
from django.utils.crypto import salted_hmac

from crm.models import OneTimeCode

CODE_LIFE = timedelta(minutes=10)
TRIES = 5
DIGITS = 6


class CodeUse(StrEnum):
    """What a code is for; one for the one is none for the other."""

    SIGN_IN = "sign_in"
    PROOF = "proof"


class Answer(StrEnum):
    """What became of a code that somebody typed."""

    RIGHT = "right"
    WRONG = "wrong"
    OVER = "over"  # Too late, too many tries, used before, or never sent.


@dataclass(frozen=True, slots=True)
class Issued:
    """A new code: ``ticket`` stays with the browser that asked, ``code`` goes to the phone or the address."""

    ticket: str
    code: str


def issue_code(use: CodeUse, member_id: int | None, at: datetime) -> Issued:
    """Make a code for a member; for nobody it costs the same and fits nothing."""
    ticket = secrets.token_urlsafe(32)
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    OneTimeCode.objects.create(
        ticket=ticket, purpose=use, digest=_digest(ticket, code), member_id=member_id, tries_left=TRIES,
        expires_at=at + CODE_LIFE,
    )  # fmt: skip
    return Issued(ticket, code)


# A try is counted before it is looked at, so that many at once are no more tries than one after the other.
_TRY = """
UPDATE crm_onetimecode SET tries_left = tries_left - 1
 WHERE ticket = %s AND purpose = %s AND tries_left > 0 AND expires_at > %s
RETURNING digest, member_id, tries_left
"""


def check_code(use: CodeUse, ticket: str, typed: str, at: datetime) -> tuple[Answer, int | None]:
    """Say whether the typed code is the one of the ticket, and whose it is. The right one is used up by this."""
    code = "".join(sign for sign in typed if sign.isalnum())
    with connection.cursor() as cursor:
        cursor.execute(_TRY, [ticket, use, at])
        row = cursor.fetchone()
    if row is None:
        return Answer.OVER, None
    digest, member_id, tries_left = row
    if not hmac.compare_digest(digest, _digest(ticket, code)) or member_id is None:
        return (Answer.WRONG if tries_left else Answer.OVER), None
    used, _rows = OneTimeCode.objects.filter(ticket=ticket).delete()
    return (Answer.RIGHT, member_id) if used else (Answer.OVER, None)


def forget_codes(at: datetime) -> int:
    """Delete the codes that are over; returns how many."""
    deleted, _rows = OneTimeCode.objects.filter(expires_at__lte=at).delete()
    return deleted


def _digest(ticket: str, code: str) -> str:
    return salted_hmac("crm.onetime", f"{ticket}:{code}", algorithm="sha256").hexdigest()
