"""``manage.py load_preset NAME``: begin with rules that others have proved."""

import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.api import InvalidScheme, log_action, publish_scheme
from loyalty.earning.ruleset import InvalidRules
from loyalty.presets import PRESET_NAMES, LoadedPreset, load_preset
from loyalty.rulebook import publish

LONGEST_REASON = 300


class Command(BaseCommand):
    help = (
        "Load a preset: its earning rules and its tier scheme into new drafts, which the admin shows. Tiers that they "
        "name are made where the shop has none of that code. With --publish both count from now on. Prints one JSON "
        "object."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", choices=PRESET_NAMES, metavar="NAME", help=", ".join(PRESET_NAMES))
        parser.add_argument("--publish", action="store_true", help="publish both at once; needs --reason")
        parser.add_argument("--reason", default="", metavar="TEXT", help="why they are published, for the staff log")

    def handle(self, *args: Any, **options: Any) -> None:
        reason = options["reason"].strip()
        if options["publish"] and not reason:
            raise CommandError(_("Say with --reason why the rules are published."), returncode=2)
        if reason and not options["publish"]:
            raise CommandError(_("--reason belongs to --publish; a draft needs none."), returncode=2)
        if len(reason) > LONGEST_REASON:
            raise CommandError(_("The reason is too long: 300 characters are the most."), returncode=2)
        with transaction.atomic():
            now = timezone.now()
            loaded = load_preset(options["name"], at=now, actor_id=None)
            answer = {"draft": loaded.draft.pk, "version": None}
            scheme = {"draft": loaded.scheme_draft_id, "version": None}
            if options["publish"]:
                answer = {"draft": None, "version": _publish_rules(loaded, now, reason)}
                scheme = {"draft": None, "version": _publish_scheme(loaded, now, reason)}
        for note in loaded.notes:
            self.stderr.write(note)
        self.stdout.write(json.dumps({"preset": options["name"], **answer, "scheme": scheme}))


def _publish_rules(loaded: LoadedPreset, at: datetime, reason: str) -> int | None:
    try:
        published = publish(loaded.draft.pk, effective_from=at, at=at, actor_id=None, reason=reason)
    except InvalidRules as invalid:
        raise CommandError(_("The rules cannot be published: %(problems)s") % {"problems": invalid}) from invalid
    log_action("rule.publish", actor_id=None, at=at, reason=reason, version=published.version)
    return published.version


def _publish_scheme(loaded: LoadedPreset, at: datetime, reason: str) -> int | None:
    if loaded.scheme_draft_id is None:
        return None
    try:
        made = publish_scheme(loaded.scheme_draft_id, effective_from=at, at=at, actor_id=None, reason=reason)
    except InvalidScheme as invalid:
        raise CommandError(_("The tier scheme cannot be published: %(problems)s") % {"problems": invalid}) from invalid
    log_action(
        "tier_scheme.publish",
        actor_id=None, at=at, reason=reason, version=made.version, effective_from=at.isoformat(),
    )  # fmt: skip
    return made.version
