"""Sending what is due: the worker's round, one mail after the other over one session with the mail server.

Any number of workers may do this at once. Nothing here is in a transaction while the mail server is talked to.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.template import TemplateDoesNotExist, TemplateSyntaxError

from crm.choices import MailProblem
from crm.mails import outbox
from crm.mails.handover import Doubt, Handover, NotHandedOver
from crm.mails.outbox import Claim
from crm.mails.writing import message_of

logger = logging.getLogger(__name__)

# A round ends before the scheduler begins the next one, so that rounds do not pile up behind a slow mail server.
ROUND_SECONDS = 50


@dataclass(frozen=True, slots=True)
class Round:
    """What a round came to: mails sent, mails looked at, and whether the mail server made it end early."""

    sent: int = 0
    tried: int = 0
    server_away: bool = False


def send_due(*, clock: Callable[[], datetime], seconds: int = ROUND_SECONDS) -> Round:
    """Send the mails that are due, the oldest first, for at most so many seconds; ``clock`` gives the time at a step.

    When the mail server cannot be reached the round ends: one mail has tried, the others keep their attempts.
    """
    outbox.take_up_abandoned(clock())
    sent = tried = 0
    end = time.monotonic() + seconds
    with Handover() as handover:
        while time.monotonic() < end and (claim := outbox.claim(clock())) is not None:
            tried += 1
            try:
                sent += _send(claim, handover, clock)
            except NotHandedOver as refused:
                outbox.not_sent(claim, refused.problem, refused.reply, permanent=refused.permanent, at=clock())
                if refused.server:
                    logger.warning("the mail server does not take mails now: %s", refused.reply)
                    return Round(sent, tried, server_away=True)
            except Doubt as doubt:
                logger.warning("mail %s is in doubt: %s", claim.mail_id, doubt.reply)
                outbox.in_doubt(claim, doubt.reply)
    return Round(sent, tried)


def _send(claim: Claim, handover: Handover, clock: Callable[[], datetime]) -> bool:
    """Send one mail; false when there was a reason not to. Raises ``NotHandedOver`` and ``Doubt``."""
    if (reason := reason_not_to(claim, clock())) is not None:
        outbox.skip(claim, reason)
        return False
    mail = _written(claim)
    handover.prepare(mail)
    if not outbox.begin_sending(claim, address=claim.address, subject=str(mail.subject), at=clock()):
        logger.warning("mail %s was taken over before it was handed over", claim.mail_id)
        handover.close()
        return False
    handover.finish()
    return outbox.sent(claim, at=clock())


def reason_not_to(claim: Claim, at: datetime) -> MailProblem | None:
    """Return why a mail is not sent after all: much may have happened since it was written down."""
    if claim.useless_after is not None and at > claim.useless_after:
        return MailProblem.TOO_LATE
    if claim.unwanted:
        return MailProblem.UNWANTED
    if not claim.address:
        return MailProblem.NO_ADDRESS
    try:
        validate_email(claim.address)
    except ValidationError:
        return MailProblem.BAD_ADDRESS
    return None


def _written(claim: Claim) -> EmailMultiAlternatives:
    """Return the mail in words. Raises ``NotHandedOver`` for one that cannot be written: that is a mistake of ours, and
    the other mails need not wait for it to be mended."""
    try:
        mail = message_of(claim)
        mail.message()
    except (LookupError, ValueError, TypeError, AttributeError, TemplateDoesNotExist, TemplateSyntaxError) as error:
        logger.exception("mail %s cannot be written", claim.mail_id)
        raise NotHandedOver(MailProblem.UNWRITABLE, f"{type(error).__name__}: {error}", permanent=True) from error
    return mail
