"""What the project as a whole adds to Django: the Celery application, checks of a deployment, commands."""

from django.apps import AppConfig
from django.core import checks
from django.utils.translation import gettext_lazy as _


class ConfigConfig(AppConfig):
    """The project's own app; it has no models."""

    name = "config"
    label = "config"
    verbose_name = _("System")

    def ready(self) -> None:
        """Make shared tasks belong to this project's Celery application, and register the checks."""
        from config.celery import app
        from config.checks import check_deployment

        app.set_default()
        checks.register(check_deployment)
