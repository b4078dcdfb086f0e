"""The way of a mail through its states. Every step is a compare-and-set that is committed before the next one begins.

``claim`` and ``begin_sending`` are two steps on purpose. Until the second is committed, nothing was handed over, and a
worker that dies leaves a mail that is simply tried again. Only between ``begin_sending`` and the step after it can
nobody know what the mail server did; that is as short as it can be, and what is found there is in doubt.
"""

import json
import logging
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import Q

from crm.choices import MailProblem, MailState
from crm.mails.outcomes import LEASE, after_death, after_failure
from crm.mails.queueing import ADDRESS
from crm.models import Mail

logger = logging.getLogger(__name__)

_ABANDONED_AT_ONCE = 1000
# In these states a mail may still be sent by itself, and has to know where to.
_UNDER_WAY = (MailState.QUEUED, MailState.CLAIMED, MailState.SENDING)

# The oldest mail that is due and that nobody else is just taking.
_CLAIM = """
UPDATE crm_mail SET state = %(claimed)s, token = %(token)s, lease_until = %(lease)s, attempts = attempts + 1
 WHERE id = (SELECT id FROM crm_mail WHERE state = %(queued)s AND due_at <= %(at)s
              ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id
"""
_CLAIMED = f"""
SELECT c.key, c.kind, c.facts, c.attempts, c.useless_after, m.id, m.name,
       coalesce(nullif(c.last_address, ''), {ADDRESS}), coalesce(nullif(p.language, ''), c.facts ->> 'language', ''),
       p.member_id IS NOT NULL AND (p.refuses_all OR c.kind = ANY (p.refused)), c.last_address <> ''
  FROM crm_mail AS c
  JOIN crm_member AS m ON m.id = c.member_id
  LEFT JOIN crm_user AS u ON u.id = m.user_id
  LEFT JOIN crm_mailpreference AS p ON p.member_id = m.id
 WHERE c.id = %s
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A mail in the hands of one worker, with its reader as he is now. ``attempts`` counts this one; the address of a
    ``last`` mail is kept nowhere once it has gone."""

    mail_id: int
    token: UUID
    key: str
    kind: str
    facts: dict[str, Any]
    attempts: int
    useless_after: datetime | None
    member_id: int
    name: str
    address: str
    language: str
    unwanted: bool
    last: bool = False


def claim(at: datetime) -> Claim | None:
    """Take the mail that has been due for longest, for as long as the lease lasts; None when none is due.

    Committed when it returns: two workers never have the same mail.
    """
    token = uuid4()
    states = {"claimed": MailState.CLAIMED.value, "queued": MailState.QUEUED.value}
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"token": token, "lease": at + LEASE, "at": at, **states})
        row = cursor.fetchone()
        if row is None:
            return None
        cursor.execute(_CLAIMED, [row[0]])
        key, kind, facts, *rest = cursor.fetchone()
    return Claim(row[0], token, key, kind, json.loads(facts), *rest)


def begin_sending(claim: Claim, *, address: str, subject: str, at: datetime) -> bool:
    """Write down that the mail is about to be handed over. False when the claim has lapsed: then it must not be.

    Committed when it returns.
    """
    with transaction.atomic(durable=True):
        return _move(claim, [MailState.CLAIMED], MailState.SENDING, address="" if claim.last else address,
                     subject=subject[:300], lease_until=at + LEASE)  # fmt: skip


def sent(claim: Claim, *, at: datetime) -> bool:
    """Write down that the mail server has taken the mail. False when it had been given to somebody else meanwhile,
    who may have sent it a second time."""
    # The lease of a worker that was slow may have run out, and staff may even have settled the mail: as long as no
    # other worker has begun with it, what this one knows for certain stands.
    known = _move(claim, list(MailState), MailState.SENT, sent_at=at, lease_until=None, problem="", reply="")
    if not known:
        logger.error("mail %s was sent, but another attempt had begun meanwhile", claim.mail_id)
    return known


def not_sent(claim: Claim, problem: MailProblem, reply: str = "", *, permanent: bool, at: datetime) -> None:
    """Write down that the attempt has certainly sent nothing: the mail is tried again later, or has failed for good."""
    follows = after_failure(claim.attempts, permanent=permanent, at=at)
    states = [MailState.CLAIMED, MailState.SENDING, MailState.IN_DOUBT]
    _move(claim, states, follows.state, due_at=follows.due_at, lease_until=None, problem=problem,
          reply=_without_address(reply, claim.address))  # fmt: skip


def in_doubt(claim: Claim, reply: str) -> None:
    """Write down that nobody can know whether the mail was sent: a person has to decide."""
    _move(claim, [MailState.SENDING], MailState.IN_DOUBT, lease_until=None, problem=MailProblem.NO_ANSWER,
          reply=_without_address(reply, claim.address))  # fmt: skip


def skip(claim: Claim, problem: MailProblem) -> None:
    """Write down that the mail is not sent, and why."""
    _move(claim, [MailState.CLAIMED], MailState.SKIPPED, lease_until=None, problem=problem)


def take_up_abandoned(at: datetime) -> int:
    """Settle mails whose worker has died or hangs; return how many. See ``outcomes.after_death``."""
    with transaction.atomic():
        left = (
            Mail.objects.select_for_update(skip_locked=True)
            .filter(lease_until__lt=at)
            .order_by("lease_until", "pk")[:_ABANDONED_AT_ONCE]
        )
        mails = list(left)
        for mail in mails:
            doubt = mail.state == MailState.SENDING
            follows = after_death(MailState(mail.state), mail.attempts, at)
            mail.state, mail.due_at, mail.lease_until = follows.state, follows.due_at, None
            mail.problem = MailProblem.NO_ANSWER if doubt else MailProblem.BROKE_OFF
            mail.reply = ""
            if follows.state not in _UNDER_WAY:
                mail.last_address = ""
        Mail.objects.bulk_update(mails, ["state", "due_at", "lease_until", "problem", "reply", "last_address"])
    return len(mails)


def _move(claim: Claim, states: list[MailState], state: MailState, **values: Any) -> bool:
    """Bring a mail from one of these states into another, if it is still this worker's."""
    if state not in _UNDER_WAY:
        values["last_address"] = ""
    mine = Q(pk=claim.mail_id, token=claim.token, state__in=states)
    return bool(Mail.objects.filter(mine).update(state=state, **values))


def _without_address(reply: str, address: str) -> str:
    """Take the recipient out of what a mail server said: the list of mails shows addresses to few."""
    said = re.sub(re.escape(address), "<…>", reply, flags=re.IGNORECASE) if address else reply
    return said[:300]
