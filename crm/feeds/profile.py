"""How the columns of some shop's own file map to our fields."""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm.choices import OrderStatus, PaymentKind

# Every field that a column can be mapped to, in the order in which a form should show them.
FIELDS: Mapping[str, Promise] = MappingProxyType(
    {
        "order_no": _("Order number"),
        "buyer": _("Buyer's id on the platform"),
        "buyer_name": _("Buyer's name"),
        "email": _("Buyer's e-mail"),
        "phone": _("Buyer's phone"),
        "status": _("Order status"),
        "paid": _("Amount paid for the order, gross"),
        "refunded": _("Amount refunded"),
        "payment_kind": _("What the order was paid with"),
        "placed_at": _("Time of the order"),
        "paid_at": _("Time of payment"),
        "shipped_at": _("Time of shipping"),
        "completed_at": _("Time of completion"),
        "closed_at": _("Time of closing"),
        "title": _("Title of the order"),
        "sku": _("Article number of the line"),
        "line_title": _("Title of the line"),
        "quantity": _("Quantity of the line"),
        "unit_price": _("Price of one piece"),
        "line_amount": _("Amount of the line"),
        "line_refunded": _("Amount refunded for the line"),
        "options": _("Colour, size and other options of the line"),
    }
)
REQUIRED_FIELDS = ("order_no", "placed_at")
LINE_FIELDS = ("sku", "line_title", "quantity", "unit_price", "line_amount", "line_refunded", "options")
_SETTINGS = frozenset(
    {
        "columns",
        "time_formats",
        "time_zone",
        "decimal_mark",
        "default_status",
        "status_map",
        "payment_map",
        "cancellation_prefix",
        "encoding",
        "delimiter",
    }
)


class ProfileError(ValueError):
    """A profile that cannot work. ``setting`` names the key at fault, ``message`` says what to do (translatable)."""

    def __init__(self, setting: str, message: Any) -> None:
        super().__init__(setting, message)
        self.setting = setting
        self.message = message

    def __str__(self) -> str:
        return f"{self.setting}: {self.message}"


@dataclass(frozen=True, slots=True)
class Profile:
    """A checked mapping, made by ``from_json``.

    The order's amount is either a column of its own (``paid``) or the sum of its lines (``quantity`` times
    ``unit_price``, or ``line_amount``). A number that begins with ``cancellation_prefix`` is no order but a return.
    """

    code: str
    columns: Mapping[str, str]  # Field → column header.
    time_formats: tuple[str, ...] = ()  # As of strptime; empty for the usual year-first spellings.
    time_zone: str = "Asia/Shanghai"
    decimal_mark: str = "."
    default_status: OrderStatus = OrderStatus.COMPLETED  # Of rows that state none.
    status_map: Mapping[str, OrderStatus] = field(default_factory=dict)  # Status text in lower case → status.
    payment_map: Mapping[str, PaymentKind] = field(default_factory=dict)  # Text in lower case → kind of payment.
    cancellation_prefix: str = ""
    encoding: str = ""  # "" to find it out.
    delimiter: str = ""  # "" to take it from the header.

    @property
    def has_lines(self) -> bool:
        """Whether rows are lines of orders."""
        return any(name in self.columns for name in LINE_FIELDS)

    @classmethod
    def from_json(cls, code: str, data: Any) -> Self:
        """Check what a person entered. Raises ``ProfileError`` for the first thing that cannot work."""
        if not isinstance(data, dict):
            raise ProfileError("profile", _("The profile must be a JSON object."))
        if unknown := sorted(set(data) - _SETTINGS):
            raise ProfileError(unknown[0], _("This setting does not exist. Check the spelling."))
        return cls(
            code=code,
            columns=_columns(data.get("columns")),
            time_formats=_texts("time_formats", data.get("time_formats", [])),
            time_zone=_time_zone(data.get("time_zone", "Asia/Shanghai")),
            decimal_mark=_choice("decimal_mark", data.get("decimal_mark", "."), (".", ",")),
            default_status=_status("default_status", data.get("default_status", OrderStatus.COMPLETED)),
            status_map=_status_map(data.get("status_map", {})),
            payment_map=_payment_map(data.get("payment_map", {})),
            cancellation_prefix=_text("cancellation_prefix", data.get("cancellation_prefix", "")),
            encoding=_encoding(data.get("encoding", "")),
            delimiter=_choice("delimiter", data.get("delimiter", ""), ("", ",", ";", "\t", "|")),
        )

    def to_json(self) -> dict[str, Any]:
        """Give what ``from_json`` reads."""
        return {
            "columns": dict(self.columns),
            "time_formats": list(self.time_formats),
            "time_zone": self.time_zone,
            "decimal_mark": self.decimal_mark,
            "default_status": self.default_status.value,
            "status_map": {text: status.value for text, status in self.status_map.items()},
            "payment_map": {text: kind.value for text, kind in self.payment_map.items()},
            "cancellation_prefix": self.cancellation_prefix,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
        }


def _text(setting: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ProfileError(setting, _("This must be a text."))
    return value


def _texts(setting: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item for item in value):
        raise ProfileError(setting, _("This must be a list of texts."))
    return tuple(value)


def _choice(setting: str, value: Any, choices: tuple[str, ...]) -> str:
    if value not in choices:
        allowed = " ".join(repr(choice) for choice in choices)
        raise ProfileError(setting, _("This must be one of: %(allowed)s") % {"allowed": allowed})
    return str(value)


def _columns(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict) or not value:
        raise ProfileError("columns", _("Say which column holds which field."))
    columns: dict[str, str] = {}
    for name, header in value.items():
        if name not in FIELDS:
            fields = ", ".join(FIELDS)
            raise ProfileError(
                f"columns.{name}", _("There is no such field. The fields are: %(fields)s") % {"fields": fields}
            )
        if not isinstance(header, str) or not header.strip():
            raise ProfileError(f"columns.{name}", _("Give the header of the column as a text."))
        columns[name] = header.strip()
    for name in REQUIRED_FIELDS:
        if name not in columns:
            raise ProfileError(f"columns.{name}", _("This field is needed: say which column holds it."))
    priced = "line_amount" in columns or ("quantity" in columns and "unit_price" in columns)
    if "paid" not in columns and not priced:
        raise ProfileError(
            "columns.paid",
            _("Say where the amount is: the order's own column, or the quantity and price of the lines."),
        )
    if any(name in columns for name in LINE_FIELDS) and not ("sku" in columns or "line_title" in columns):
        raise ProfileError("columns.sku", _("Lines need an article number or a title."))
    return MappingProxyType(columns)


def _time_zone(value: Any) -> str:
    try:
        ZoneInfo(_text("time_zone", value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ProfileError("time_zone", _("There is no such time zone. An example: Asia/Shanghai")) from None
    return str(value)


def _status(setting: str, value: Any) -> OrderStatus:
    try:
        return OrderStatus(value)
    except ValueError:
        allowed = ", ".join(OrderStatus.values)
        raise ProfileError(setting, _("This must be one of: %(allowed)s") % {"allowed": allowed}) from None


def _status_map(value: Any) -> Mapping[str, OrderStatus]:
    if not isinstance(value, dict):
        raise ProfileError("status_map", _("This must map the file's own words to our states."))
    return MappingProxyType(
        {str(text).strip().casefold(): _status(f"status_map.{text}", status) for text, status in value.items()}
    )


def _payment_map(value: Any) -> Mapping[str, PaymentKind]:
    if not isinstance(value, dict):
        raise ProfileError("payment_map", _("This must map the file's own words to our kinds of payment."))
    kinds: dict[str, PaymentKind] = {}
    for text, kind in value.items():
        if kind not in PaymentKind.values:
            allowed = ", ".join(PaymentKind.values)
            raise ProfileError(f"payment_map.{text}", _("This must be one of: %(allowed)s") % {"allowed": allowed})
        kinds[str(text).strip().casefold()] = PaymentKind(kind)
    return MappingProxyType(kinds)


# Spelled in ASCII these can say any character at all, control characters and halves of pairs among them.
_ESCAPING = frozenset({"utf-7", "raw-unicode-escape", "raw_unicode_escape", "unicode-escape", "unicode_escape"})


def _encoding(value: Any) -> str:
    name = _text("encoding", value).strip().lower()
    try:
        # Line ends and delimiters must be the bytes of ASCII, or the file could not be cut into lines.
        known = codecs.lookup(name).name if name else ""
        usable = not name or (known not in _ESCAPING and '\r\n,;\t"'.encode(known) == b'\r\n,;\t"')
    except (LookupError, UnicodeError):
        usable = False
    if not usable:
        raise ProfileError("encoding", _("This encoding cannot be used. Examples: utf-8, gb18030, big5, cp1252"))
    return name
