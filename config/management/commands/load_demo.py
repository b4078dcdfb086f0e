"""``manage.py load_demo``: put the demo shop into an empty database."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from config.demo.loading import OtherData, load_demo


class Command(BaseCommand):
    help = (
        "Put the demo shop into an empty database: invented buyers and orders, imported from exports that are written "
        "to the demo folder under VAR_DIR. A database that has it already stays as it is; one that holds other members "
        "or orders is refused with exit code 1."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        folder = settings.VAR_DIR / "demo"
        try:
            loaded = load_demo(folder, at=timezone.now())
        except OtherData as error:
            raise CommandError(
                _("The database holds members or orders already. The demo shop only goes into an empty database.")
            ) from error
        if loaded is None:
            self.stdout.write(_("The demo shop is there already. Nothing was changed."))
            return
        self.stdout.write(
            _("The demo shop is ready: %(members)s members, %(orders)s orders, %(coupons)s coupons.")
            % {
                "members": f"{loaded.counts.members_new:,}",
                "orders": f"{loaded.counts.orders_new:,}",
                "coupons": f"{loaded.coupons:,}",
            }
        )
        self.stdout.write(
            _("To practise an import in the admin, upload the files in %(folder)s.") % {"folder": loaded.week[0].parent}
        )
