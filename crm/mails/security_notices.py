"""Telling a member of what opens his points: an account connected or disconnected, a sign-in on a new sort of device.

Whoever did it himself loses a second by it; whoever did not learns of it. Each fact is told once, as its key says.
"""

from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _

from crm.choices import SocialSite
from crm.mails.kinds import MailKind, register_mail_kind
from crm.mails.queueing import Notice, queue_mails

SECURITY_NOTICE = MailKind(
    "security_notice",
    _("Sign-in security"),
    _("when an account is connected or disconnected, or somebody signs in on a new device"),
)
_WORTH_KNOWING = timedelta(days=3)


def register() -> None:
    """Make the kind known."""
    register_mail_kind(SECURITY_NOTICE)


def tell_of_account(
    member_id: int, site: SocialSite, nickname: str, *, connected: bool, by_shop: bool, action_id: int, at: datetime
) -> None:
    """Write down that an account opens his points from now on, or no longer, in the transaction of it. ``action_id`` is
    the row of the staff log that says so: the fact that is told once."""
    what = "connected" if connected else "disconnected"
    facts = {"what": what, "account_site": site.value, "nickname": nickname, "by_shop": by_shop}
    _tell(f"action:{action_id}", member_id, facts, at)


def tell_of_device(member_id: int, device_id: int, words: str, at: datetime) -> None:
    """Write down that somebody signed in on a sort of device that was never used before. ``words`` say which, and may
    be ""."""
    _tell(f"device:{device_id}", member_id, {"what": "device", "device": words}, at)


def _tell(fact: str, member_id: int, facts: dict[str, Any], at: datetime) -> None:
    notice = Notice(fact, member_id, {**facts, "happened_at": at.isoformat()}, useless_after=at + _WORTH_KNOWING)
    queue_mails(SECURITY_NOTICE.code, [notice], at=at)
