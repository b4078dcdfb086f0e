"""The points page as buyers open it: a thousand entries, ten coupons, twenty rewards; every request is another buyer's.

The production server against a page of the same site, behind the same middleware and with the same sessions, that reads
one row. ``ratio`` is of the page of somebody who looked a moment ago, as it is served until anything of his changes;
``ratio_first`` of the page as it is made at a first look.
"""

from datetime import datetime, timedelta
from pathlib import Path
from statistics import median

from benchmarks.ledger import Shape, fill
from benchmarks.sizes import Size
from benchmarks.web import CONNECTIONS, HOME, etag, sign_everybody_in, web_server, wrk

ROUNDS = 5
COUPONS, REWARDS = 10, 20
LATEST = 3  # Orders of late, whose points are on the page with how they were worked out.
LANGUAGE = "zh-CN,zh;q=0.9"

# Each request is that of the next buyer. With ``known`` his browser asks whether the page it has is still good.
_SCRIPT = """
local buyers = {buyers}
local next = 0
request = function()
  next = next % #buyers + 1
  local headers = {{["Cookie"] = buyers[next][1], ["Accept-Language"] = "{language}"}}
  if {known} then headers["If-None-Match"] = buyers[next][2] end
  return wrk.format("GET", nil, headers)
end
"""


def run(folder: Path, size: Size) -> dict[str, float | int]:
    """Let wrk ask for the page, for a 304 of it, for the page of one row, and for the page of a first look, in turns;
    medians of the rounds."""
    entries = size.rows // size.members
    # What a busy buyer has: most was spent, the latest lots are open.
    burns = (entries - LATEST) * 2 // 5
    fill(size.members, Shape(lots=entries - LATEST - burns, burns=burns))
    cookies = _make_shop(size.members)
    with web_server():
        page, row = f"{HOME}/", f"{HOME}/benchmark/row"
        # A page that is asked for with a query is made anew each time, as it is at a first look.
        first = f"{page}?first"
        tags = [etag(page, **{"Cookie": cookie, "Accept-Language": LANGUAGE}) for cookie in cookies]
        asking = _script(folder / "asking.lua", cookies, tags, known=False)
        returning = _script(folder / "returning.lua", cookies, tags, known=True)
        rounds = [
            (
                wrk(page, script=asking),
                wrk(page, script=returning),
                wrk(row, script=asking),
                wrk(first, script=asking),
            )
            for _round in range(ROUNDS)
        ]
    bodies, fresh, yardstick, made = (median(rates) for rates in zip(*rounds, strict=True))
    return {
        "members": size.members,
        "rows": size.rows,
        "ratio": round(median(own / row for own, _fresh, row, _made in rounds), 3),
        "per_second": round(bodies),
        "seconds": round(CONNECTIONS / bodies, 5),
        "ratio_304": round(median(own / row for _bodies, own, row, _made in rounds), 3),
        "per_second_304": round(fresh),
        "ratio_first": round(median(own / row for _bodies, _fresh, row, own in rounds), 3),
        "per_second_first": round(made),
        "row_per_second": round(yardstick),
    }


def _script(path: Path, cookies: list[str], tags: list[str], *, known: bool) -> Path:
    pairs = ", ".join(f"{{'{cookie}', '{tag}'}}" for cookie, tag in zip(cookies, tags, strict=True))
    path.write_text(_SCRIPT.format(buyers=f"{{{pairs}}}", language=LANGUAGE, known=str(known).lower()))
    return path


def _make_shop(members: int) -> list[str]:
    """A shop that rewards all there is, ten coupons for each member, and a session for each; returns their cookies."""
    from django.utils import timezone

    from config.demo.programme import publish_rules
    from redemption.models import CouponPlan, Denomination, Reward, Stock

    at = timezone.now()
    publish_rules(at)
    plan = CouponPlan.objects.create(name="积分换红包", points_per_yuan=10, validity_days=90)
    Denomination.objects.bulk_create(Denomination(plan=plan, yuan=yuan) for yuan in (5, 10, 20, 30, 50, 100))
    _give_coupons(plan.pk, at)
    _bring_orders(members, at)
    for number in range(REWARDS):
        reward = Reward.objects.create(name=f"青瓷品茗杯 {number}", points=100 * (number + 1), position=number)
        Stock.objects.create(reward=reward, free=1000)
    return sign_everybody_in()


def _give_coupons(plan_id: int, at: datetime) -> None:
    """The last ten burns of everybody were for coupons, which wait to be used."""
    from django.db.models import F, Window
    from django.db.models.functions import RowNumber

    from loyalty.models import Entry
    from redemption.codes import new_code
    from redemption.models import Coupon

    numbered = Entry.objects.filter(kind="burn").annotate(
        place=Window(RowNumber(), partition_by="account_id", order_by=F("id").desc())
    )
    Coupon.objects.bulk_create(
        Coupon(
            plan_id=plan_id, member_id=entry.account_id, code=new_code(), yuan=15, points=150, entry_id=entry.pk,
            key=f"bench:{entry.pk}", issued_at=at, expires_at=at + timedelta(days=90 - entry.place),
        )
        for entry in numbered.filter(place__lte=COUPONS)
    )  # fmt: skip


def _bring_orders(members: int, at: datetime) -> None:
    from loyalty import api as loyalty

    trace = {
        "set": 1, "paid": "128.00", "worth": 128, "before": 0,
        "award": {"set": 1, "rules": [["spend", "spend", 12800, "1/100", 128, "down"]]},
    }  # fmt: skip
    for number in range(LATEST):
        loyalty.post(
            [
                loyalty.accrual(
                    member_id, 128, key=f"bench:{member_id}:{number}", effective_at=at, trace=trace,
                    expires_at=at + timedelta(days=365),
                )
                for member_id in range(1, members + 1)
            ],
            at=at,
        )  # fmt: skip
