"""Giving a message to the worker, so that a page takes as long for a number that nobody has."""

from datetime import datetime

from crm.sms.gateway import sealed_message


def hand_over_code(phone: str, code: str, at: datetime) -> None:
    """Have a code sent to a phone; "" is nobody's, and costs the same."""
    _dispatch(sealed_message(phone, code, at))


def _dispatch(sealed: str) -> None:
    # Imported late: tasks stand above this module.
    from crm.tasks import send_sms

    send_sms.delay(sealed)
