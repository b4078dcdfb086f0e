"""Handing mails to the mail server, in two halves: up to the mail itself, and the mail.

What goes wrong in the first half has certainly sent nothing. In the second the server may say no, which is certain too,
or say nothing, which leaves doubt. With SMTP the border lies where it belongs, before the command ``DATA``; other
backends (files, the API of a provider) are one step that is wholly behind the border.
"""

import smtplib
from collections.abc import Callable
from contextlib import suppress
from email.generator import BytesGenerator
from email.utils import parseaddr
from io import BytesIO
from types import TracebackType
from typing import Any

from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.smtp import EmailBackend
from django.core.mail.message import sanitize_address

from crm.choices import MailProblem

_PERMANENT = 500  # Answers of a mail server: 4xx for now, 5xx for good.
_CLOSING = 421  # "I am going away": the session is over, the mail is not refused.
_TAKEN = 250


class NotHandedOver(Exception):
    """The mail was certainly not sent. ``permanent`` when it is of no use to try again; ``server`` when the reason lies
    with the mail server and would be the same for the next mail."""

    def __init__(self, problem: MailProblem, reply: str, *, permanent: bool = False, server: bool = False) -> None:
        super().__init__(problem, reply)
        self.problem, self.reply, self.permanent, self.server = problem, reply, permanent, server


class Doubt(Exception):
    """The mail was handed over and nobody can know whether it was taken. ``reply`` is all that is known."""

    def __init__(self, reply: str) -> None:
        super().__init__(reply)
        self.reply = reply


class Handover:
    """A session with the mail server for several mails, opened when the first one comes.

    For each mail call ``prepare`` and then, once that is written down, ``finish``. Use it as a context manager.
    """

    def __init__(self) -> None:
        self._backend: Any = get_connection()
        self._open = False
        self._mail: EmailMultiAlternatives | None = None

    def __enter__(self) -> "Handover":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def prepare(self, mail: EmailMultiAlternatives) -> None:
        """Bring the mail server to where only the mail itself is missing. Raises ``NotHandedOver``."""
        fresh = not self._open
        try:
            self._prepare(mail)
        except NotHandedOver as refused:
            self.close()
            # A server that has had enough of a session closes it between two mails, which says nothing of the mail.
            if fresh or not refused.server:
                raise
            self._prepare(mail)
        self._mail = mail

    def finish(self) -> None:
        """Hand over the mail that was prepared. Raises ``NotHandedOver`` and ``Doubt``."""
        mail, self._mail = self._mail, None
        if mail is None:
            raise RuntimeError("no mail was prepared")
        try:
            if self._smtp is not None:
                _send_data(self._smtp, mail)
            else:
                _send_whole(self._backend, mail)
        except (NotHandedOver, Doubt):
            self.close()
            raise
        # Whatever a backend raises, the mail may be on its way, and that has to be written down.
        except Exception as error:
            self.close()
            raise Doubt(_said(error)) from error

    def close(self) -> None:
        """End the session, and forget the mail that was prepared. What goes wrong in saying goodbye concerns nobody."""
        self._open, self._mail = False, None
        with suppress(OSError, smtplib.SMTPException):
            self._backend.close()

    @property
    def _smtp(self) -> smtplib.SMTP | None:
        """The session, where the mail goes by SMTP."""
        return self._backend.connection if isinstance(self._backend, EmailBackend) else None

    def _prepare(self, mail: EmailMultiAlternatives) -> None:
        if not self._open:
            _ask(self._backend.open, MailProblem.UNREACHABLE)
            self._open = True
        if (smtp := self._smtp) is not None:
            _ask(smtp.ehlo_or_helo_if_needed, MailProblem.UNREACHABLE)
            sender, (recipient,) = _bare(mail.from_email), [_bare(address) for address in mail.to]
            _expect(_ask(lambda: smtp.mail(sender), MailProblem.SENDER), MailProblem.SENDER)
            _expect(_ask(lambda: smtp.rcpt(recipient), MailProblem.RECIPIENT), MailProblem.RECIPIENT)


def _ask(step: Callable[[], Any], problem: MailProblem) -> Any:
    """Take a step that certainly sends nothing. A server that goes away is no problem of the mail."""
    try:
        return step()
    except (smtplib.SMTPException, OSError) as error:
        raise NotHandedOver(MailProblem.UNREACHABLE, _said(error), server=True) from error
    except ValueError as error:  # An address that cannot be written in ASCII, for a server that wants that.
        raise NotHandedOver(problem, _said(error), permanent=True) from error


def _expect(answer: tuple[int, bytes], problem: MailProblem) -> None:
    """Raise ``NotHandedOver`` unless the server agrees. What it has against the sender concerns every mail of the shop,
    and the shop can mend it."""
    code, said = answer
    if code in (_TAKEN, 251):
        return
    server = problem == MailProblem.SENDER or code == _CLOSING
    reply = f"{code} {said.decode(errors='replace')}"
    raise NotHandedOver(problem, reply, permanent=code >= _PERMANENT and not server, server=server)


def _send_data(smtp: smtplib.SMTP, mail: EmailMultiAlternatives) -> None:
    """Hand over the mail itself. A "no" is certain, whenever it comes; silence is not."""
    try:
        code, said = smtp.data(_bytes(mail))
    except smtplib.SMTPDataError as error:
        code, said = error.smtp_code, error.smtp_error  # type: ignore[assignment]
    except (smtplib.SMTPException, OSError) as error:
        raise Doubt(_said(error)) from error
    if code != _TAKEN:
        reply = f"{code} {said.decode(errors='replace')}"
        raise NotHandedOver(MailProblem.MESSAGE, reply, permanent=code >= _PERMANENT, server=code == _CLOSING)


def _send_whole(backend: Any, mail: EmailMultiAlternatives) -> None:
    """Hand over a mail to a backend that does everything in one step."""
    if not backend.send_messages([mail]):
        raise Doubt("the mail backend does not say that it has sent the mail")


def _bytes(mail: EmailMultiAlternatives) -> bytes:
    written = BytesIO()
    BytesGenerator(written, mangle_from_=False).flatten(mail.message(), linesep="\r\n")
    return written.getvalue()


def _bare(address: str) -> str:
    return parseaddr(sanitize_address(address, "utf-8"))[1]


def _said(error: BaseException) -> str:
    """Return what an error says, with its name where it says little."""
    return f"{type(error).__name__}: {error}"[:300]
