"""What the codes of a grant mean to a person: what is wrong, and what to do."""

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from crm.filekit import MEMBER_ROWS, file_in_words, in_words

# Kept in English in the database and translated where shown.
BROKE_OFF = gettext_noop("The program met an error and stopped. What was given stays given; press Resume to go on.")
FILE_GONE = gettext_noop("The uploaded file is gone. Upload it again.")

ROWS: Mapping[str, Promise] = MappingProxyType(
    {
        **MEMBER_ROWS,
        "points_missing": _(
            "Column “%(column)s” is empty, or holds a formula whose result was not saved. Write the number of points."
        ),
        "formula": _("“%(value)s” is a formula. Write the number itself, or paste the values only."),
        "points_not_whole": _("“%(value)s” is not a whole number. Points have no fractions: round it yourself."),
        "points_unreadable": _("“%(value)s” in column “%(column)s” is not a number of points. Write it like 1500."),
        "points_zero": _("Zero points change nothing. Leave the row out, or write the number that was meant."),
        "points_too_many": _(
            "%(value)s points are more than 10,000,000 in one row. Check that columns are not shifted."
        ),
        "day_unreadable": _("“%(value)s” in column “%(column)s” is not a day. Write it like 2026-12-31."),
        "day_over": _("The points would be valid through %(value)s, which is over. Write a later day."),
        "day_too_late": _("The points would be valid through %(value)s, more than a hundred years. Check the year."),
        "validity_of_deduction": _(
            "Points that are taken away have no validity. Empty column “%(column)s” in this row."
        ),
        "nobody": _("The row names nobody. Fill in column “%(column)s” or another one that says who gets the points."),
        "duplicate": _("The row says the same as line %(value)s: the same member, the same points."),
        "not_enough": _("The member can spend %(value)s points only, so none were taken."),
        "past_amount_missing": _(
            "Column “%(column)s” is empty, or holds a formula whose result was not saved. Write what was spent in all."
        ),
        "past_amount_zero": _("Nothing was spent, so there is nothing to give. Leave the row out or correct it."),
        "past_worth_nothing": _("%(value)s yuan are not worth a point at this rate. Leave the row out."),
        "past_day_missing": _(
            "The validity counts from the day of the last purchase, but the row has none. Write it, or upload the file "
            "again and let the validity count from the day on which the points are given."
        ),
        "past_day_future": _("“%(value)s” in column “%(column)s” is still to come. Correct the day of the purchase."),
        "past_day_too_old": _("“%(value)s” in column “%(column)s” is before the year 2000. Correct it."),
        "past_lapsed": _(
            "Counted from the last purchase these points were valid through %(value)s, which is over. Leave the row "
            "out, or upload the file again and let the validity count from the day on which the points are given."
        ),
        "past_twice": _(
            "The same member stands in line %(value)s, and gets points for this time once. Add the totals up in one "
            "row."
        ),
        "past_masked": _("“%(value)s” is masked, so nobody would find his points. Write the name in full."),
        "past_contact_known": _(
            "Nobody is known as “%(value)s” in this channel, but a member has the phone or mail address of this row. "
            "If it is him, name him by his number; if not, leave the phone and the address out."
        ),
        "amount_unreadable": _("“%(value)s” in column “%(column)s” is not an amount. Write it like 1234.50."),
        "amount_negative": _("The amount %(value)s in column “%(column)s” is negative. Write what was spent in all."),
        "amount_absurd": _(
            "The amount %(value)s is greater than 10,000,000. Check that the columns are not shifted, and correct it."
        ),
        "validity_over": _("The points would not have been valid any more when their turn came."),
    }
)

_UNREADABLE: Mapping[str, Promise] = MappingProxyType(
    {
        "grant_columns": _(
            "The first row must name the columns: “points”, and who gets them: “member id”, or “channel” and “name on "
            "the platform”, or “phone”, or “email”. The file has: %(found)s."
        ),
        "past_columns": _(
            "The first row must name the columns: “total”, and who spent it: “member id”, or “channel” and “name on "
            "the platform”, or “phone”, or “email”. The file has: %(found)s."
        ),
    }
)


def describe_row(code: str, column: str, value: str) -> str:
    """Say in the active language what is wrong with a row and what to do."""
    return in_words(ROWS, code, column, value)


def describe_file(code: str, params: Mapping[str, str]) -> str:
    """Say in the active language why a file cannot be read at all, and what to do."""
    return file_in_words(_UNREADABLE, code, params)
