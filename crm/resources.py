"""Members as a table: out to a spreadsheet and back in without loss.

What goes out comes back unchanged as zero changes. A row is recognised by its id, or by any of its identities; a row
that would merge two members, or has neither, is refused. Columns that are missing from a file are left alone, and so
are cells that were masked on the way out.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export.fields import Field
from import_export.resources import ModelResource
from import_export.widgets import Widget
from tablib import Dataset

from crm.adminkit import masked_email, masked_phone
from crm.feeds.cells import CellError, TimeReader, read_phone
from crm.imports.cells import bare, guarded
from crm.models import Channel, Identity, Member

MAX_ROWS = 20_000
_CHUNK = 10_000  # Keys in one query; the database takes 65,535 parameters.

Key = tuple[str, str]  # A channel's code and the buyer's name there.


class TextWidget(Widget):
    """Text that a spreadsheet must not run as a formula."""

    def __init__(self, max_length: int | None = None) -> None:
        super().__init__(coerce_to_string=True)
        self.max_length = max_length

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        text = bare(_as_text(value)).strip()
        if self.max_length is not None and len(text) > self.max_length:
            raise ValueError(_("Longer than %(limit)s characters.") % {"limit": self.max_length})
        return text

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return guarded(_as_text(value))


class PhoneWidget(TextWidget):
    """A phone number. Spreadsheets take it for a number unless it is text: XLSX says so, CSV needs an apostrophe."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        text = _as_text(value).strip().removeprefix("'")
        phone = read_phone(text)
        if text and not phone:
            raise ValueError(_("Write the whole phone number: eleven digits, or a country code such as +44 first."))
        return phone

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        text = _as_text(value)
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
        text = _as_text(value).strip().removeprefix("'").replace("/", "-").replace(".", "-")
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
        text = _as_text(value).strip().removeprefix("'")
        try:
            return TimeReader(settings.TIME_ZONE, timezone.now()).read(text)
        except CellError:
            raise ValueError(_("Write the time as 2024-05-31 18:30.")) from None

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return timezone.localtime(value).isoformat(sep=" ", timespec="seconds") if value else ""


def _as_text(value: Any) -> str:
    """Return a cell as text; spreadsheets make floats of whole numbers."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


class PersonalField(Field):
    """Personal data. A cell that was masked on the way out leaves what is stored untouched."""

    def save(self, instance: Member, row: dict[str, Any], is_m2m: bool = False, **kwargs: Any) -> None:
        if "***" in _as_text(row[self.column_name]):
            if not instance.pk:
                raise ValueError(_("This value is masked. Only somebody who may see personal data exports it in full."))
            return
        super().save(instance, row, is_m2m, **kwargs)


class FixedField(Field):
    """What is set once: taken for new members when the cell says something, left alone for those we have."""

    def save(self, instance: Member, row: dict[str, Any], is_m2m: bool = False, **kwargs: Any) -> None:
        if not instance.pk and _as_text(row[self.column_name]).strip():
            super().save(instance, row, is_m2m, **kwargs)


# Column titles, which are exported in the language of the page and understood in any of ours.
TITLES = {
    "id": gettext_lazy("Member number"),
    "name": gettext_lazy("Name"),
    "email": gettext_lazy("E-mail"),
    "phone": gettext_lazy("Phone"),
    "birthday": gettext_lazy("Birthday"),
    "note": gettext_lazy("Note"),
    "joined_at": gettext_lazy("Member since"),
    "identities": gettext_lazy("Platform identities"),
}


_MASKS: dict[str, Callable[[Any], str]] = {
    "email": masked_email,
    "phone": masked_phone,
    "birthday": lambda _day: "****-**-**",
}


class MemberResource(ModelResource):
    """One member a row. ``identities`` has one "channel:name" a line; missing ones are added, none is taken away."""

    id = Field(attribute="pk", column_name="id", readonly=True)
    name = Field(attribute="name", column_name="name", widget=TextWidget(120))
    email = PersonalField(attribute="email", column_name="email", widget=EmailWidget(254))
    phone = PersonalField(attribute="phone", column_name="phone", widget=PhoneWidget(20))
    birthday = PersonalField(attribute="birthday", column_name="birthday", widget=DayWidget())
    note = Field(attribute="note", column_name="note", widget=TextWidget(5000))
    joined_at = FixedField(attribute="joined_at", column_name="joined_at", widget=MomentWidget())
    identities = Field(column_name="identities", readonly=True)

    class Meta:
        model = Member
        fields = tuple(TITLES)
        export_order = import_order = tuple(TITLES)
        use_bulk = True
        batch_size = 1000
        report_skipped = False
        skip_unchanged = True

    def __init__(self, *, full: bool = False, at: datetime | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._full = full  # Whether personal data leaves the house unmasked.
        self._at = at or timezone.now()
        self._members: dict[int, Member] = {}
        self._owners: dict[Key, int] = {}  # Identities we have, and whose they are.
        self._channels: dict[str, int] = {}
        self._named: dict[Key, int] = {}  # Identities that a row of this file has named: the row.
        self._pending: list[tuple[Member, list[Key]]] = []

    # --- out ---

    def get_export_headers(self, selected_fields: Iterable[str] | None = None) -> list[str]:
        return [str(TITLES[name]) for name in TITLES]

    def export_field(self, field: Field, instance: Member, **kwargs: Any) -> Any:
        name = field.column_name
        if name == "id":
            return instance.pk
        if name == "identities":
            return guarded("\n".join(f"{row.channel.code}:{row.external_id}" for row in instance.identities.all()))
        if not self._full and isinstance(field, PersonalField):
            value = getattr(instance, name)
            return _MASKS[name](value) if value else ""
        return super().export_field(field, instance, **kwargs)

    # --- in ---

    def before_import(self, dataset: Dataset, **kwargs: Any) -> None:
        """Understand the column titles, and fetch all that the rows may mean in a few queries."""
        titles = _known_titles()
        headers = [
            titles.get(_as_text(header).strip().lstrip("\ufeff").lower(), header) for header in dataset.headers or []
        ]
        if not {"id", "identities"} & set(headers):
            raise ValueError(
                _("The file has neither a column “%(id)s” nor a column “%(identities)s”. Start from an export.")
                % {"id": TITLES["id"], "identities": TITLES["identities"]}
            )
        if len(dataset) > MAX_ROWS:
            raise ValueError(_("The file has more than %(limit)s rows. Split it.") % {"limit": MAX_ROWS})
        dataset.headers = headers
        ids = [number for cell in _cells(dataset, "id") if (number := _number(cell)) is not None]
        keys = [key for cell in _cells(dataset, "identities") for key in _keys(cell)[0]]
        self._channels = dict(Channel.objects.values_list("code", "pk"))
        self._owners = _owners(keys)
        self._members = _members({*ids, *self._owners.values()})

    def get_instance(self, instance_loader: Any, row: dict[str, Any]) -> Member | None:
        """Return the member a row means, or None for a new one. Raises ``ValidationError`` when it cannot be told."""
        cell = _as_text(row.get("id")).strip()
        owners = {self._owners[key] for key in self._row_keys(row) if key in self._owners}
        if cell:
            number = _number(cell)
            if number is None or number not in self._members:
                raise ValidationError(
                    {"id": _("There is no member with this number. Leave it empty for a new member.")}
                )
            if owners - {number}:
                raise ValidationError({"identities": _("One of these identities belongs to another member.")})
            return self._members[number]
        if len(owners) > 1:
            raise ValidationError({"identities": _("These identities belong to different members.")})
        return self._members[owners.pop()] if owners else None

    def _row_keys(self, row: dict[str, Any]) -> list[Key]:
        keys, wrong = _keys(row.get("identities"))
        if wrong:
            raise ValidationError(
                {"identities": _("“%(text)s” is not an identity. Write channel:name.") % {"text": wrong[0]}}
            )
        for code, _name in keys:
            if code not in self._channels:
                raise ValidationError({"identities": _("There is no channel “%(code)s”.") % {"code": code}})
        return keys

    def import_instance(self, instance: Member, row: dict[str, Any], **kwargs: Any) -> None:
        new_keys = [key for key in self._row_keys(row) if key not in self._owners]
        if not instance.pk and not new_keys:
            raise ValidationError({"identities": _("A new member needs an identity: channel:name.")})
        for key in new_keys:
            if self._named.setdefault(key, kwargs["row_number"]) != kwargs["row_number"]:
                raise ValidationError({"identities": _("An earlier row of this file names the same identity.")})
        if not instance.pk:
            instance.joined_at = self._at
        super().import_instance(instance, row, **kwargs)
        instance.new_identities = new_keys  # type: ignore[attr-defined]

    def skip_row(
        self, instance: Member, original: Member | None, row: dict[str, Any], import_validation_errors: Any = None
    ) -> bool:
        if import_validation_errors or not instance.pk or original is None:
            return False
        return not instance.new_identities and all(  # type: ignore[attr-defined]
            getattr(instance, name) == getattr(original, name)
            for name in ("name", "email", "phone", "birthday", "note")
        )

    def get_bulk_update_fields(self) -> list[str]:
        return ["name", "email", "phone", "birthday", "note"]

    def after_save_instance(self, instance: Member, row: dict[str, Any], **kwargs: Any) -> None:
        if keys := instance.new_identities:  # type: ignore[attr-defined]
            self._pending.append((instance, keys))

    def after_import(self, dataset: Dataset, result: Any, **kwargs: Any) -> None:
        """Attach the new identities, now that new members have their ids; count lines as spreadsheets do."""
        Identity.objects.bulk_create(
            Identity(channel_id=self._channels[code], external_id=name, member=member)
            for member, keys in self._pending
            for code, name in keys
        )
        for refused in result.invalid_rows:
            refused.number += 1


def _known_titles() -> dict[str, str]:
    """Map every title a column may have, in any of our languages, to the name of the field."""
    known = {name: name for name in TITLES}
    for code, _label in settings.LANGUAGES:
        with translation.override(code):
            known |= {str(title).lower(): name for name, title in TITLES.items()}
    return known


def _cells(dataset: Dataset, name: str) -> list[Any]:
    return dataset[name] if name in (dataset.headers or []) else []


def _number(cell: Any) -> int | None:
    text = _as_text(cell).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _keys(cell: Any) -> tuple[list[Key], list[str]]:
    """Split an identities cell; gives the keys and the lines that are none."""
    keys, wrong = [], []
    for line in bare(_as_text(cell)).splitlines():
        code, colon, name = line.strip().partition(":")
        if not line.strip():
            continue
        if colon and code and name and len(name) <= 120:
            keys.append((code, name))
        else:
            wrong.append(line.strip()[:120])
    return list(dict.fromkeys(keys)), wrong


def _owners(keys: Iterable[Key]) -> dict[Key, int]:
    wanted: dict[str, list[str]] = defaultdict(list)
    for code, name in set(keys):
        wanted[code].append(name)
    owners: dict[Key, int] = {}
    for code, names in wanted.items():
        for start in range(0, len(names), _CHUNK):
            found = Identity.objects.filter(channel__code=code, external_id__in=names[start : start + _CHUNK])
            owners |= {(code, name): member for name, member in found.values_list("external_id", "member_id")}
    return owners


def _members(ids: Iterable[int]) -> dict[int, Member]:
    wanted = sorted(ids)
    members: dict[int, Member] = {}
    for start in range(0, len(wanted), _CHUNK):
        members |= Member.objects.in_bulk(wanted[start : start + _CHUNK])
    return members
