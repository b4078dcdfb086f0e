"""The points of coupons that are over go back to the lots that they came from."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any

from loyalty import api as loyalty


@dataclass(frozen=True, slots=True)
class Over:
    """A coupon that is over since ``since``, and the points that go back, 0 for none. ``key`` is its wish's."""

    coupon_id: int
    plan_id: int
    member_id: int
    key: str
    yuan: int
    points: int
    since: datetime


def give_back(
    coupons: Iterable[Over], *, why: str, at: datetime, reason: str = "", actor_id: int | None = None, **trace: Any
) -> int:
    """Give the points back, all in one batch for each day of ``since``, and return how many. Call it in a transaction.

    ``why`` ends the key, so that a coupon's points go back once for each reason, and for two reasons never: there is
    nothing left of the burn then. A lot that has lapsed lives on for the validity policy's days of grace.
    """
    zone = loyalty.programme_zone()

    def day(coupon: Over) -> date:
        return coupon.since.astimezone(zone).date()

    due = sorted((coupon for coupon in coupons if coupon.points), key=lambda coupon: (coupon.since, coupon.coupon_id))
    for _day, of_day in groupby(due, key=day):
        together = list(of_day)
        revive_until = loyalty.revive_until(together[0].since)
        loyalty.post(
            [
                loyalty.undoing(
                    coupon.member_id,
                    coupon.key,
                    key=f"{coupon.key}:{why}",
                    effective_at=coupon.since,
                    revive_until=revive_until,
                    reason=reason,
                    actor_id=actor_id,
                    trace={"coupon": coupon.coupon_id, "yuan": coupon.yuan, **trace},
                )
                for coupon in together
            ],
            at=at,
        )
    return sum(coupon.points for coupon in due)
