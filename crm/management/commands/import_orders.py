"""``manage.py import_orders FILE... --channel CODE``: orders from files, with a JSON summary as the last output."""

import json
import os
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.choices import Platform
from crm.feeds import Inspection, Profile, ProfileError, UnreadableFile
from crm.feeds.messages import KIND_LABELS, describe
from crm.imports import pipeline
from crm.imports.counts import Counts
from crm.imports.pipeline import Source
from crm.imports.reports import RefusedRow, RefusedRowsFile
from crm.models import Channel, ImportProfile

_SUMMARY = ("rows", "orders_new", "orders_updated", "orders_unchanged", "members_new", "refunds", "rejected")
_POINTS = ("points_accrued", "points_pending", "points_reversed")


@dataclass(frozen=True)
class _Checked:
    """A file that has been inspected and can be read."""

    source: Source
    inspection: Inspection

    @property
    def name(self) -> str:
        return self.source.path.name


@contextmanager
def _undone() -> Iterator[None]:
    """A transaction that is undone at its end, and that gives way to the shop rather than block it."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Shorter than the server's deadlock check, so that it is never a buyer who loses.
            cursor.execute("SET LOCAL lock_timeout = '500ms'")
        try:
            yield
        except OperationalError as error:
            raise CommandError(
                _("The shop is working on the same accounts right now. Try the dry run again later.")
            ) from error
        transaction.set_rollback(True)


class Command(BaseCommand):
    help = (
        "Import orders from files. All files are checked first; when one of them cannot be read, nothing is written. "
        "Progress goes to stderr, the last thing on stdout is a JSON summary. Exit code 0, also when rows were "
        "refused; 2 when a file as a whole cannot be read, or the channel or profile is unknown."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--channel", required=True, metavar="CODE", help="the shop the orders belong to")
        parser.add_argument(
            "--create-channel", action="store_true", help="make the channel when there is none with this code"
        )
        parser.add_argument(
            "--format",
            default="auto",
            metavar="auto|taobao|csv:PROFILE",
            help="csv:PROFILE takes the code of a saved import profile, or the path of a JSON file with one",
        )
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="do everything and undo it, so that the figures are true; it takes as long as the import and gives up "
            "when the shop is busy with the same accounts",
        )
        parser.add_argument(
            "--rejects",
            type=Path,
            metavar="PATH",
            help="where refused rows go; by default beside the working directory's other files, as "
            "rejected-<first file>.csv, and nowhere in a dry run",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        at = timezone.now()
        dry_run = bool(options["dry_run"])
        profile = self._profile(options["format"])
        channel = self._channel(options["channel"], profile, create=options["create_channel"])
        files = self._check(options["files"], channel, profile, at)
        rejects = options["rejects"]
        if rejects is None and not dry_run:
            rejects = Path(f"rejected-{files[0].source.path.stem}.csv")
        if rejects is not None:
            self._refuse_unwritable(rejects, options["files"])
        try:
            with RefusedRowsFile(rejects) as refused, _undone() if dry_run else nullcontext():
                if not channel.pk:
                    channel.save()
                per_file = [self._run(file, at, refused) for file in files]
        except UnreadableFile as error:
            raise CommandError(describe(error), returncode=2) from error
        summary = self._summary(files, per_file)
        summary["rejected_file"] = str(rejects) if rejects is not None and refused.written else None
        summary["dry_run"] = dry_run
        self.stdout.write(json.dumps(summary, ensure_ascii=False))

    def _profile(self, text: str) -> Profile | None:
        """Return the import profile that ``--format`` asks for; the platforms' own exports need none."""
        name, _colon, wanted = text.partition(":")
        if name in ("auto", "taobao") and not wanted:
            return None
        if name != "csv" or not wanted:
            raise CommandError(_("--format is auto, taobao or csv:PROFILE."), returncode=2)
        try:
            return Profile.from_json(wanted, self._profile_settings(wanted))
        except ProfileError as error:
            raise CommandError(f"{wanted}: {error}", returncode=2) from error

    @staticmethod
    def _profile_settings(wanted: str) -> Any:
        """Find a profile by its code, or read it from a file."""
        saved = ImportProfile.objects.filter(code=wanted).first()
        if saved is not None:
            return saved.settings
        path = Path(wanted)
        if not path.is_file():
            message = _("There is no import profile “%(wanted)s” and no file of that name. Saved profiles: %(known)s.")
            known = ", ".join(ImportProfile.objects.values_list("code", flat=True)) or "–"
            raise CommandError(message % {"wanted": wanted, "known": known}, returncode=2)
        try:
            return json.loads(path.read_text(encoding="utf-8-sig"))
        except ValueError as error:
            message = _("%(path)s is not JSON: %(error)s")
            raise CommandError(message % {"path": path, "error": error}, returncode=2) from error

    @staticmethod
    def _channel(code: str, profile: Profile | None, *, create: bool) -> Channel:
        """Return the channel, or one that is still to be saved when it may be made."""
        channel = Channel.objects.filter(code=code).first()
        if channel is not None:
            return channel
        if not create:
            message = _("There is no channel “%(code)s”. Known channels: %(known)s. Add --create-channel to make it.")
            known = ", ".join(Channel.objects.values_list("code", flat=True)) or "–"
            raise CommandError(message % {"code": code, "known": known}, returncode=2)
        channel = Channel(code=code, name=code, platform=Platform.OTHER if profile else Platform.TAOBAO)
        try:
            channel.full_clean()
        except ValidationError as error:
            raise CommandError("\n".join(error.messages), returncode=2) from error
        return channel

    def _check(self, paths: Sequence[Path], channel: Channel, profile: Profile | None, at: datetime) -> list[_Checked]:
        """Check every file before anything is written, and complain of all that cannot be read at once."""
        files, complaints = [], []
        for path in paths:
            source = Source(path, channel, profile)
            try:
                found = source.inspect(at)
            except UnreadableFile as error:
                complaints.append(f"{path}: {describe(error)}")
            else:
                files.append(_Checked(replace(source, encoding=found.encoding), found))
                self.stderr.write(f"{path.name}: {KIND_LABELS[found.kind]}, {found.encoding}, {found.rows:,}")
        if complaints:
            raise CommandError("\n".join([*complaints, _("Nothing was written.")]), returncode=2)
        return files

    @staticmethod
    def _refuse_unwritable(rejects: Path, files: Sequence[Path]) -> None:
        """Make sure that refused rows can be kept before anything is written, and not in the place of an import."""
        if rejects.exists():
            unfit = not rejects.is_file() or any(rejects.samefile(path) for path in files)
        else:
            unfit = not rejects.parent.is_dir()
        if unfit or not os.access(rejects if rejects.exists() else rejects.parent, os.W_OK):
            message = _("Refused rows cannot be written to %(path)s. Name another file with --rejects.")
            raise CommandError("\n".join([message % {"path": rejects}, _("Nothing was written.")]), returncode=2)

    def _run(self, file: _Checked, at: datetime, refused: RefusedRowsFile) -> Counts:
        expected, done, told = file.inspection.rows, Counts(), time.monotonic()

        def save(batch: pipeline.Batch) -> None:
            nonlocal told
            refused.add(RefusedRow(file.name, problem) for problem in batch.problems)
            done.add(batch.counts)
            if batch.last or time.monotonic() - told >= 1:
                told = time.monotonic()
                message = _("%(name)s: %(done)s of %(all)s rows, %(rate)s a second")
                figures = {"done": f"{done.rows:,}", "all": f"{expected:,}", "rate": f"{done.rate:,.0f}"}
                self.stderr.write(message % {"name": file.name, **figures})

        return pipeline.run_file(file.source, at=at, save=save)

    @staticmethod
    def _summary(files: Sequence[_Checked], per_file: Sequence[Counts]) -> dict[str, Any]:
        totals = Counts()
        for counts in per_file:
            totals.add(counts)
        summary: dict[str, Any] = {name: getattr(totals, name) for name in _SUMMARY}
        summary |= dict.fromkeys(_POINTS, 0) | totals.effects
        summary["files"] = [
            {
                "name": file.name,
                "format": file.inspection.kind,
                "encoding": file.inspection.encoding,
                "rows": counts.rows,
                "rejected": counts.rejected,
            }
            for file, counts in zip(files, per_file, strict=True)
        ]
        return summary
