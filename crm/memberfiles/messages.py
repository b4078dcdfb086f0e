"""What the codes of such rows and files mean to a person: what is wrong, and what to do."""

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm.feeds.messages import describe
from crm.feeds.records import UnreadableFile

MAX_VALUE_SHOWN = 60

# What is wrong with a row wherever rows name members.
ROWS: Mapping[str, Promise] = MappingProxyType(
    {
        "member_unreadable": _("“%(value)s” in column “%(column)s” is not a member's number. It has digits only."),
        "id_damaged": _(
            "“%(value)s” in column “%(column)s” is not complete: a spreadsheet program has rounded it, and the digits "
            "are lost. Write it as text."
        ),
        "value_too_long": _("“%(value)s” in column “%(column)s” is too long. Check that the columns are not shifted."),
        "control_characters": _(
            "Column “%(column)s” holds characters that cannot be seen. Type the cell anew, or paste it as text."
        ),
        "nobody": _("The row names nobody. Fill in column “%(column)s” or another one that says who is meant."),
        "contact_unreadable": _(
            "“%(value)s” in column “%(column)s” is masked or not complete, so it names nobody. Write it in full, or "
            "name the member otherwise."
        ),
        "short_row": _("The row has only %(value)s cells, fewer than the header. The file may be cut off here."),
        "extra_cells": _(
            "The row has more cells than the header, beginning with “%(value)s”. A comma or a quotation mark inside a "
            "text is probably not quoted."
        ),
        "unknown_channel": _("No channel has the code or the name “%(value)s”. Write it as in the list of channels."),
        "channel_missing": _(
            "“%(value)s” is a name on some platform, but there are several channels. Say in a column “channel” which "
            "one is meant."
        ),
        "unknown_member": _("There is no member with the number %(value)s. Check it on the list of members."),
        "unknown_name": _(
            "Nobody is known as “%(value)s” in this channel. Check the spelling, or import his orders first."
        ),
        "unknown_contact": _("No member has “%(value)s”. Name the member by his number or his name on the platform."),
        "ambiguous_contact": _(
            "Several members have “%(value)s”, so it does not say which one is meant. Name the member by his number or "
            "his name on the platform."
        ),
        "identities_differ": _(
            "The columns of this row name different members. Correct it, or leave only the one that is meant."
        ),
    }
)

# Why a file cannot be read at all; what is not here is said as of order files.
UNREADABLE: Mapping[str, Promise] = MappingProxyType(
    {
        "double_column": _(
            "The columns “%(first)s” and “%(second)s” mean the same, and only one of them can count. Delete the other."
        ),
        "empty": _("The file is empty."),
        "only_header": _("The file has column names but no rows."),
        "pdf": _("This is a PDF document. Save the table as CSV or XLSX."),
        "image": _("This is a picture. Save the table as CSV or XLSX."),
        "html_page": _("This is a web page, even if its name says otherwise. Save the table as CSV or XLSX."),
        "nul_bytes": _("Line %(line)s contains NUL bytes, so this is not a text file. Save the table as CSV or XLSX."),
        "record_too_long": _(
            "Line %(line)s is too long for a row. Either the file is not a table, or a quotation mark is opened there "
            "and not closed."
        ),
        "encoding": _(
            "The text is damaged near line %(line)s: it cannot be read as %(encodings)s. Save the table as CSV in "
            "UTF-8."
        ),
        "unclosed_quote": _(
            "The cell that begins in line %(line)s never ends: a quotation mark is opened and not closed. The file was "
            "probably cut off."
        ),
        "truncated": _("The file ends in the middle of its content, so it was cut off. Upload it again."),
    }
)


def in_words(rows: Mapping[str, Promise], code: str, column: str, value: str) -> str:
    """Say in the active language what is wrong with a row and what to do."""
    shown = value if len(value) <= MAX_VALUE_SHOWN else f"{value[:MAX_VALUE_SHOWN]}…"
    return str(rows[code]) % {"column": column, "value": shown}


def file_in_words(unreadable: Mapping[str, Promise], code: str, params: Mapping[str, str]) -> str:
    """Say in the active language why a file cannot be read at all, and what to do."""
    found = unreadable.get(code) or UNREADABLE.get(code)
    return str(found) % params if found else describe(UnreadableFile(code, **params))
