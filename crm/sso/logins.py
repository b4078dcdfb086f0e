"""The login of a member who came through his shop: the same one that he gets by a code, whichever comes first."""

from datetime import datetime

from django.contrib.auth.hashers import make_password
from django.db import transaction

from crm.choices import SsoFault
from crm.models import Member, User
from crm.sso.judging import TokenRefused
from crm.stafflog import log_action


def shop_login_name(member_id: int) -> str:
    """Return the name of the login that is made when a member first comes through his shop."""
    return f"member-{member_id}"


def login_of_member(member_id: int, at: datetime) -> User:
    """Return the member's login, made at his first visit. Raises TokenRefused for a login that may not be used.

    Two first visits at once make one login: its name is derived from the member.
    """
    member = Member.objects.select_related("user").get(pk=member_id)
    login = member.user or _make_login(member_id, at)
    if login.is_staff or not login.is_active:
        raise TokenRefused(SsoFault.LOGIN_BLOCKED)
    return login


@transaction.atomic
def _make_login(member_id: int, at: datetime) -> User:
    login, _created = User.objects.get_or_create(
        username=shop_login_name(member_id), defaults={"password": make_password(None)}
    )
    if Member.objects.filter(pk=member_id, user=None).update(user=login):
        log_action("member.sign_on", actor_id=login.pk, at=at, member_id=member_id)
        return login
    tied = Member.objects.select_related("user").get(pk=member_id).user
    return tied or login
