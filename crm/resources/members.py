"""Members as a table: out to a spreadsheet and back in without loss.

What goes out comes back unchanged as zero changes. A row is recognised by its id, or by any of its identities; a row
that would merge two members, or has neither, is refused. Columns that are missing from a file are left alone, and so
are cells that were masked on the way out.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export.fields import Field
from tablib import Dataset

from crm.adminkit import masked_email, masked_phone
from crm.imports.cells import bare, guarded
from crm.models import Channel, Identity, Member, MemberTag, Tag
from crm.models.tags import TAG_SEPARATORS
from crm.resources.cells import (
    DayWidget,
    EmailWidget,
    FixedField,
    MomentWidget,
    PhoneWidget,
    TextWidget,
    as_text,
    whole_number,
)
from crm.resources.sheet import SheetResource, cells_of
from crm.tags import add_tags, remove_tags

_CHUNK = 10_000  # Keys in one query; the database takes 65,535 parameters.

Key = tuple[str, str]  # A channel's code and the buyer's name there.


class PersonalField(Field):
    """Personal data. A cell that was masked on the way out leaves what is stored untouched."""

    def save(self, instance: Member, row: dict[str, Any], is_m2m: bool = False, **kwargs: Any) -> None:
        if "***" in as_text(row[self.column_name]):
            if not instance.pk:
                raise ValueError(_("This value is masked. Only somebody who may see personal data exports it in full."))
            return
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
    "tags": gettext_lazy("Tags"),
}
_EDITED = ("name", "email", "phone", "birthday", "note")


_MASKS: dict[str, Callable[[Any], str]] = {
    "email": masked_email,
    "phone": masked_phone,
    "birthday": lambda _day: "****-**-**",
}


class MemberResource(SheetResource):
    """One member a row. ``identities`` has one "channel:name" a line; missing ones are added, none is taken away.
    ``tags`` are all tags of the member: what the cell does not name is taken away."""

    id = Field(attribute="pk", column_name="id", readonly=True)
    name = Field(attribute="name", column_name="name", widget=TextWidget(120))
    email = PersonalField(attribute="email", column_name="email", widget=EmailWidget(254))
    phone = PersonalField(attribute="phone", column_name="phone", widget=PhoneWidget(20))
    birthday = PersonalField(attribute="birthday", column_name="birthday", widget=DayWidget())
    note = Field(attribute="note", column_name="note", widget=TextWidget(5000))
    joined_at = FixedField(attribute="joined_at", column_name="joined_at", widget=MomentWidget())
    identities = Field(column_name="identities", readonly=True)
    tags = Field(column_name="tags", readonly=True)

    titles = TITLES

    class Meta:
        model = Member
        fields = tuple(TITLES)
        export_order = import_order = tuple(TITLES)
        use_bulk = True
        batch_size = 1000
        report_skipped = False
        skip_unchanged = True

    def __init__(
        self, *, full: bool = False, at: datetime | None = None, actor_id: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._full = full  # Whether personal data leaves the house unmasked.
        self._at = at or timezone.now()
        self._actor_id = actor_id
        self._members: dict[int, Member] = {}
        self._owners: dict[Key, int] = {}  # Identities we have, and whose they are.
        self._channels: dict[str, int] = {}
        self._named: dict[Key, int] = {}  # Identities that a row of this file has named: the row.
        self._pending: list[tuple[Member, list[Key]]] = []
        self._tags: dict[str, int] = {}
        self._tags_of: dict[int, set[int]] = defaultdict(set)
        self._retagged: list[tuple[Member, set[int]]] = []

    # --- out ---

    def export_field(self, field: Field, instance: Member, **kwargs: Any) -> Any:
        name = field.column_name
        if name == "id":
            return instance.pk
        if name == "identities":
            return guarded("\n".join(f"{row.channel.code}:{row.external_id}" for row in instance.identities.all()))
        if name == "tags":
            return guarded("、".join(sorted(row.tag.name for row in instance.member_tags.all())))
        if not self._full and isinstance(field, PersonalField):
            value = getattr(instance, name)
            return _MASKS[name](value) if value else ""
        return super().export_field(field, instance, **kwargs)

    # --- in ---

    def check_columns(self, columns: list[str]) -> None:
        if not {"id", "identities"} & set(columns):
            raise ValueError(
                _("The file has neither a column “%(id)s” nor a column “%(identities)s”. Start from an export.")
                % {"id": TITLES["id"], "identities": TITLES["identities"]}
            )

    def look_up(self, dataset: Dataset) -> None:
        ids = [number for cell in cells_of(dataset, "id") if (number := whole_number(cell)) is not None]
        keys = [key for cell in cells_of(dataset, "identities") for key in _keys(cell)[0]]
        self._channels = dict(Channel.objects.values_list("code", "pk"))
        self._owners = _owners(keys)
        self._members = _members({*ids, *self._owners.values()})
        if "tags" in dataset.headers:
            self._tags = dict(Tag.objects.values_list("name", "pk"))
            self._tags_of |= _tags_of(self._members)

    def get_instance(self, instance_loader: Any, row: dict[str, Any]) -> Member | None:
        """Return the member a row means, or None for a new one. Raises ``ValidationError`` when it cannot be told."""
        cell = as_text(row.get("id")).strip()
        owners = {self._owners[key] for key in self._row_keys(row) if key in self._owners}
        if cell:
            number = whole_number(cell)
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
        tags = self._row_tags(row)
        super().import_instance(instance, row, **kwargs)
        instance.new_identities = new_keys  # type: ignore[attr-defined]
        instance.wanted_tags = tags  # type: ignore[attr-defined]

    def _row_tags(self, row: dict[str, Any]) -> set[int] | None:
        """Return the tags that a row wants its member to have; None where the file has no such column."""
        if "tags" not in row:
            return None
        text = bare(as_text(row["tags"])).translate(_TO_LINES)
        names = {name.strip() for name in text.splitlines() if name.strip()}
        if unknown := sorted(names - self._tags.keys()):
            raise ValidationError(
                {"tags": _("There is no tag “%(name)s”. Make it in the admin first.") % {"name": unknown[0][:40]}}
            )
        return {self._tags[name] for name in names}

    def skip_row(
        self, instance: Member, original: Member | None, row: dict[str, Any], import_validation_errors: Any = None
    ) -> bool:
        if import_validation_errors or not instance.pk or original is None:
            return False
        tags = instance.wanted_tags  # type: ignore[attr-defined]
        if instance.new_identities or (tags is not None and tags != self._tags_of[instance.pk]):  # type: ignore[attr-defined]
            return False
        return all(getattr(instance, name) == getattr(original, name) for name in _EDITED)

    def get_bulk_update_fields(self) -> list[str]:
        return list(_EDITED)

    def after_save_instance(self, instance: Member, row: dict[str, Any], **kwargs: Any) -> None:
        if keys := instance.new_identities:  # type: ignore[attr-defined]
            self._pending.append((instance, keys))
        if (tags := instance.wanted_tags) is not None:  # type: ignore[attr-defined]
            self._retagged.append((instance, tags))

    def after_import(self, dataset: Dataset, result: Any, **kwargs: Any) -> None:
        """Attach identities and tags, now that new members have their ids."""
        Identity.objects.bulk_create(
            Identity(channel_id=self._channels[code], external_id=name, member=member)
            for member, keys in self._pending
            for code, name in keys
        )
        before = self._tags_of
        remove_tags((member.pk, tag) for member, tags in self._retagged for tag in before[member.pk] - tags)
        add_tags(
            ((member.pk, tag) for member, tags in self._retagged for tag in tags - before[member.pk]),
            actor_id=self._actor_id,
            at=self._at,
        )
        super().after_import(dataset, result, **kwargs)


# Whatever stands between two tags becomes the end of a line.
_TO_LINES = dict.fromkeys(map(ord, TAG_SEPARATORS), "\n")


def _keys(cell: Any) -> tuple[list[Key], list[str]]:
    """Split an identities cell; gives the keys and the lines that are none."""
    keys, wrong = [], []
    for line in bare(as_text(cell)).splitlines():
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


def _tags_of(ids: Iterable[int]) -> dict[int, set[int]]:
    wanted = sorted(ids)
    tags: dict[int, set[int]] = defaultdict(set)
    for start in range(0, len(wanted), _CHUNK):
        found = MemberTag.objects.filter(member__in=wanted[start : start + _CHUNK]).order_by()
        for member_id, tag_id in found.values_list("member_id", "tag_id"):
            tags[member_id].add(tag_id)
    return tags
