"""Which mails a member wants, and in which language."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction

from crm.mails.kinds import MailKind, optional_kinds
from crm.models import MailPreference, Member
from crm.stafflog import log_action


@dataclass(frozen=True, slots=True)
class MailWish:
    """A kind of mail, and whether the member wants it."""

    kind: MailKind
    wanted: bool


@dataclass(frozen=True, slots=True)
class MailPreferences:
    """What a member has said about mails. ``language`` is one of the shop's; ``wishes`` has every kind that one
    can do without."""

    language: str
    wishes: tuple[MailWish, ...]

    @property
    def wants_none(self) -> bool:
        """Whether no mail at all goes to the member."""
        return not any(wish.wanted for wish in self.wishes)


def mail_preferences(member_id: int) -> MailPreferences:
    """Return what a member has said about mails; everything is wanted by who has said nothing. One query."""
    said = MailPreference.objects.filter(pk=member_id).first()
    refused = set(said.refused) if said else set()
    wishes = tuple(
        MailWish(kind, not (said is not None and said.refuses_all) and kind.code not in refused)
        for kind in optional_kinds()
    )
    return MailPreferences(language_of(said.language if said else ""), wishes)


def language_of(said: str) -> str:
    """Return the language of a member's mails: the one he has, where the shop still speaks it, else the shop's own."""
    return said if said in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


def set_mail_preferences(
    member_id: int, *, wanted: Collection[str], language: str = "", at: datetime, actor_id: int | None
) -> MailPreferences:
    """Keep the kinds that a member wants, and his language ("" leaves it as it is); log it; return what is now true.

    To want nothing also means kinds that there will be some day. Raises ``ValueError`` for a kind or a language that
    there is not, and ``Member.DoesNotExist``.
    """
    codes = [kind.code for kind in optional_kinds()]
    if unknown := set(wanted) - set(codes):
        raise ValueError(f"no such kinds of mail: {sorted(unknown)}")
    if language and language not in dict(settings.LANGUAGES):
        raise ValueError(f"no such language: {language}")
    refused = [code for code in codes if code not in wanted]
    with transaction.atomic():
        said = _locked(member_id, at)
        before = (said.language, said.refuses_all, set(said.refused))
        said.refused, said.refuses_all = refused, not wanted
        said.language = language or said.language
        _keep(said, before, at, actor_id)
    return mail_preferences(member_id)


def stop_mails(member_id: int, kind: str = "", *, at: datetime, actor_id: int | None) -> None:
    """Send a member no more mails of a kind, or none at all. Done twice it is done once. Raises
    ``Member.DoesNotExist``."""
    with transaction.atomic():
        said = _locked(member_id, at)
        before = (said.language, said.refuses_all, set(said.refused))
        if kind:
            said.refused = sorted({*said.refused, kind})
        else:
            said.refuses_all = True
        _keep(said, before, at, actor_id)


def remember_language(member_id: int, language: str, *, at: datetime) -> None:
    """Take the language in which a member reads the shop's pages for that of his mails, unless he has chosen one."""
    if language in dict(settings.LANGUAGES):
        with transaction.atomic():
            said = _locked(member_id, at)
            if not said.language:
                said.language = language
                said.save(update_fields=["language"])


def _locked(member_id: int, at: datetime) -> MailPreference:
    """Return a member's preferences, made where there were none, for this transaction alone."""
    Member.objects.select_for_update(no_key=True).only("pk").get(pk=member_id)
    said, _made = MailPreference.objects.get_or_create(pk=member_id, defaults={"changed_at": at})
    return said


def _keep(said: MailPreference, before: tuple[str, bool, set[str]], at: datetime, actor_id: int | None) -> None:
    if before == (said.language, said.refuses_all, set(said.refused)):
        return
    said.changed_at = at
    said.save()
    log_action(
        "member.mail_preferences",
        actor_id=actor_id,
        at=at,
        member_id=said.pk,
        refused=["*"] if said.refuses_all else said.refused,
        language=said.language,
    )
