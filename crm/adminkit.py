"""Building blocks of admin pages, for this floor and the ones above (which use it like ``crm.api``).

The member page belongs to the ground floor, yet shows points and coupons. The upper floors hand their part in here: a
``Panel`` for the member page, a ``Column`` for the member list. Both are asked for a whole page of members at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator

Text = str | Promise

PERSONAL_DATA = "crm.view_personal_data"


@dataclass(frozen=True)
class Panel:
    """A part of the member page: a template with its own context, shown to those who have ``permission``."""

    name: str
    title: Text
    template: str
    context: Callable[[HttpRequest, int], dict[str, Any]]
    permission: str
    position: int


@dataclass(frozen=True)
class Column:
    """A column of the member list. ``values`` takes the ids of one page of members and must not query for each."""

    name: str
    title: Text
    values: Callable[[Sequence[int]], Mapping[int, Any]]
    empty: Any = ""


@dataclass(frozen=True)
class MemberAction:
    """An act on selected members, offered on the member list to those who have ``permission``. ``run`` gets the list's
    admin, the request and the members, and answers with a page or None for the list."""

    name: str
    title: Text
    run: Callable[[ModelAdmin, HttpRequest, "QuerySet[Any]"], HttpResponse | None]
    permission: str


_panels: dict[str, Panel] = {}
_columns: dict[str, Column] = {}
_actions: dict[str, MemberAction] = {}


def add_member_panel(panel: Panel) -> None:
    """Put a panel on the member page; the same name replaces the earlier one."""
    _panels[panel.name] = panel


def add_member_column(column: Column) -> None:
    """Put a column into the member list; the same name replaces the earlier one."""
    _columns[column.name] = column


def add_member_action(action: MemberAction) -> None:
    """Offer an act on the member list; the same name replaces the earlier one."""
    _actions[action.name] = action


def member_actions(request: HttpRequest) -> list[MemberAction]:
    """Return the acts of the upper floors that this person may do."""
    return [action for action in _actions.values() if may(request, action.permission)]


def member_panels(request: HttpRequest) -> list[Panel]:
    """Return the panels this person may see, in their order."""
    allowed = [panel for panel in _panels.values() if may(request, panel.permission)]
    return sorted(allowed, key=lambda panel: panel.position)


def member_columns() -> list[Column]:
    """Return the columns of the upper floors, in the order they were added."""
    return list(_columns.values())


def may(request: HttpRequest, permission: str) -> bool:
    """Whether the person behind the request has a permission, given as ``app.codename``."""
    user = request.user
    return user.is_active and user.has_perm(permission)


def person(request: HttpRequest) -> int:
    """Return the id of the person behind an admin request, who is always signed in."""
    if request.user.pk is None:
        raise PermissionDenied
    return request.user.pk


def names_field(lookup: str, *fields: str) -> bool:
    """Whether a filter in the address of a list (``email__startswith``) reaches one of these fields. The admin lets
    anybody who sees a list filter it by any field, and so find out, sign by sign, what is masked there."""
    return not set(fields).isdisjoint(lookup.split("__"))


def masked_phone(phone: str) -> str:
    """Return a phone that can be recognised but not dialled: 138****0001."""
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 8 else "****" if phone else ""


def masked_email(email: str) -> str:
    """Return an address that can be recognised but not written to: l***@example.com."""
    name, at_sign, domain = email.partition("@")
    return f"{name[:1]}***@{domain}" if at_sign else "****" if email else ""


class ReadOnlyAdmin(ModelAdmin):
    """Pages that only show. Nobody adds, changes or deletes here, a superuser no more than others."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class EndlessAdmin(ReadOnlyAdmin):
    """A list of a table too long to be counted: previous and next only, newest first."""

    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0
    ordering = ("-id",)
    sortable_by = ()
