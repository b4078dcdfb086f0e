"""``manage.py prepare``: everything a new release or a new database needs before the shop is opened."""

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from config.staff import make_first_login
from config.staticfiles import collect_if_changed

MIGRATION_LOCK = 5_061_742  # Of several machines that start at once, one migrates and the others wait.


class Command(BaseCommand):
    help = (
        "Apply migrations, collect static files when they changed, make the first staff login when there is none, and "
        "with DEMO on put the demo shop into an empty database. It may be run any number of times."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.timed("Database", self.migrate)
        self.timed("Static files", lambda: "collected" if collect_if_changed() else "unchanged")
        if path := make_first_login(settings.VAR_DIR):
            self.stdout.write(f"Staff login: made, kept in {path}")
        if settings.DEMO:
            try:
                call_command("load_demo", stdout=self.stdout)
            except CommandError as refusal:
                self.stdout.write(str(refusal))

    def timed(self, title: str, work: Callable[[], str]) -> None:
        """Do a piece of work and tell what it did and how long it took."""
        started = time.monotonic()
        result = work()
        self.stdout.write(f"{title}: {result} ({time.monotonic() - started:.1f} s)")

    def migrate(self) -> str:
        """Apply the migrations that are missing."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
            try:
                executor = MigrationExecutor(connection)
                missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
                if not missing:
                    return "up to date"
                call_command("migrate", interactive=False, verbosity=0)
            finally:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])
        return f"{len(missing)} migrations applied"
