"""What the codes of problems mean to a person: which row, which column, what is wrong and what to do."""

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from crm.feeds.records import Problem, UnreadableFile

MAX_VALUE_SHOWN = 60

KIND_LABELS: Mapping[str, Promise] = MappingProxyType(
    {
        "taobao_orders": _("Taobao order list"),
        "taobao_details": _("Taobao detail list"),
        "taobao_refunds": _("Taobao refund list"),
        "csv": _("File read by an import profile"),
    }
)

PROBLEMS: Mapping[str, Promise] = MappingProxyType(
    {
        "missing": _("Column “%(column)s” is empty, but a row means nothing without it. Fill it in and import again."),
        "id_damaged": _(
            "“%(value)s” in column “%(column)s” is not a complete number: a spreadsheet program has rounded it, and "
            "the digits are lost. Export the file again and import it without opening it in a spreadsheet."
        ),
        "value_too_long": _("“%(value)s” in column “%(column)s” is too long. Check that the columns are not shifted."),
        "amount_unreadable": _("“%(value)s” in column “%(column)s” is not an amount. Write it like 1234.50."),
        "amount_negative": _(
            "The amount %(value)s in column “%(column)s” is negative. Returns are imported from the refund list or as "
            "cancellations, not as negative orders."
        ),
        "amount_absurd": _(
            "The amount %(value)s is greater than 10,000,000. Check that the columns are not shifted, and correct it."
        ),
        "amount_zero": _("The refund has no amount, so nothing can be taken back. Leave the row out or correct it."),
        "quantity_unreadable": _("“%(value)s” in column “%(column)s” is not a whole number of pieces. Correct it."),
        "quantity_negative": _(
            "The quantity %(value)s in column “%(column)s” is negative, but the order is not a cancellation. Correct "
            "it, or set the prefix of cancellations in the import profile."
        ),
        "quantity_absurd": _("The quantity %(value)s in column “%(column)s” is greater than 1,000,000. Correct it."),
        "quantity_zero": _("The quantity in column “%(column)s” is zero. Correct it or leave the line out."),
        "time_unreadable": _(
            "“%(value)s” in column “%(column)s” is not a time. Write it like 2024-01-31 18:05:00, or set the time "
            "format in the import profile."
        ),
        "time_future": _(
            "The time %(value)s in column “%(column)s” is in the future. Check the year and the time zone of the shop."
        ),
        "time_too_old": _("The time %(value)s in column “%(column)s” is before the year 2000. Correct it."),
        "unknown_status": _(
            "The status “%(value)s” in column “%(column)s” is not known. Check the spelling; if the platform is using "
            "a new status, report it."
        ),
        "buyer_masked": _(
            "The buyer “%(value)s” is masked, so he cannot be told from others. Export the file again with full names."
        ),
        "short_row": _(
            "The row has only %(value)s cells, fewer than the header. The file may be cut off here: export it again."
        ),
        "extra_cells": _(
            "The row has more cells than the header, beginning with “%(value)s”. A comma or a quotation mark inside a "
            "text is probably not quoted: export the file again."
        ),
        "too_many_lines": _(
            "%(value)s rows in a row have this order number, more than an order can have. Check which column holds the "
            "order number."
        ),
        "differs_within_order": _(
            "Column “%(column)s” says “%(value)s” here and something else in an earlier row of the same order. Rows of "
            "an order must agree on it."
        ),
        "grade_unpriced": _(
            "Nothing is known of what buyers of the grade “%(value)s” (column “%(column)s”) pay. The grade is kept and "
            "takes nothing off until you enter it under “Grades on other tools”."
        ),
        "grade_unreadable": _(
            "“%(value)s” in column “%(column)s” is no name of a grade. The order is imported, its grade is not: "
            "correct the cell, or the column that the tool's settings name."
        ),
        "grade_differs": _(
            "The rows of this order name several grades in column “%(column)s”. The order is imported, its grade is "
            "not: correct the rows and import them again."
        ),
        "grade_too_many": _(
            "The grade “%(value)s” in column “%(column)s” is new, and the tool has 100 already. The order is imported, "
            "its grade is not: check whether the tool's settings name the right column."
        ),
        "grade_of_nobody": _(
            "The row names the grade “%(value)s” in column “%(column)s” and no buyer. The order is imported, its grade "
            "is not: grades come with lists that name the buyer, such as the order list."
        ),
        "grade_without_time": _(
            "The row names the grade “%(value)s” in column “%(column)s”, but not when the order was placed. The order "
            "is imported, its grade is not: grades come with lists that say the time, such as the order list."
        ),
    }
)

UNREADABLE: Mapping[str, Promise] = MappingProxyType(
    {
        "cannot_open": _("The file cannot be opened: %(reason)s. Check the path and the permissions."),
        "empty": _("The file is empty. Export it again."),
        "only_header": _("The file has column names but no rows. Choose a longer period and export it again."),
        "truncated": _("The file ends in the middle of its content, so it was cut off. Download or export it again."),
        "unclosed_quote": _(
            "The cell that begins in line %(line)s never ends: a quotation mark is opened and not closed. The file was "
            "probably cut off. Export it again."
        ),
        "record_too_long": _(
            "Line %(line)s is too long for a row of an export. Either the file is not a table, or a quotation mark is "
            "opened there and not closed. Export it again."
        ),
        "too_many_rows": _("The sheet has more than %(limit)s rows. Split it into several files."),
        "encoding": _(
            "The text is damaged near line %(line)s: it cannot be read as %(encodings)s. Export the file again, or "
            "save it as CSV in UTF-8."
        ),
        "nul_bytes": _("Line %(line)s contains NUL bytes, so this is not a text file. Export it as CSV or XLSX."),
        "zip_archive": _("This is a ZIP archive. Unpack it and import the CSV or XLSX file that is inside."),
        "other_archive": _("This is a packed archive. Unpack it and import the CSV or XLSX file that is inside."),
        "damaged_archive": _("The file is packed, and the packing is damaged. Download or export it again."),
        "expands_too_far": _(
            "The packed file would unpack to far more than an export can be, so it is refused. Unpack it, check it and "
            "import the CSV file."
        ),
        "old_excel": _(
            "This is an old Excel workbook (.xls), or one with a password. Open it in a spreadsheet program and save "
            "it as XLSX."
        ),
        "html_page": _(
            "This is a web page, even if its name ends in .xls or .csv. Probably the session had ended: sign in to the "
            "platform and download the file again, or save it as XLSX."
        ),
        "pdf": _("This is a PDF document. Export the orders as CSV or XLSX."),
        "image": _("This is a picture. Export the orders as CSV or XLSX."),
        "unknown_columns": _(
            "The columns are not those of a Taobao export. Nearest is the list that needs these columns as well: "
            "%(missing)s. The file has: %(found)s. For other files choose an import profile."
        ),
        "missing_columns": _(
            "The import profile “%(profile)s” needs columns that the file does not have: %(missing)s. The file has: "
            "%(found)s. Correct the profile or choose another."
        ),
        "no_profile": _("Choose an import profile that says which column holds what."),
    }
)


def describe(problem: Problem | UnreadableFile) -> str:
    """Say in the active language what is wrong and what to do."""
    if isinstance(problem, UnreadableFile):
        template = UNREADABLE[problem.code]
        return str(template) % {name: _shown(value) for name, value in problem.params.items()}
    column = problem.column or gettext("order number")
    return str(PROBLEMS[problem.code]) % {"column": column, "value": _shown(problem.value)}


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_VALUE_SHOWN * 10 else f"{text[: MAX_VALUE_SHOWN * 10]}…"
