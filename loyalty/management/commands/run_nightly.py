"""``manage.py run_nightly [--date D]``: the night's work, with one line of JSON a step."""

import json
import sys
from argparse import ArgumentParser
from datetime import date, datetime, time, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from loyalty.nightly import NightBusy, Step, run_nightly
from loyalty.validity import programme_zone


class Command(BaseCommand):
    help = (
        "Do what is due: pending points become available, holds past their deadline lapse, points expire, and finished "
        "days are closed. Safe to run twice, late, and to stop anywhere. Prints one JSON object a step; exits with 3 "
        "when another worker does it already."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--date",
            type=date.fromisoformat,
            metavar="YYYY-MM-DD",
            help="do only what was due by the end of this day of the programme, which must be over; by default "
            "everything that is due now",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        due = now if options["date"] is None else self._end_of(options["date"])
        if due > now:
            message = _("%(day)s is not over yet. Name an earlier day, or none for what is due now.")
            raise CommandError(message % {"day": options["date"]}, returncode=2)
        try:
            run_nightly(due, at=now, progress=self._tell)
        except NightBusy as error:
            raise CommandError(
                _("Another worker does the night's work already. There is nothing more to do here."), returncode=3
            ) from error

    @staticmethod
    def _end_of(day: date) -> datetime:
        return datetime.combine(day + timedelta(days=1), time.min, tzinfo=programme_zone())

    def _tell(self, step: Step) -> None:
        if sys.stderr.isatty():
            message = _("%(step)s: %(accounts)s accounts, %(lots)s lots, %(points)s points")
            figures = {"step": step.step, "accounts": step.accounts, "lots": step.lots, "points": step.points}
            self.stderr.write(message % figures, ending="\n" if step.done else "\r")
        if step.done:
            self.stdout.write(json.dumps(step.as_json()))
