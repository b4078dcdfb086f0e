"""What opens a member's points, accounts of other sites and devices that are signed in: staff end it with a reason."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin

from crm.admin.bulk import ReasonForm
from crm.adminkit import PERSONAL_DATA, may, person
from crm.devices import Device, devices_of_login, sign_out_member
from crm.models import Member
from crm.social.links import LinkedAccount, Unlinking, linked_accounts, unlink_account
from crm.ways_in import comes_in_otherwise

MAY_END = "crm.end_session"
_OF_THE_SHOP = _("This member is a person of the shop, whose login is not a buyer's. It is seen to under users.")
_ABOUT_SESSIONS = _("It is signed out at once. He can sign in again with a code or a connected account.")


def access_panel(request: HttpRequest, member_id: int) -> dict[str, Any]:
    """What the member's page shows of it. A nickname is masked as an address is; the name that the site itself has for
    the account is shown to nobody."""
    member = Member.objects.select_related("user").filter(pk=member_id).first()
    login = member.user if member else None
    staff = login is not None and (login.is_staff or login.is_superuser)
    open_to_us = login is not None and not staff
    full = may(request, PERSONAL_DATA)
    accounts = linked_accounts(login.pk) if login is not None and open_to_us else []
    return {
        "member_id": member_id,
        "login": login is not None,
        "staff": _OF_THE_SHOP if staff else "",
        "accounts": [
            {"account": account, "nickname": account.nickname if full else masked_nickname(account.nickname)}
            for account in accounts
        ],
        "devices": devices_of_login(login.pk, timezone.now()) if login is not None and open_to_us else [],
        "may_end": open_to_us and may(request, MAY_END),
    }


def masked_nickname(nickname: str) -> str:
    """Return a nickname that can be recognised and not read: 小***."""
    return f"{nickname[:1]}***" if nickname else ""


@dataclass(frozen=True)
class _Act:
    """What is to be ended, in the words of the page: ``label`` and ``what`` name it, ``warning`` says what becomes of
    the member by it, where that is more than it looks. ``do`` ends it for a reason and returns what to say, "" where
    there was nothing to end."""

    title: str | Promise
    label: str | Promise
    what: str
    about: str | Promise
    do: Callable[[int, datetime, str], str | Promise]
    warning: str | Promise = ""


def disconnect_view(model_admin: ModelAdmin, request: HttpRequest, member_id: int, pk: int) -> HttpResponse:
    """Ask why, then disconnect an account. The last way in goes as well, and the page says so before."""
    member, login = _member_and_login(request, member_id)
    account = next((account for account in linked_accounts(login) if account.pk == pk), None)

    def do(actor: int, at: datetime, reason: str) -> str | Promise:
        result = unlink_account(login, member_id, pk, at, staff_id=actor, reason=reason)
        return _("The account is disconnected.") if result is Unlinking.DONE else ""

    last = account is not None and len(linked_accounts(login)) == 1 and not comes_in_otherwise(login, member_id)
    act = _Act(
        _("Disconnect an account"),
        _("Connected account"),
        _account_words(request, account),
        _("It opens this member's points no longer. Devices on which he is signed in stay signed in: sign them out "
          "as well where somebody else has got in."),
        do,
        _("It is his only way in. Without it he needs a mail address or phone number in his profile.") if last else "",
    )  # fmt: skip
    return _asked(model_admin, request, member, act, there=account is not None)


def sign_out_view(model_admin: ModelAdmin, request: HttpRequest, member_id: int, number: int) -> HttpResponse:
    """Ask why, then sign the member out on one device."""
    member, login = _member_and_login(request, member_id)
    device = next((one for one in devices_of_login(login, timezone.now()) if one.number == number), None)
    words, do = _device_words(device), _ending(login, member_id, number)
    act = _Act(_("Sign a device out"), _("Signed-in device"), words, _ABOUT_SESSIONS, do)
    return _asked(model_admin, request, member, act, there=device is not None)


def sign_out_all_view(model_admin: ModelAdmin, request: HttpRequest, member_id: int) -> HttpResponse:
    """Ask why, then sign the member out everywhere."""
    member, login = _member_and_login(request, member_id)
    devices = devices_of_login(login, timezone.now())
    what = ngettext("%(devices)s device", "%(devices)s devices", len(devices)) % {"devices": len(devices)}
    do = _ending(login, member_id, None)
    act = _Act(_("Sign all devices out"), _("Signed-in devices"), what, _ABOUT_SESSIONS, do)
    return _asked(model_admin, request, member, act, there=bool(devices))


def _ending(login: int, member_id: int, number: int | None) -> Callable[[int, datetime, str], str]:
    def do(actor: int, at: datetime, reason: str) -> str:
        ended = sign_out_member(login, member_id, number, at, staff_id=actor, reason=reason)
        said = ngettext("%(devices)s device is signed out.", "%(devices)s devices are signed out.", ended)
        return said % {"devices": ended} if ended else ""

    return do


def _member_and_login(request: HttpRequest, member_id: int) -> tuple[Member, int]:
    """The member and his login, for those who may end what opens it. A person of the shop is not signed out here."""
    if not may(request, MAY_END):
        raise PermissionDenied
    member = Member.objects.select_related("user").filter(pk=member_id).first()
    if member is None or member.user is None:
        raise Http404
    if member.user.is_staff or member.user.is_superuser:
        raise PermissionDenied
    return member, member.user.pk


def _asked(model_admin: ModelAdmin, request: HttpRequest, member: Member, act: _Act, *, there: bool) -> HttpResponse:
    page = reverse("admin:crm_member_change", args=[member.pk])
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    done = ""
    if there and form.is_valid():
        done = str(act.do(person(request), timezone.now(), form.cleaned_data["reason"]))
    if done:
        messages.success(request, done)
    elif not there or form.is_valid():
        messages.info(request, _("There is nothing left to end: it was done before."))
    else:
        context = {
            **model_admin.admin_site.each_context(request),
            "title": act.title,
            "opts": model_admin.opts,
            "member": member,
            "member_page": f"{page}#access",
            "act": act,
            "form": form,
        }
        return TemplateResponse(request, "admin/crm/member/end.html", context)
    return HttpResponseRedirect(f"{page}#access")


def _account_words(request: HttpRequest, account: LinkedAccount | None) -> str:
    if account is None:
        return ""
    nickname = account.nickname if may(request, PERSONAL_DATA) else masked_nickname(account.nickname)
    return " · ".join(part for part in (str(account.site.label), nickname) if part)


def _device_words(device: Device | None) -> str:
    return (device.words or str(_("Unknown device"))) if device is not None else ""
