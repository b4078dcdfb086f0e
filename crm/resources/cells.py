"""Cells of a table that people edit: how a value is written for a spreadsheet, and what is made of what comes back."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone, translation
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext as _
from import_export.fields import Field
from import_export.widgets import Widget

from crm.feeds.cells import MAX_AMOUNT, CellError, TimeReader, read_phone, read_price
from crm.imports.cells import bare, guarded
from crm.money import CENT, cents_half_up


def as_text(value: Any) -> str:
    """Return a cell as text; spreadsheets make floats of whole numbers."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


class TextWidget(Widget):
    """Text that a spreadsheet must not run as a formula."""

    def __init__(self, max_length: int | None = None) -> None:
        super().__init__(coerce_to_string=True)
        self.max_length = max_length

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        text = bare(as_text(value)).strip()
        if self.max_length is not None and len(text) > self.max_length:
            raise ValueError(_("Longer than %(limit)s characters.") % {"limit": self.max_length})
        return text

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return guarded(as_text(value))


class PhoneWidget(TextWidget):
    """A phone number. Spreadsheets take it for a number unless it is text: XLSX says so, CSV needs an apostrophe."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        text = as_text(value).strip().removeprefix("'")
        phone = read_phone(text)
        if text and not phone:
            raise ValueError(_("Write the whole phone number: eleven digits, or a country code such as +44 first."))
        return phone

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        text = as_text(value)
        if not text:
            return ""
        written = text if len(text) == 11 and text.startswith("1") else f"+{text}"
        return f"'{written}" if not kwargs.get("force_native_type") or written.startswith("+") else written


class EmailWidget(TextWidget):
    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        text = super().clean(value, row).lower()
        if text:
            try:
                validate_email(text)
            except ValidationError:
                raise ValueError(_("This is not a mail address.")) from None
        return text


class DayWidget(Widget):
    """A day, written 2001-05-31; spreadsheets may turn that into 2001/5/31 or into a date of their own."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> date | None:
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        text = as_text(value).strip().removeprefix("'").replace("/", "-").replace(".", "-")
        if not text:
            return None
        try:
            year, month, day = (int(part) for part in text.split("-"))
            return date(year, month, day)
        except ValueError:
            raise ValueError(_("Write the day as 2001-05-31.")) from None

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return value.isoformat() if value else ""


class MomentWidget(Widget):
    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> datetime | None:
        if isinstance(value, datetime):
            return value if timezone.is_aware(value) else timezone.make_aware(value)
        text = as_text(value).strip().removeprefix("'")
        try:
            return TimeReader(settings.TIME_ZONE, timezone.now()).read(text)
        except CellError:
            raise ValueError(_("Write the time as 2024-05-31 18:30.")) from None

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return timezone.localtime(value).isoformat(sep=" ", timespec="seconds") if value else ""


class ChoiceWidget(Widget):
    """One of some stable words, shown by its label and understood as either, in any of our languages."""

    def __init__(self, labels: Mapping[str, str | Promise]) -> None:
        super().__init__(coerce_to_string=True)
        self._labels = labels

    @cached_property
    def _known(self) -> dict[str, str]:
        return known_titles(self._labels)

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        text = bare(as_text(value)).strip()
        found = self._known.get(text.lower())
        if found is None:
            allowed = ", ".join(str(label) for label in self._labels.values())
            raise ValueError(_("“%(text)s” is none of: %(allowed)s.") % {"text": text[:40], "allowed": allowed})
        return found

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return str(self._labels.get(value, value))


class CountWidget(Widget):
    """A whole number from zero up; an empty cell is zero."""

    def __init__(self, most: int) -> None:
        super().__init__(coerce_to_string=False)
        self._most = most

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> int:
        text = as_text(value).strip().removeprefix("'")
        count = whole_number(text) if text else 0
        if count is None or count > self._most:
            raise ValueError(_("Write a whole number from 0 to %(most)s.") % {"most": self._most})
        return count

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> Any:
        return value if kwargs.get("force_native_type") else str(value)


class PriceWidget(Widget):
    """A price of one piece in whole cents; an empty cell is none."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Decimal | None:
        return read_price_cell(as_text(value).removeprefix("'"))

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> Any:
        if value is None:
            return ""
        return value if kwargs.get("force_native_type") else str(value)


def read_price_cell(text: str) -> Decimal | None:
    """Read a price in whole cents, from 0.01 to 10,000,000; None for an empty text. Raises ``ValueError``."""
    try:
        price = read_price(text)
    except CellError:
        price = Decimal(0)
    if price is not None and not (CENT <= price <= MAX_AMOUNT and price == cents_half_up(price)):
        raise ValueError(_("“%(text)s” is not a price. Write it like 1234.50.") % {"text": text.strip()[:40]})
    return None if price is None else cents_half_up(price)


class FixedField(Field):
    """What is set once: taken for new rows when the cell says something, left alone for those we have."""

    def save(self, instance: Any, row: dict[str, Any], is_m2m: bool = False, **kwargs: Any) -> None:
        if not instance.pk and as_text(row[self.column_name]).strip():
            super().save(instance, row, is_m2m, **kwargs)


def whole_number(cell: Any) -> int | None:
    """Read a cell as a whole number without a sign; None when it is none."""
    text = as_text(cell).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def known_titles(titles: Mapping[str, str | Promise]) -> dict[str, str]:
    """Map everything that a stable word may be called, in any of our languages and in lower case, to that word."""
    known = {name: name for name in titles}
    for code, _label in settings.LANGUAGES:
        with translation.override(code):
            known |= {str(title).lower(): name for name, title in titles.items()}
    return known
