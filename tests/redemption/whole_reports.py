"""A report worked out at once, however much it is about: what its parts have to come to."""

from datetime import datetime

from redemption.reports.sales import SalesOfRedeemers, sales_of_span
from redemption.reports.spans import EVERYBODY
from redemption.reports.taken import Taken, rows_of_span, taken_from


def taken_between(since: datetime, until: datetime) -> Taken:
    """What was taken, by everybody."""
    return taken_from(rows_of_span(since, until, EVERYBODY), until)


def sales_of_redeemers(since: datetime, until: datetime, at: datetime) -> SalesOfRedeemers:
    """The sales to everybody who took something."""
    return sales_of_span(since, until, at, EVERYBODY)
