"""Every number explains itself (law 11): journal entries in sentences."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty.choices import EntryKind
from loyalty.earning.award import Miss, award_from_trace
from loyalty.earning.kinds import KINDS
from loyalty.explain_award import explain_award, explain_miss
from loyalty.statement import StatementLine
from loyalty.validity import programme_zone

# What becomes of points for a reward of the store; the trace names it, and says how many pieces it is about.
_REWARD_HEADLINES = {
    EntryKind.BURN: gettext_lazy("Redeemed: %(reward)s × %(pieces)s"),
    EntryKind.HOLD: gettext_lazy("Set aside until the cash is paid: %(reward)s × %(pieces)s"),
    EntryKind.CAPTURE: gettext_lazy("Redeemed, the cash is paid: %(reward)s × %(pieces)s"),
    EntryKind.RELEASE: gettext_lazy("Not redeemed after all: %(reward)s × %(pieces)s"),
    EntryKind.REVERSAL: gettext_lazy("Given back: %(reward)s × %(pieces)s"),
}


def headline(line: StatementLine) -> str:
    """What a line of the statement is for, in one short phrase."""
    if line.order_no:
        return _order_headline(line)
    if line.trace.keys() >= {"name", "units"} and line.kind in _REWARD_HEADLINES:
        return str(_REWARD_HEADLINES[line.kind]) % {"reward": line.trace["name"], "pieces": line.trace["units"]}
    return _other_headline(line)


def _other_headline(line: StatementLine) -> str:
    if line.kind is EntryKind.BURN and "yuan" in line.trace:
        return _("Coupon for %(yuan)s yuan") % {"yuan": line.trace["yuan"]}
    if line.kind is EntryKind.REVERSAL and "coupon" in line.trace:
        return _("Coupon for %(yuan)s yuan given back") % {"yuan": line.trace["yuan"]}
    if line.kind is EntryKind.OPENING and "past" in line.trace:
        return _("For earlier purchases")
    if line.kind is EntryKind.ADJUSTMENT:
        return _adjustment_headline(line)
    if line.kind is EntryKind.ACCRUAL and line.trace.get("act") in KINDS:
        return str(KINDS[line.trace["act"]].label)
    if line.kind is EntryKind.ACCRUAL:
        return _("Points given back")
    if line.trace.get("act") == "referral" and line.kind is EntryKind.MATURATION:
        return _("Referral: the order succeeded")
    if line.trace.get("act") == "referral" and line.kind is EntryKind.REVERSAL:
        return _("Referral: taken back")
    if line.kind is EntryKind.REVERSAL:
        return _("Spent points given back") if line.points > 0 else _("Returned goods")
    return str(line.kind.label)


def _adjustment_headline(line: StatementLine) -> str:
    if "erased" in line.trace:
        return _("Given up with the erased data")
    return _("Given by the shop") if line.points > 0 else _("Deducted by the shop")


def explain(line: StatementLine) -> list[str]:
    """How a line of the statement was worked out, as sentences for the buyer."""
    sentences = _ORIGINS.get(line.kind, _unexplained)(line)
    if line.reason:
        sentences.append(_("Reason: %(reason)s") % {"reason": line.reason})
    if line.expires_at is not None and line.points > 0:
        sentences.append(_("Valid through %(day)s.") % {"day": _last_day(line.expires_at)})
    return sentences


def _order_headline(line: StatementLine) -> str:
    order = {"order": line.order_no}
    if line.kind is EntryKind.REVERSAL:
        if line.trace.get("closed"):
            return _("Order %(order)s closed") % order
        if _is_correction(line.trace):
            return _("Order %(order)s corrected") % order
        return _("Refund on order %(order)s") % order
    if line.kind is EntryKind.MATURATION and line.trace.get("unconfirmed"):
        return _("Order %(order)s shipped long ago, pending points available") % order
    if line.kind is EntryKind.MATURATION:
        return _("Order %(order)s completed, pending points available") % order
    if line.pending:
        return _("Order %(order)s paid, points pending") % order
    return _("Order %(order)s completed") % order


def _accrual(line: StatementLine) -> list[str]:
    trace = line.trace
    if "returned" in trace:
        return [_("More had been taken back for returned goods than your orders had earned; this is the difference.")]
    if "award" not in trace:
        return []
    sentences = explain_award(award_from_trace(trace["award"]), line.rule_names)
    if "refunded" in trace:
        facts = {"refunded": trace["refunded"], "worth": trace["worth"]}
        sentences.append(_("%(refunded)s yuan went back, so that %(worth)s of the points are due.") % facts)
    if trace.get("before"):
        given = {"before": trace["before"], "rest": trace["worth"] - trace["before"]}
        sentences.append(_("The order held %(before)s of them already; these are the missing %(rest)s.") % given)
    for rule, code, params in trace.get("misses", ()):
        sentences.append(explain_miss(Miss(rule, code, params), line.rule_names))
    if line.pending:
        sentences.append(_("The points are pending until the order succeeds; then they can be spent."))
    return sentences


def _maturation(line: StatementLine) -> list[str]:
    if line.trace.get("unconfirmed"):
        return [
            _(
                "The time for confirming the receipt has passed, so the order counts as successful and the points that "
                "were pending can now be spent."
            )
        ]
    return [_("The order succeeded, so the points that were pending can now be spent.")]


def _reversal(line: StatementLine) -> list[str]:
    trace = line.trace
    if "coupon" in trace and trace.get("expired"):
        return [_("The coupon expired unused, so its points went back to the points they came from.")]
    if "coupon" in trace:
        return [_("The shop made the coupon void, so its points went back to the points they came from.")]
    if line.points > 0:
        return [_("What you had spent was given back to the points it came from.")]
    if trace.get("act") == "referral":
        return [
            _("What the buyer whom you brought had ordered came back, or does not count; so does its share of points.")
        ]
    if trace.get("closed"):
        return [_("The order was closed, so the points it had brought were taken back.")]
    if _is_correction(trace):
        return [
            _("The order's amount is %(paid)s yuan now, which earns %(kept)s points; the others were taken back.")
            % {"paid": trace["paid"], "kept": trace["kept"]}
        ]
    if "kept" in trace:
        facts = {"refunded": trace["refunded"], "paid": trace["paid"], "kept": trace["kept"]}
        return [
            _(
                "%(refunded)s of the %(paid)s yuan paid went back; the rest earns %(kept)s points, the others were "
                "taken back."
            )
            % facts
        ]
    if "returned" in trace:
        return [
            _(
                "Goods worth %(returned)s yuan were returned in all; their points were taken back, at most what your "
                "orders had earned."
            )
            % {"returned": trace["returned"]}
        ]
    return []


def _is_correction(trace: dict[str, Any]) -> bool:
    """Whether points went because the shop changed the order's amount, and not because money went back."""
    return "kept" in trace and not Decimal(trace["refunded"])


def _burn(line: StatementLine) -> list[str]:
    if "yuan" not in line.trace:
        return []
    facts = {
        "ratio": line.trace.get("points_per_yuan", ""), "yuan": line.trace["yuan"], "points": -line.points,
        "special": line.trace.get("special"),
    }  # fmt: skip
    if facts["special"]:
        return [
            _(
                "%(special)s: %(ratio)s points made one yuan, so %(yuan)s yuan cost %(points)s points. Points that "
                "expire first are used first."
            )
            % facts
        ]
    return [
        _(
            "%(ratio)s points make one yuan, so %(yuan)s yuan cost %(points)s points. Points that expire first are "
            "used first."
        )
        % facts
    ]


def _expiry(line: StatementLine) -> list[str]:
    return [_("The validity of these points ended before they were used.")]


def _opening(line: StatementLine) -> list[str]:
    if "past" not in line.trace:
        return [_("Points that you had before this system was introduced.")]
    facts = {"time": line.trace["past"], "yuan": line.trace["paid"], "points": line.points}
    return [_("Purchases of the time “%(time)s”, %(yuan)s yuan in all: %(points)s points.") % facts]


def _hold(line: StatementLine) -> list[str]:
    return [_("The points are set aside and cannot be spent otherwise; they are used or come back later.")]


def _capture(line: StatementLine) -> list[str]:
    return [_("%(points)s points that had been set aside were spent.") % {"points": -line.held}]


def _release(line: StatementLine) -> list[str]:
    if line.trace.get("lapsed"):
        return [_("The points had been set aside until a deadline. Nobody used them by then, so they came back.")]
    return [_("The points that had been set aside came back with the validity they had.")]


def _unexplained(line: StatementLine) -> list[str]:
    """An adjustment has no other origin than the reason that the person gave."""
    return []


_ORIGINS: dict[EntryKind, Callable[[StatementLine], list[str]]] = {
    EntryKind.ACCRUAL: _accrual,
    EntryKind.OPENING: _opening,
    EntryKind.MATURATION: _maturation,
    EntryKind.BURN: _burn,
    EntryKind.HOLD: _hold,
    EntryKind.CAPTURE: _capture,
    EntryKind.RELEASE: _release,
    EntryKind.EXPIRY: _expiry,
    EntryKind.REVERSAL: _reversal,
}


def _last_day(expires_at: datetime) -> str:
    last_moment = expires_at - timedelta(microseconds=1)
    return formats.date_format(last_moment.astimezone(programme_zone()), "DATE_FORMAT")
