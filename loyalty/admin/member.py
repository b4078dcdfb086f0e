"""Points on the member page and in the member list."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.adminkit import Column, Panel, add_member_column, add_member_panel, may
from loyalty.explain import explain, headline
from loyalty.models import Account
from loyalty.statement import history, summary

LINES = 20


def _balances(member_ids: Sequence[int]) -> Mapping[int, int]:
    return dict(Account.objects.filter(pk__in=member_ids).values_list("pk", "balance"))


def _pending(member_ids: Sequence[int]) -> Mapping[int, int]:
    return dict(Account.objects.filter(pk__in=member_ids).values_list("pk", "pending"))


def points_panel(request: HttpRequest, member_id: int) -> dict[str, Any]:
    """The account and a page of its statement. ``?before=`` goes on where a page ended."""
    before = request.GET.get("before", "")
    lines = history(member_id, before_id=int(before) if before.isdecimal() else None, limit=LINES + 1)
    return {
        "summary": summary(member_id, timezone.now()),
        "rows": [{"line": line, "headline": headline(line), "sentences": explain(line)} for line in lines[:LINES]],
        "older": lines[LINES - 1].entry_id if len(lines) > LINES else None,
        "paged": bool(before),
        "member_id": member_id,
        "may_adjust": may(request, "loyalty.adjust_points"),
    }


def register() -> None:
    """Hand the points of a member to the ground floor's pages."""
    add_member_column(Column("balance", _("balance"), _balances, empty=0))
    add_member_column(Column("pending", _("pending"), _pending, empty=0))
    add_member_panel(Panel("points", _("Points"), "admin/loyalty/panel.html", points_panel, "loyalty.view_account", 20))
