"""The daily sign-in: the button, the month and what comes next."""

from calendar import MONDAY, Calendar
from dataclasses import dataclass
from datetime import date, timedelta

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from crm.api import Buyer
from loyalty import api as loyalty
from redemption.views.buyers import for_buyers


@dataclass(frozen=True, slots=True)
class Cell:
    """A day of the calendar."""

    day: date
    signed: bool
    today: bool


@require_safe
@for_buyers
def calendar(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """This month with the days on which the member signed in."""
    board = loyalty.checkin_board(buyer.member_id, timezone.now(), loyalty.published_sets())
    if board is None:
        raise Http404
    context = {"page": "home", "board": board, "weeks": month_of(board), "bonus_day": _bonus_day(board)}
    return render(request, "redemption/checkin.html", context)


@require_POST
@for_buyers
def check_in(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """Sign in for today. However often the button is pressed, it counts once."""
    try:
        done = loyalty.check_in(buyer.member_id, timezone.now())
    except loyalty.NoSignInRule:
        messages.info(request, _("The shop does not reward the daily sign-in at the moment."))
        return redirect("redemption:home")
    if done.repeated:
        messages.info(request, _("You have signed in today already. Come back tomorrow."))
    else:
        messages.success(request, _told(done))
    return redirect("redemption:checkin")


def month_of(board: loyalty.CheckInBoard) -> list[list[Cell | None]]:
    """The weeks of the month of today, beginning with Monday; None for days of other months."""
    return [
        [Cell(day, day in board.signed, day == board.today) if day.month == board.today.month else None for day in week]
        for week in Calendar(MONDAY).monthdatescalendar(board.today.year, board.today.month)
    ]


def _bonus_day(board: loyalty.CheckInBoard) -> date | None:
    """The day on which the next bonus comes, when none is missed."""
    if board.bonus is None:
        return None
    last = board.today if board.done else board.today - timedelta(days=1)
    return last + timedelta(days=board.bonus.in_days)


def _told(done: loyalty.SignedIn) -> str:
    if not done.points:
        return _("Signed in. Days in a row: %(days)s.") % {"days": done.streak}
    return ngettext(
        "Signed in: %(points)s point more. Days in a row: %(days)s.",
        "Signed in: %(points)s points more. Days in a row: %(days)s.",
        done.points,
    ) % {"points": done.points, "days": done.streak}
