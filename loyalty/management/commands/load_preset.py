"""``manage.py load_preset NAME``: begin with rules that others have proved."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.api import log_action
from loyalty.earning.ruleset import InvalidRules
from loyalty.presets import PRESET_NAMES, load_preset
from loyalty.rulebook import publish

LONGEST_REASON = 300


class Command(BaseCommand):
    help = (
        "Load a preset of earning rules into a new draft, which the admin shows. Tiers that its rules name are made "
        "where the shop has none of that code. With --publish the rules count from now on. Prints one JSON object."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", choices=PRESET_NAMES, metavar="NAME", help=", ".join(PRESET_NAMES))
        parser.add_argument("--publish", action="store_true", help="publish the rules at once; needs --reason")
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
            version = None
            if options["publish"]:
                try:
                    published = publish(loaded.draft.pk, effective_from=now, at=now, actor_id=None, reason=reason)
                except InvalidRules as invalid:
                    raise CommandError(
                        _("The rules cannot be published: %(problems)s") % {"problems": invalid}
                    ) from invalid
                version = published.version
                log_action("rule.publish", actor_id=None, at=now, reason=reason, version=version)
        for note in loaded.notes:
            self.stderr.write(note)
        answer = {"preset": options["name"], "draft": None if version else loaded.draft.pk, "version": version}
        self.stdout.write(json.dumps(answer))
