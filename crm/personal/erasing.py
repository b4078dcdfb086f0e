"""Erasing what the shop holds about a member, across all floors, at once and for good.

The member's row stays under its number, which the journal and the books name, and stands for nobody from then on. What
is lost is said before, what has to end first is refused; docs/privacy.md has the table of what goes and what stays.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from crm.mails.farewell import reader_of, say_farewell
from crm.models import Identity, Member
from crm.orders import lock_recording
from crm.personal.registry import Erasure, Fate, Loss, erasure_rules, personal_tables
from crm.stafflog import log_action


class EraseRefused(Exception):
    """A member who cannot be erased now. ``obstacles`` are sentences that say what has to end first; there are none
    where he was erased before."""

    def __init__(self, obstacles: list[str]) -> None:
        super().__init__(" ".join(obstacles) or "erased before")
        self.obstacles = obstacles


@dataclass(frozen=True, slots=True)
class Outlook:
    """What stands against an erasure, and what would be lost by it."""

    obstacles: list[str]
    losses: list[Loss]


def look_ahead(member_id: int, at: datetime) -> Outlook:
    """Say what an erasure would meet and take, in the language of the page."""
    rules = erasure_rules()
    return Outlook(
        [sentence for floor in rules for sentence in floor.obstacles(member_id, at)],
        [loss for floor in rules for loss in floor.losses(member_id, at)],
    )


def own_wish() -> str:
    """The reason that stands in the books where a member has erased himself, in the shop's language."""
    with override(settings.LANGUAGE_CODE):
        return _("The member has erased his data.")


def erase_member(erasure: Erasure) -> list[Loss]:
    """Erase a member, all or nothing, and return what he lost. Raises EraseRefused and ``Member.DoesNotExist``.

    The channels are locked first, so that no import that has read his orders brings back what goes; then the member,
    then his account (docs/locking.md).
    """
    member_id, at = erasure.member_id, erasure.at
    with transaction.atomic():
        _lock_channels(member_id)
        member = Member.objects.select_for_update(no_key=True).select_related(None).get(pk=member_id)
        if member.erased_at is not None:
            raise EraseRefused([])
        for floor in erasure_rules():
            floor.lock(member_id)
        outlook = look_ahead(member_id, at)
        if outlook.obstacles:
            raise EraseRefused(outlook.obstacles)
        reader = reader_of(member_id)
        for floor in erasure_rules():
            floor.act(erasure)
        _let_staff_go(member)
        _empty_tables(member_id)
        Member.objects.filter(pk=member_id).update(erased_at=at, user=None)
        log_action(
            "member.erase",
            actor_id=erasure.actor_id,
            at=at,
            reason=erasure.reason,
            member_id=member_id,
            **{loss.code: loss.number for loss in outlook.losses},
        )
        say_farewell(member_id, reader, at)
    return outlook.losses


def _lock_channels(member_id: int) -> None:
    channels = Identity.objects.filter(member=member_id).order_by().values_list("channel_id", flat=True).distinct()
    with connection.cursor() as cursor:
        for channel_id in sorted(channels):
            lock_recording(cursor, channel_id)


def _let_staff_go(member: Member) -> None:
    """A person of the shop who buys there keeps his login: it is not the buyer's."""
    user = member.user
    if user is not None and (user.is_staff or user.is_superuser):
        Member.objects.filter(pk=member.pk).update(user=None)


def _empty_tables(member_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('crm.erasing', 'on', true)")
    for table in personal_tables():
        rows = table.model_class()._default_manager.filter(table.of(member_id)).order_by()
        if table.fate is Fate.DELETED:
            rows.delete()
        elif table.emptied:
            rows.update(**table.emptied)
    admin_log = LogEntry.objects.filter(content_type__app_label="crm", content_type__model="member")
    admin_log.filter(object_id=str(member_id)).update(object_repr=f"#{member_id}")
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('crm.erasing', '', true)")
