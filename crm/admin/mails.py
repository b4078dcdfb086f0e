"""Mails: what was written to whom, what became of it, and what staff decide about those that did not go."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import action, display

from crm.admin.bulk import ReasonForm, ask_then_do
from crm.admin.member_search import find_members
from crm.adminkit import PERSONAL_DATA, EndlessAdmin, masked_email, may, names_field, person
from crm.choices import MailState
from crm.mails import settling
from crm.mails.kinds import kind_label, mail_kinds
from crm.mails.preferences import mail_preferences
from crm.mails.writing import Words, put_into_words
from crm.models import Mail, Member

SETTLE = "crm.settle_mail"
_LATEST = 10

STATE_COLOURS = {
    MailState.QUEUED: "info",
    MailState.CLAIMED: "info",
    MailState.SENDING: "primary",
    MailState.SENT: "success",
    MailState.FAILED: "danger",
    MailState.IN_DOUBT: "warning",
    MailState.SKIPPED: "default",
}


@dataclass(frozen=True)
class Decision:
    """Something staff can decide about mails in some states. ``done`` tells how many it was done to."""

    name: str
    title: Promise
    about: Promise
    states: Sequence[MailState]
    do: Callable[..., int]
    done: Callable[[int], str]


DECISIONS = (
    Decision(
        "again",
        _("Send again"),
        _("The mail is tried anew. A mail in doubt may then reach the member twice."),
        settling.AGAIN,
        settling.send_again,
        lambda number: ngettext(
            "%(number)d mail waits to be sent again.", "%(number)d mails wait to be sent again.", number
        ),
    ),
    Decision(
        "sent",
        _("Take as sent"),
        _("For a mail in doubt of which you know that it arrived, from the mail server's log or from the member."),
        (MailState.IN_DOUBT,),
        settling.take_as_sent,
        lambda number: ngettext("%(number)d mail is taken as sent.", "%(number)d mails are taken as sent.", number),
    ),
    Decision(
        "drop",
        _("Do not send"),
        _("The mail waits no longer and is not tried any more."),
        settling.DROPPED,
        settling.drop,
        lambda number: ngettext("%(number)d mail will not be sent.", "%(number)d mails will not be sent.", number),
    ),
)


class KindFilter(admin.SimpleListFilter):
    """Filters by the known kinds, without asking the database which ones occur."""

    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [(kind.code, str(kind.label)) for kind in mail_kinds()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Mail]) -> QuerySet[Mail]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Mail)
class MailAdmin(EndlessAdmin):
    """Nobody writes or changes mails here. Those that failed or are in doubt wait for a decision."""

    list_display = ("shown_kind", "member", "shown_address", "state_label", "problem_label", "attempts", "queued_at",
                    "sent_at")  # fmt: skip
    list_filter = ("state", KindFilter)
    list_select_related = ("member",)
    search_fields = ("member",)
    search_help_text = _("Name or platform name of the member, or a whole phone number or mail address")
    actions = ("send_again", "take_as_sent", "drop")
    change_form_outer_after_template = "admin/crm/mail/more.html"
    readonly_fields = (
        "shown_kind", "member", "state_label", "problem_label", "reply", "shown_address", "full_address", "subject",
        "attempts", "queued_at", "next_attempt", "useless_after", "sent_at", "key",
    )  # fmt: skip

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        hidden = names_field(lookup, "address", "email", "phone", "birthday") and not may(request, PERSONAL_DATA)
        return not hidden and bool(super().lookup_allowed(lookup, value, request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Mail], search_term: str
    ) -> tuple[QuerySet[Mail], bool]:
        if not search_term.strip():
            return queryset, False
        members = find_members(Member.objects.order_by(), search_term)
        return queryset.filter(member__in=members.values("pk")), False

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        return tuple(_full_if_allowed(request, name) for name in self.list_display)

    def get_fields(self, request: HttpRequest, obj: Mail | None = None) -> tuple[Any, ...]:
        address = _full_if_allowed(request, "shown_address")
        return (
            ("shown_kind", "member"), ("state_label", "problem_label"), "reply", (address, "subject"),
            ("attempts", "next_attempt"), ("queued_at", "sent_at"), ("useless_after", "key"),
        )  # fmt: skip

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        return actions if may(request, SETTLE) else {}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.settle_view)
        return [path("<int:mail_id>/decide/<slug:name>/", view, name="crm_mail_settle"), *super().get_urls()]

    # --- columns ---

    @display(description=_("kind"))
    def shown_kind(self, mail: Mail) -> str:
        return kind_label(mail.kind)

    @display(description=_("state"), label={str(state): colour for state, colour in STATE_COLOURS.items()})
    def state_label(self, mail: Mail) -> tuple[str, str]:
        return mail.state, mail.get_state_display()

    @display(description=_("problem"))
    def problem_label(self, mail: Mail) -> str:
        return mail.get_problem_display()

    @display(description=_("address"), empty_value="–")
    def shown_address(self, mail: Mail) -> str:
        return masked_email(mail.address)

    @display(description=_("address"), empty_value="–")
    def full_address(self, mail: Mail) -> str:
        return mail.address

    @display(description=_("next attempt"), empty_value="–")
    def next_attempt(self, mail: Mail) -> datetime | None:
        return mail.due_at if mail.state == MailState.QUEUED else None

    # --- one mail ---

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        mail = Mail.objects.select_related("member").filter(pk=object_id).first() if object_id.isdecimal() else None
        more: dict[str, Any] = {}
        if mail is not None and self.has_view_permission(request, mail):
            more = {
                "words": words_of(mail),
                "decisions": [d for d in DECISIONS if mail.state in d.states] if may(request, SETTLE) else [],
                "in_doubt": mail.state == MailState.IN_DOUBT,
            }
        response: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})
        return response

    def settle_view(self, request: HttpRequest, mail_id: int, name: str) -> HttpResponse:
        """Ask why, then do what was decided about one mail."""
        decision = next((decision for decision in DECISIONS if decision.name == name), None)
        mail = Mail.objects.select_related("member").filter(pk=mail_id).first()
        if not (self.has_view_permission(request) and may(request, SETTLE)):
            raise PermissionDenied
        if decision is None or mail is None:
            raise Http404
        page = reverse("admin:crm_mail_change", args=[mail_id])
        form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
        if form.is_valid():
            _settle(request, decision, form.cleaned_data, [mail_id])
            return HttpResponseRedirect(page)
        context = {
            **self.admin_site.each_context(request),
            "title": decision.title,
            "opts": self.opts,
            "decision": decision,
            "mail": mail,
            "kind": kind_label(mail.kind),
            "page": page,
            "form": form,
        }
        return TemplateResponse(request, "admin/crm/mail/settle.html", context)

    # --- many mails ---

    @action(description=_("Send again"))
    def send_again(self, request: HttpRequest, queryset: QuerySet[Mail]) -> HttpResponse | None:
        return self._decide("send_again", DECISIONS[0], request, queryset)

    @action(description=_("Take as sent"))
    def take_as_sent(self, request: HttpRequest, queryset: QuerySet[Mail]) -> HttpResponse | None:
        return self._decide("take_as_sent", DECISIONS[1], request, queryset)

    @action(description=_("Do not send"))
    def drop(self, request: HttpRequest, queryset: QuerySet[Mail]) -> HttpResponse | None:
        return self._decide("drop", DECISIONS[2], request, queryset)

    def _decide(
        self, name: str, decision: Decision, request: HttpRequest, queryset: QuerySet[Mail]
    ) -> HttpResponse | None:
        fitting = queryset.filter(state__in=decision.states)
        do = partial(_settle, request, decision)
        return ask_then_do(self, request, fitting, ReasonForm, action=name, title=decision.title, do=do)


def _settle(request: HttpRequest, decision: Decision, said: dict[str, Any], mail_ids: Sequence[int]) -> None:
    number = decision.do(mail_ids, at=timezone.now(), actor_id=person(request), reason=said["reason"])
    if number:
        messages.success(request, decision.done(number) % {"number": number})
    else:
        messages.info(request, _("Nothing was done: meanwhile the mail has come into another state."))


def _full_if_allowed(request: HttpRequest, name: str) -> str:
    return "full_address" if name == "shown_address" and may(request, PERSONAL_DATA) else name


def words_of(mail: Mail) -> Words | None:
    """Return what a mail says, as it would be written now; None for a kind that there is no more. Its link for stopping
    mails is left out, as it is the member's."""
    try:
        return put_into_words(
            mail.kind, mail.facts, name=mail.member.name, language=mail_preferences(mail.member_id).language, stop="…"
        )
    except LookupError:
        return None


def mails_panel(request: HttpRequest, member_id: int) -> dict[str, Any]:
    """What the member's page shows of his mails: the latest ones, and which he wants."""
    preferences = mail_preferences(member_id)
    latest = Mail.objects.filter(member=member_id).order_by("-pk")[:_LATEST]
    return {
        "rows": [{"mail": mail, "kind": kind_label(mail.kind)} for mail in latest],
        "refused": [wish.kind.label for wish in preferences.wishes if not wish.wanted],
        "none": preferences.wants_none,
    }
