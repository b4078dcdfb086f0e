"""``python manage.py audit_store``: prove that stock, codes and points tell the same story as the redemptions."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection, transaction

from redemption.coupons.proof import prove_coupons
from redemption.rewards.proof import StoreReport, prove_store


class Command(BaseCommand):
    help = (
        "Prove for all rewards that the stock is what the shop put in less what redemptions hold, and for all "
        "redemptions that their points and codes are in the journal and the pool; for all coupon plans that their "
        "counters, points and codes are those of their coupons. Prints JSON; exits 1 and names what does not add up."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            # One instant for all proofs, also while buyers are at it.
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            goods, coupons = prove_store(), prove_coupons()
        report = StoreReport(goods.rewards, goods.redemptions, [*goods.faults, *coupons.faults])
        figures = {"coupon_plans": coupons.plans, "coupons": coupons.coupons}
        self.stdout.write(json.dumps(report.as_json() | figures, indent=2))
        if not report.ok:
            sys.exit(1)
