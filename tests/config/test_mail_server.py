"""What EMAIL_URL stands for."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.mail_server import mail_settings


@pytest.mark.parametrize(
    ("url", "port", "starttls", "ssl"),
    [
        ("smtp://mail.example", 25, False, False),
        ("smtp+tls://mail.example", 587, True, False),
        ("smtp+ssl://mail.example", 465, False, True),
        ("smtp+tls://mail.example:2525", 2525, True, False),
    ],
)
def test_the_scheme_says_how_the_mail_server_is_spoken_to(url: str, port: int, starttls: bool, ssl: bool) -> None:
    found = mail_settings(url)
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"]) == ("mail.example", port)
    assert (found["EMAIL_USE_TLS"], found["EMAIL_USE_SSL"]) == (starttls, ssl)


def test_user_and_password_may_have_any_sign() -> None:
    found = mail_settings("smtp+tls://shop%40example.com:p%2Fw%3A@mail.example")
    assert (found["EMAIL_HOST_USER"], found["EMAIL_HOST_PASSWORD"]) == ("shop@example.com", "p/w:")


def test_nobody_waits_for_ever_for_an_answer() -> None:
    assert mail_settings("smtp://mail.example")["EMAIL_TIMEOUT"] == 30
    assert mail_settings("smtp://mail.example?timeout=7")["EMAIL_TIMEOUT"] == 7


def test_mails_can_be_printed() -> None:
    assert mail_settings("console://")["EMAIL_BACKEND"].endswith("console.EmailBackend")


@pytest.mark.parametrize(
    "url", ["mail.example", "imap://mail.example", "smtp://", "smtp://mail.example:port", "smtp://m.example?timeout=x"]
)
def test_what_cannot_be_understood_is_refused_and_said(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL"):
        mail_settings(url)
