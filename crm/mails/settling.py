"""What staff decide about mails that did not go as they should: to send them again, to take them as sent, to drop them.

Each decision has a person and a reason in the staff log. Whether it may be taken is asked under the lock of the rows.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from crm.choices import MailProblem, MailState
from crm.mails.queueing import wake
from crm.models import Mail
from crm.stafflog import log_action

# What can be sent again: what failed, what may or may not have been sent, and what there was a reason not to send.
AGAIN = (MailState.FAILED, MailState.IN_DOUBT, MailState.SKIPPED)
DROPPED = (MailState.QUEUED, MailState.FAILED)


def troubled_mails() -> int:
    """Return how many mails have failed or are in doubt and wait for somebody to decide."""
    return Mail.objects.filter(state__in=[MailState.FAILED, MailState.IN_DOUBT]).count()


def send_again(mail_ids: Sequence[int], *, at: datetime, actor_id: int, reason: str) -> int:
    """Queue these mails again, as if they had never been tried; return how many. Those that are waiting, on their way
    or sent are left alone."""
    with transaction.atomic():
        changed = _settle(
            mail_ids, AGAIN, "mail.again", at=at, actor_id=actor_id, reason=reason,
            state=MailState.QUEUED, due_at=at, attempts=0, problem="", reply="",
        )  # fmt: skip
        if changed:
            wake()
    return changed


def take_as_sent(mail_ids: Sequence[int], *, at: datetime, actor_id: int, reason: str) -> int:
    """Take mails in doubt as sent, because somebody found out; return how many there were."""
    return _settle(
        mail_ids, (MailState.IN_DOUBT,), "mail.sent", at=at, actor_id=actor_id, reason=reason,
        state=MailState.SENT, sent_at=at, problem="", reply="", last_address="",
    )  # fmt: skip


def drop(mail_ids: Sequence[int], *, at: datetime, actor_id: int, reason: str) -> int:
    """Do not send mails that wait or have failed; return how many there were."""
    return _settle(
        mail_ids, DROPPED, "mail.drop", at=at, actor_id=actor_id, reason=reason,
        state=MailState.SKIPPED, problem=MailProblem.CALLED_OFF, reply="", last_address="",
    )  # fmt: skip


def _settle(
    mail_ids: Sequence[int],
    states: Sequence[MailState],
    action: str,
    *,
    at: datetime,
    actor_id: int,
    reason: str,
    **values: Any,
) -> int:
    with transaction.atomic():
        waiting = Mail.objects.select_for_update().filter(pk__in=mail_ids, state__in=states)
        found = dict(waiting.order_by("pk").values_list("pk", "state"))
        Mail.objects.filter(pk__in=found).update(**values)
        if found:
            log_action(action, actor_id=actor_id, at=at, reason=reason, number=len(found), mails=list(found)[:1000])
    return len(found)
