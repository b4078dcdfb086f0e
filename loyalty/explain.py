"""Every number explains itself (law 11): journal entries in sentences."""

from datetime import datetime, timedelta

from django.utils import formats
from django.utils.translation import gettext as _

from loyalty.choices import EntryKind
from loyalty.statement import StatementLine
from loyalty.validity import programme_zone


def headline(line: StatementLine) -> str:
    """What a line of the statement is for, in one short phrase."""
    order = {"order": line.order_no}
    match line.kind:
        case EntryKind.ACCRUAL if line.order_no:
            if line.pending:
                return _("Order %(order)s paid, points pending") % order
            return _("Order %(order)s completed") % order
        case EntryKind.ACCRUAL:
            return _("Points given back")
        case EntryKind.MATURATION:
            return _("Order %(order)s completed, pending points available") % order
        case EntryKind.REVERSAL if line.order_no:
            if line.trace.get("closed"):
                return _("Order %(order)s closed") % order
            return _("Refund on order %(order)s") % order
        case EntryKind.REVERSAL:
            return _("Returned goods")
        case EntryKind.BURN if "yuan" in line.trace:
            return _("Coupon over %(yuan)s yuan") % {"yuan": line.trace["yuan"]}
        case EntryKind.ADJUSTMENT if line.points > 0:
            return _("Given by the shop")
        case EntryKind.ADJUSTMENT:
            return _("Deducted by the shop")
    return str(line.kind.label)


def explain(line: StatementLine) -> list[str]:
    """How a line of the statement was worked out, as sentences for the buyer."""
    sentences = _origin(line)
    if line.reason:
        sentences.append(_("Reason: %(reason)s") % {"reason": line.reason})
    if line.expires_at is not None and line.points > 0:
        sentences.append(
            _("Valid through %(day)s.") % {"day": _last_day(line.expires_at)}
        )
    return sentences


def _origin(line: StatementLine) -> list[str]:
    trace = line.trace
    match line.kind:
        case EntryKind.ACCRUAL if "award" in trace:
            return [
                _rule_sentence(trace),
                *([_pending_sentence()] if line.pending else []),
            ]
        case EntryKind.ACCRUAL if "returned" in trace:
            return [
                _(
                    "More had been taken back for returned goods than your orders had earned; this is the difference."
                )
            ]
        case EntryKind.MATURATION:
            return [
                _(
                    "The order succeeded, so the points that were pending can now be spent."
                )
            ]
        case EntryKind.REVERSAL if trace.get("closed"):
            return [
                _("The order was closed, so the points it had brought were taken back.")
            ]
        case EntryKind.REVERSAL if "kept" in trace:
            return [
                _(
                    "%(refunded)s of the %(paid)s yuan paid went back; the rest earns %(kept)s points, the others were taken back."
                )
                % {
                    "refunded": trace["refunded"],
                    "paid": trace["paid"],
                    "kept": trace["kept"],
                }
            ]
        case EntryKind.REVERSAL if "returned" in trace:
            return [
                _(
                    "Goods worth %(returned)s yuan were returned in all; their points were taken back, at most what your orders had earned."
                )
                % {"returned": trace["returned"]}
            ]
        case EntryKind.BURN if "yuan" in trace:
            return [
                _(
                    "%(ratio)s points make one yuan, so %(yuan)s yuan cost %(points)s points. Points that expire first are used first."
                )
                % {
                    "ratio": trace.get("points_per_yuan", ""),
                    "yuan": trace["yuan"],
                    "points": -line.points,
                }
            ]
        case EntryKind.EXPIRY:
            return [_("The validity of these points ended before they were used.")]
    return []


def _pending_sentence() -> str:
    return _("The points are pending until the order succeeds; then they can be spent.")


def _rule_sentence(trace: dict) -> str:
    rule = trace["rule"]
    return _(
        "%(paid)s yuan paid; every %(per)s yuan earns %(points)s points, whole steps only: %(award)s points (rule version %(version)s)."
    ) % {
        "paid": trace["paid"],
        "per": rule["per"],
        "points": rule["points"],
        "award": trace["award"],
        "version": rule["version"],
    }


def _last_day(expires_at: datetime) -> str:
    last_moment = expires_at - timedelta(microseconds=1)
    return formats.date_format(last_moment.astimezone(programme_zone()), "DATE_FORMAT")
