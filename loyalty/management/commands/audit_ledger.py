"""``python manage.py audit_ledger``: prove that every account adds up."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand

from loyalty.audit import audit


class Command(BaseCommand):
    help = (
        "Prove for all accounts that balance = sum of entries = sum of remaining lots. Prints JSON; exits 1 and names "
        "the accounts and rows on any mismatch."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        report = audit()
        self.stdout.write(json.dumps(report.as_json(), ensure_ascii=False))
        if not report.ok:
            sys.exit(1)
