"""The daily sign-in: the button, the month and what comes next."""

from datetime import date, timedelta

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from crm.api import Buyer
from loyalty import api as loyalty
from redemption.months import month_of
from redemption.sign_in_words import told
from redemption.views.buyers import for_buyers


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
    messages.add_message(request, messages.INFO if done.repeated else messages.SUCCESS, told(done))
    return redirect("redemption:checkin")


def _bonus_day(board: loyalty.CheckInBoard) -> date | None:
    """The day on which the next bonus comes, when none is missed."""
    if board.bonus is None:
        return None
    last = board.today if board.done else board.today - timedelta(days=1)
    return last + timedelta(days=board.bonus.in_days)
