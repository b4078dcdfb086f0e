"""``manage.py restore FILE``: fill an empty database from a copy, and prove its ledger."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.backup import BackupError, restore
from loyalty.api import audit


class Command(BaseCommand):
    help = (
        "Fill an empty database from a copy made with backup, whole or not at all, and prove that the ledger adds up."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the file's name."""
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore, then audit; a copy that does not add up is reported, and stays for you to look at."""
        try:
            restore(options["file"].resolve())
        except BackupError as error:
            raise CommandError(str(error)) from error
        report = audit()
        if not report.ok:
            raise CommandError(f"Restored, but {report.mismatch_count} sums do not add up: see audit_ledger.")
        self.stdout.write(f"Restored: {report.accounts:,} accounts, {report.entries:,} entries, all adding up.")
