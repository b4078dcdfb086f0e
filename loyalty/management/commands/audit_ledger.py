"""``python manage.py audit_ledger``: prove that every account adds up and that no sealed entry was altered."""

import json
import sys
from datetime import date, datetime, time, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from loyalty.asof import balances_at, ledger_as_of
from loyalty.audit import audit
from loyalty.validity import programme_zone

_CLEAR = "\r\x1b[K"


class Command(BaseCommand):
    help = (
        "Prove for all accounts that balance = sum of entries = sum of remaining lots, and that every entry and every "
        "closed day is what it was when it was sealed. Prints JSON; exits 1 and names the accounts and rows on any "
        "mismatch."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--as-of",
            metavar="DATE|INSTANT",
            help="Print the ledger as it had been recorded by the end of that day (2026-07-08) or by that instant "
            "(2026-07-08T12:00, in the programme's time zone unless it says another), against the day closed by then.",
        )
        parser.add_argument(
            "--member",
            type=int,
            action="append",
            default=[],
            metavar="ID",
            help="With --as-of: print this member's balance too. May be given several times.",
        )
        parser.add_argument(
            "--since",
            type=int,
            metavar="DAYS",
            help="Look only at accounts and days with something recorded in the last so many days.",
        )
        parser.add_argument(
            "--digest",
            default="",
            metavar="HEX",
            help="A digest that was noted from an earlier audit: fail unless a closed day still has it.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["as_of"] is not None:
            if options["since"] is not None or options["digest"]:
                raise CommandError("--as-of shows the ledger of another day; leave --since and --digest out.")
            answer = self._as_of(_instant(options["as_of"]), options["member"])
        elif options["member"]:
            raise CommandError("--member needs --as-of.")
        else:
            answer = self._audit(options["since"], options["digest"])
        self.stdout.write(json.dumps(answer, ensure_ascii=False))
        if not answer["ok"]:
            sys.exit(1)

    def _as_of(self, at: datetime, member_ids: list[int]) -> dict[str, Any]:
        answer = ledger_as_of(at).as_json()
        if member_ids:
            sums = balances_at(member_ids, at)
            answer["members"] = [
                {"id": member_id, "balance": found.balance, "pending": found.pending, "held": found.held}
                for member_id, found in sums.items()
            ]
        return answer

    def _audit(self, days: int | None, digest: str) -> dict[str, Any]:
        since = None if days is None else timezone.now() - timedelta(days=days)
        report = audit(since=since, digest=digest, progress=self._progress)
        if self.stderr.isatty():
            self.stderr.write(_CLEAR, ending="")
        return report.as_json()

    def _progress(self, part: str, share: float) -> None:
        """One line that is written over, for people who wait at a terminal; machines read nothing but the result."""
        if self.stderr.isatty():
            self.stderr.write(f"{_CLEAR}{part}: {share:.0%}", ending="")
            self.stderr.flush()


def _instant(text: str) -> datetime:
    """Read a day, which means its last moment, or an instant."""
    zone = programme_zone()
    try:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            at = datetime.fromisoformat(text)
            return at if at.tzinfo else at.replace(tzinfo=zone)
    except ValueError:
        raise CommandError(
            f"{text!r} is neither a day such as 2026-07-08 nor an instant such as 2026-07-08T12:00+08:00."
        ) from None
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone) - timedelta(microseconds=1)
