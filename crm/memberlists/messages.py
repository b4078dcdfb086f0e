"""What is wrong with such lists, in words."""

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm.feeds.records import UnreadableFile
from crm.memberfiles.messages import ROWS as MEMBER_ROWS
from crm.memberfiles.messages import file_in_words, in_words

_ROWS: Mapping[str, Promise] = MappingProxyType(
    {
        **MEMBER_ROWS,
        "grade_missing": _("Column “%(column)s” is empty. Write the grade, or “none” if the buyer has none."),
        "percent_unreadable": _(
            "“%(value)s” in column “%(column)s” is not what a buyer pays of the price. Write it like 95%% or 0.95."
        ),
        "duplicate": _("The member stands in line %(value)s already. This row is left out."),
        "differs": _("Line %(value)s says something else of the same member. Only that line counts; correct the file."),
    }
)
_FILES: Mapping[str, Promise] = MappingProxyType(
    {
        "not_grades": _(
            "These columns name no grades, or nobody: %(found)s. One column has to be “grade”, another one has to say "
            "whose: “name on the platform”, “member id”, “phone” or “email”."
        ),
        "not_members": _(
            "These columns name nobody: %(found)s. One column has to be “name on the platform”, “member id”, “phone” "
            "or “email”."
        ),
        "too_many_rows": _("The file has more than %(limit)s rows. Divide it."),
    }
)


def row_in_words(code: str, column: str, value: str) -> str:
    """Say what is wrong with a row and what to do."""
    return in_words(_ROWS, code, column, value)


def unreadable_in_words(error: UnreadableFile) -> str:
    """Say why a file cannot be read at all, and what to do."""
    return file_in_words(_FILES, error.code, {name: str(value) for name, value in error.params.items()})
