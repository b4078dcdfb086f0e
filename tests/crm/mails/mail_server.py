"""A mail server of the tests' own, that says at every step just what a story needs it to say.

It speaks enough SMTP for Python's client, keeps what it has taken, and can break off instead of answering.
"""

import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

BREAK_OFF = ""  # Instead of an answer: close the connection.
USUAL = {"hello": "220 ready", "EHLO": "250 ok", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on",
         "mail": "250 taken", "RSET": "250 ok", "QUIT": "221 bye"}  # fmt: skip


@dataclass
class MailServer:
    """``answers`` replaces what it says at a step: a command, "hello" at the beginning, "mail" after the mail itself.
    A list is said one after the other, the last one for ever. ``taken`` has the mails it said yes to, or meant to."""

    port: int = 0
    answers: dict[str, str | list[str]] = field(default_factory=dict)
    taken: list[bytes] = field(default_factory=list)
    sessions: int = 0

    def answer(self, step: str) -> str:
        said = self.answers.get(step, USUAL.get(step, "250 ok"))
        if isinstance(said, list):
            return said.pop(0) if len(said) > 1 else said[0]
        return said


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        shop: MailServer = self.server.shop  # type: ignore[attr-defined]
        shop.sessions += 1
        if not self._say(shop.answer("hello")):
            return
        greeted = False
        while line := self.rfile.readline():
            command = line.split()[0].decode().upper() if line.strip() else ""
            greeted |= command == "EHLO"
            answer = shop.answer(command) if greeted else "503 polite people say hello"
            if not self._say(answer):
                return
            if command == "QUIT":
                return
            if command == "DATA" and answer.startswith("354"):
                mail = self._mail()
                if mail is None:  # The sender died in the middle of it.
                    return
                verdict = shop.answer("mail")
                if verdict.startswith("250") or verdict == BREAK_OFF:
                    shop.taken.append(mail)
                if not self._say(verdict):
                    return

    def _mail(self) -> bytes | None:
        lines: list[bytes] = []
        while line := self.rfile.readline():
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return None

    def _say(self, answer: str) -> bool:
        """Answer; false when the connection is broken off, by us or by the other side."""
        if answer == BREAK_OFF:
            return False
        try:
            self.wfile.write(f"{answer}\r\n".encode())
        except OSError:
            return False
        return True


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Have a mail server for as long as the block runs."""
    with _Server(("127.0.0.1", 0), _Session) as server:
        shop = MailServer(port=server.server_address[1])
        server.shop = shop  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield shop
        server.shutdown()
        thread.join()


def by_smtp(settings: Any, server: MailServer) -> None:
    """Have Django send its mails to this server."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_TIMEOUT = 5
