"""Members of whom nothing is known but a name on a channel, so that they find what is theirs when they come."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction

from crm.orders import lock_recording


class Newcomer(NamedTuple):
    """A name on a channel, with the complete mail address and phone that are known of it, if any."""

    channel_id: int
    external_id: str
    email: str
    phone: str
    joined_at: datetime


_MAKE = """
WITH fresh AS (
    SELECT nextval(pg_get_serial_sequence('crm_member', 'id')) AS id, n.*
      FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
           AS n (channel_id, external_id, email, phone, joined_at)
     WHERE NOT EXISTS (
           SELECT FROM crm_identity AS i WHERE i.channel_id = n.channel_id AND i.external_id = n.external_id
     )
), members AS (
    INSERT INTO crm_member (id, name, email, phone, note, joined_at)
    SELECT id, '', '', '', '', joined_at FROM fresh
)
INSERT INTO crm_identity (channel_id, external_id, member_id, name, email, phone)
SELECT channel_id, external_id, id, '', email, phone FROM fresh
"""


def make_newcomers(newcomers: Sequence[Newcomer]) -> int:
    """Make a member for each name that nobody has yet, and return how many were made. The names differ.

    An order of such a buyer finds him by his name, as if an earlier order had brought him. Takes the channels' locks,
    in ascending order and until the end of the transaction, so that an import does not make the same ones meanwhile.
    """
    if not newcomers:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        for channel_id in sorted({newcomer.channel_id for newcomer in newcomers}):
            lock_recording(cursor, channel_id)
        cursor.execute(_MAKE, [list(column) for column in zip(*newcomers, strict=True)])
        return int(cursor.rowcount)
