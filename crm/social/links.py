"""Which accounts of other sites a login can be opened with: connected by whoever is signed in, taken off by him."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from allauth.socialaccount.models import SocialAccount
from django.db import IntegrityError, transaction

from crm.choices import SocialSite
from crm.mails.security_notices import tell_of_account
from crm.models import User
from crm.social.sites import Vouched
from crm.stafflog import log_action
from crm.ways_in import comes_in_otherwise


class Linking(StrEnum):
    """What became of an account that somebody wanted to connect."""

    DONE = "done"
    ALREADY = "already"  # It is connected to this login.
    TAKEN = "taken"  # It is connected to another login.
    FULL = "full"  # The login has another account of this site.


class Unlinking(StrEnum):
    """What became of an account that somebody wanted to take off."""

    DONE = "done"
    GONE = "gone"
    LAST = "last"  # Without it nobody would get in any more.


@dataclass(frozen=True, slots=True)
class LinkedAccount:
    """An account that opens a login."""

    pk: int
    site: SocialSite
    nickname: str
    since: datetime


def login_linked_to(vouched: Vouched) -> User | None:
    """Return the login that the account opens; None where nobody has connected it."""
    account = SocialAccount.objects.select_related("user").filter(provider=vouched.site, uid=vouched.uid).first()
    return account.user if account else None


def linked_accounts(user_id: int) -> list[LinkedAccount]:
    """Return the accounts that open a login, oldest first. One query."""
    rows = SocialAccount.objects.filter(user=user_id, provider__in=SocialSite.values).order_by("pk")
    return [
        LinkedAccount(row.pk, SocialSite(row.provider), row.extra_data.get("nickname", ""), row.date_joined)
        for row in rows
    ]


def link_account(user_id: int, member_id: int, vouched: Vouched, at: datetime) -> Linking:
    """Let the account open the login from now on, and log it. It is never moved from one login to another."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user_id)
        owner = login_linked_to(vouched)
        if owner is not None:
            return Linking.ALREADY if owner.pk == user_id else Linking.TAKEN
        if any(linked.site is vouched.site for linked in linked_accounts(user_id)):
            return Linking.FULL
        try:
            with transaction.atomic():
                SocialAccount.objects.create(
                    user_id=user_id, provider=vouched.site, uid=vouched.uid, extra_data={"nickname": vouched.nickname}
                )
        except IntegrityError:
            return Linking.TAKEN  # Another login was quicker.
        action = log_action("member.connect", actor_id=user_id, at=at, member_id=member_id, site=vouched.site)
        tell_of_account(
            member_id, vouched.site, vouched.nickname, connected=True, by_shop=False, action_id=action.pk, at=at
        )
    return Linking.DONE


def unlink_account(
    user_id: int, member_id: int, pk: int, at: datetime, *, staff_id: int | None = None, reason: str = ""
) -> Unlinking:
    """Take an account off the login and log it, unless it is the last way in. Of two at once the second waits here for
    the first, so that they do not take off both. A person of the shop (``staff_id``) also takes off the last one: what
    somebody else has connected must not stay for want of another way in."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user_id)
        accounts = linked_accounts(user_id)
        asked = next((account for account in accounts if account.pk == pk), None)
        if asked is None:
            return Unlinking.GONE
        if staff_id is None and len(accounts) == 1 and not comes_in_otherwise(user_id, member_id):
            return Unlinking.LAST
        SocialAccount.objects.filter(pk=pk, user=user_id).delete()
        action = log_action(
            "member.disconnect",
            actor_id=staff_id or user_id,
            at=at,
            reason=reason,
            member_id=member_id,
            site=asked.site,
        )
        tell_of_account(
            member_id, asked.site, asked.nickname, connected=False, by_shop=staff_id is not None, action_id=action.pk,
            at=at,
        )  # fmt: skip
    return Unlinking.DONE
