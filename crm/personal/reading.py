"""The rows of a member's tables, as programs and as people read them."""

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import F, Field, Func, Model
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from crm.personal.registry import PersonalTable
from crm.tablefiles import Cell

_AT_ONCE = 2_000


def column_names(table: PersonalTable) -> list[str]:
    """What programs call the columns: the same in every language."""
    return [name.replace("__", "_") for name in table.fields]


def column_titles(table: PersonalTable) -> list[str]:
    """What people call them. What a row says of another one (``order__external_no``) is called as the other one is."""
    return [capfirst(str(_named(table.model_class(), name).verbose_name)) for name in table.fields]


def rows_of(table: PersonalTable, member_id: int) -> Iterator[tuple[Any, ...]]:
    """Yield a member's rows in the order in which they came, some thousand in memory at a time."""
    rows = table.model_class()._default_manager.filter(table.of(member_id))
    if table.only is not None:
        rows = rows.filter(table.only)
    # Behind a function, the order is no reason to walk the whole table by its key in search of one member's rows.
    in_order = rows.order_by(Func(F("pk"), function="greatest"))
    return in_order.values_list(*table.fields).iterator(chunk_size=_AT_ONCE)


def readable(table: PersonalTable) -> list[dict[str, str]]:
    """For each column the labels of its values, where it has a choice of them."""
    fields = [_last(table.model_class(), name) for name in table.fields]
    return [{str(value): str(label) for value, label in field.flatchoices} for field in fields]


def as_cell(value: Any, labels: dict[str, str]) -> Cell:
    """A value as people read it in a table."""
    match value:
        case None:
            return None
        case bool():
            return _("yes") if value else _("no")
        case int():
            return value
        case datetime():
            return f"{timezone.localtime(value):%Y-%m-%d %H:%M:%S}"
        case date():
            return value.isoformat()
        case list() | dict():
            return json.dumps(value, ensure_ascii=False, cls=DjangoJSONEncoder) if value else ""
    return labels.get(str(value), str(value))


def as_json(table: PersonalTable, row: tuple[Any, ...]) -> str:
    """A row as programs read it."""
    return json.dumps(dict(zip(column_names(table), row, strict=True)), ensure_ascii=False, cls=DjangoJSONEncoder)


def _named(model: type[Model], lookup: str) -> "Field[Any, Any]":
    field: Field[Any, Any] = model._meta.get_field(lookup.split("__", maxsplit=1)[0])  # type: ignore[assignment]
    return field


def _last(model: type[Model], lookup: str) -> "Field[Any, Any]":
    first, _sign, rest = lookup.partition("__")
    field = _named(model, first)
    related: Any = field.related_model
    return _last(related, rest) if rest else field
