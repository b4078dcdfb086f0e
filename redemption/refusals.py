"""Why a buyer does not get what he asked for."""

from django.utils.functional import Promise


class Refused(Exception):
    """There is nothing for the buyer. ``code`` is stable; ``message()`` tells him why and what to do."""

    code = ""
    text: str | Promise = ""

    def message(self) -> str:
        return str(self.text)
