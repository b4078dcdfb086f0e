"""Writing mails down: in the transaction of the fact, set-based, once for each key."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction

from crm.choices import MailState
from crm.later import call_later
from crm.mails.kinds import mail_kind

# Where a member's mails go: the address that he proved by signing in, else what the shop has typed, else what the
# platform that saw him last says, unless it is masked. ``m`` is the member, ``u`` his login.
ADDRESS = """coalesce(
    nullif(u.email, ''),
    nullif(m.email, ''),
    (SELECT i.email FROM crm_identity AS i
      WHERE i.member_id = m.id AND i.email <> '' AND position('*' IN i.email) = 0
      ORDER BY i.seen_at DESC NULLS LAST, i.id DESC LIMIT 1),
    '')"""
# ``p`` is what the member has said about mails, where he has said anything.
_WANTED = "(p.member_id IS NULL OR NOT (p.refuses_all OR %(kind)s = ANY (p.refused)))"

# Keys go in in their order, so that two who write the same ones wait for each other and not in a circle.
_QUEUE = f"""
WITH notice AS MATERIALIZED ({{notices}}),
look AS MATERIALIZED (
    SELECT n.*, {ADDRESS} <> '' AS reachable, {_WANTED} AS wanted
      FROM notice AS n
      JOIN crm_member AS m ON m.id = n.member_id
      LEFT JOIN crm_user AS u ON u.id = m.user_id
      LEFT JOIN crm_mailpreference AS p ON p.member_id = m.id
),
put AS (
    INSERT INTO crm_mail (key, kind, member_id, facts, state, queued_at, due_at, useless_after, attempts,
                          address, subject, problem, reply)
    SELECT %(kind)s || ':' || fact, %(kind)s, member_id, facts, %(queued)s, %(at)s, %(at)s, useless_after, 0,
           '', '', '', ''
      FROM look WHERE reachable AND wanted ORDER BY fact
    ON CONFLICT (key) DO NOTHING
    RETURNING 1
)
SELECT count(*), (SELECT count(*) FROM put), count(*) FILTER (WHERE NOT reachable),
       count(*) FILTER (WHERE reachable AND NOT wanted)
  FROM look
"""

_GIVEN = """
SELECT fact, member_id, facts, useless_after
  FROM jsonb_to_recordset(%(notices)s::jsonb)
    AS n (fact text, member_id bigint, facts jsonb, useless_after timestamptz)
"""


@dataclass(frozen=True, slots=True)
class Notice:
    """What one member is to be told. ``fact`` names the fact among all of its kind, and makes the key with it; after
    ``useless_after`` the mail is not sent any more."""

    fact: str
    member_id: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    useless_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """What became of notices: how many were written down, and of the others how many had been before, go to members
    without an address, and are of a kind that the member does not want."""

    queued: int = 0
    known: int = 0
    unreachable: int = 0
    unwanted: int = 0


def queue_mails(kind: str, notices: Sequence[Notice], *, at: datetime) -> Queued:
    """Write down a mail of one kind for each notice, in the caller's transaction; a worker sends them after its commit.

    A fact that was told before is not told again, whatever became of that mail. Raises ``LookupError`` for an unknown
    kind.
    """
    given = [
        {"fact": n.fact, "member_id": n.member_id, "facts": n.facts, "useless_after": n.useless_after} for n in notices
    ]
    return queue_selected(kind, _GIVEN, {"notices": json.dumps(given, cls=DjangoJSONEncoder)}, at=at)


def queue_selected(kind: str, select: str, parameters: Mapping[str, Any], *, at: datetime) -> Queued:
    """Do the same for the rows of a statement: ``fact`` text, ``member_id``, ``facts`` jsonb and ``useless_after``.

    ``parameters`` are named and may not be called ``kind``, ``at`` or ``queued``, which the statement can use too. One
    statement, however many members. Raises ``LookupError`` for an unknown kind.
    """
    code = mail_kind(kind).code
    values = {**parameters, "kind": code, "at": at, "queued": MailState.QUEUED.value}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_QUEUE.format(notices=select), values)
        found, queued, unreachable, unwanted = cursor.fetchone()
        if queued:
            wake()
    return Queued(queued, found - queued - unreachable - unwanted, unreachable, unwanted)


def address_of(member_id: int) -> str:
    """Return where a member's mails go, "" for nowhere."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {ADDRESS} FROM crm_member AS m LEFT JOIN crm_user AS u ON u.id = m.user_id WHERE m.id = %s",
            [member_id],
        )
        row = cursor.fetchone()
    return row[0] if row else ""


def wake() -> None:
    """Have a worker look at the outbox as soon as this transaction is committed."""
    call_later("crm.tasks.send_mails")
