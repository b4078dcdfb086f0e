"""The last mail to a member: that his data is erased. It is the only one that knows its own address.

Everywhere else an address is looked up when a mail is sent. Here there is none to be looked up any more, so the row
keeps it, and forgets it when the mail is sent, has failed, is in doubt or called off: ``crm.mails.outbox`` empties it,
and a constraint of the table refuses whatever would not.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext_lazy as _

from crm.choices import MailState
from crm.mails.kinds import MailKind, register_mail_kind
from crm.mails.queueing import address_of, wake
from crm.models import Mail, MailPreference

DATA_ERASED = MailKind("data_erased", _("Data erased"), _("because your data was erased"), optional=False)
# A mail server that is away for so long keeps the address from being forgotten; then it is forgotten without the mail.
_TRIED_FOR = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom a last mail goes to: his address, "" where he has none, and his language, "" for the shop's."""

    address: str
    language: str


def register() -> None:
    """Make the kind known."""
    register_mail_kind(DATA_ERASED)


def reader_of(member_id: int) -> Reader:
    """Return to whom a member's last mail would go; to be asked before he is erased."""
    language = MailPreference.objects.filter(pk=member_id).values_list("language", flat=True).first()
    return Reader(address_of(member_id), language or "")


def say_farewell(member_id: int, reader: Reader, at: datetime) -> None:
    """Write down that his data was erased, in the transaction that does so; for whoever has no address, nothing.

    It also goes to whoever wants no mails: it is the receipt for a right, and tells him when somebody else did it.
    """
    if not reader.address:
        return
    Mail.objects.create(
        key=f"{DATA_ERASED.code}:member:{member_id}",
        kind=DATA_ERASED.code,
        member_id=member_id,
        facts={"erased_at": at.isoformat(), "language": reader.language},
        state=MailState.QUEUED,
        queued_at=at,
        due_at=at,
        useless_after=at + _TRIED_FOR,
        last_address=reader.address,
    )
    wake()
