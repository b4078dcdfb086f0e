#!/usr/bin/env python
"""Django's commands. One that needs the database finds it: the running shop's, or one started for its own duration."""

import os
import sys
from contextlib import ExitStack


def main() -> None:
    """Run a command, with the embedded servers at hand where it needs them."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        from django.conf import settings
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit(f"{error}. Run `make setup` first, then .venv/bin/python manage.py …") from error

    from config.embedded.process import ServerError
    from config.embedded.serving import needs_servers, serving

    with ExitStack() as stack:
        if needs_servers(sys.argv):
            try:
                stack.enter_context(
                    serving(settings.VAR_DIR, database_url=settings.DATABASE_URL, broker_url=settings.BROKER_URL)
                )
            except ServerError as error:
                raise SystemExit(str(error)) from error
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
