"""On which sorts of device a login was signed in before, so that its owner can be told of a new one.

Known is a sort ("WeChat · iPhone"), not a device: no mark is left in the browser. A login's first device is no news.
"""

from datetime import datetime, timedelta

from django.db import connection, transaction

from crm.mails.security_notices import tell_of_device
from crm.models import KnownDevice, Member

KEPT = timedelta(days=400)

# Of two sign-ins at once on the same new sort, one finds the row of the other and has no news.
_MEET = """
WITH before AS (SELECT count(*) AS number FROM crm_knowndevice WHERE user_id = %(user)s),
     met AS (
    INSERT INTO crm_knowndevice (user_id, words, first_at, last_at) VALUES (%(user)s, %(words)s, %(at)s, %(at)s)
    ON CONFLICT (user_id, words) DO UPDATE SET last_at = EXCLUDED.last_at
    RETURNING id, xmax = 0 AS new
)
SELECT met.id, met.new AND before.number > 0 FROM met, before
"""


def meet_device(user_id: int, words: str, at: datetime) -> None:
    """Keep that the login was signed in on such a device, and tell its member if it is a new one."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_MEET, {"user": user_id, "words": words, "at": at})
            device_id, news = cursor.fetchone()
        if news:
            member_id = Member.objects.filter(user=user_id).values_list("pk", flat=True).first()
            if member_id is not None:
                tell_of_device(member_id, device_id, words, at)


def forget_devices(at: datetime) -> None:
    """Forget sorts of device on which nobody has signed in for longer than a year."""
    KnownDevice.objects.filter(last_at__lt=at - KEPT).delete()
