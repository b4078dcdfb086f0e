"""The mails on the demo page, read back from where the file backend keeps them."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.filebased import EmailBackend

from config.demo.mails import latest_mails

MORNING = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)
CODE_MAIL = "您好！\n\n您的登录验证码：\n\n  KX7-2MQ\n\n三分钟内有效，请勿转发。"


def send(folder: Path, subject: str, text: str, *, minutes: int, html: str = "") -> None:
    """Send a mail some minutes after the morning began."""
    mail = EmailMultiAlternatives(subject, text, "shop@example.com", ["林小鹿 <linxiaolu@example.com>"])
    if html:
        mail.attach_alternative(html, "text/html")
    backend = EmailBackend(file_path=str(folder))
    backend.send_messages([mail])
    # Two backends of one second may choose the same name, so each mail gets one of its own.
    (sent,) = folder.glob("*-*.log")
    path = sent.rename(folder / f"{minutes:03}.log")
    moment = (MORNING + timedelta(minutes=minutes)).timestamp()
    os.utime(path, (moment, moment))


def test_shows_the_latest_mail_first(tmp_path: Path) -> None:
    send(tmp_path, "早", "第一封", minutes=0)
    send(tmp_path, "晚", "第二封", minutes=30)
    assert [mail.subject for mail in latest_mails(tmp_path)] == ["晚", "早"]


def test_finds_the_sign_in_code_in_a_mail(tmp_path: Path) -> None:
    send(tmp_path, "登录验证码", CODE_MAIL, minutes=0, html="<p>KX7-2MQ</p>")
    (mail,) = latest_mails(tmp_path)
    assert mail.code == "KX7-2MQ"
    assert mail.text.startswith("您好！")
    assert mail.recipient == "林小鹿 <linxiaolu@example.com>"
    assert mail.sent_at is not None
    assert mail.sent_at.tzinfo is not None


def test_a_mail_without_a_code_has_none(tmp_path: Path) -> None:
    send(tmp_path, "关于您的登录", "本店没有找到使用这个邮箱的买家。", minutes=0)
    assert latest_mails(tmp_path)[0].code == ""


def test_reads_several_mails_of_one_file(tmp_path: Path) -> None:
    backend = EmailBackend(file_path=str(tmp_path))
    backend.send_messages(
        [EmailMultiAlternatives(f"第{n}封", "你好", "shop@example.com", ["a@example.com"]) for n in (1, 2)]
    )
    assert [mail.subject for mail in latest_mails(tmp_path)] == ["第2封", "第1封"]


def test_shows_only_so_many(tmp_path: Path) -> None:
    for minute in range(4):
        send(tmp_path, f"第{minute}封", "你好", minutes=minute)
    assert [mail.subject for mail in latest_mails(tmp_path, limit=2)] == ["第3封", "第2封"]


def test_before_the_first_mail_there_is_nothing(tmp_path: Path) -> None:
    assert latest_mails(tmp_path / "mail") == []


def test_leaves_out_what_is_no_mail_of_ours(tmp_path: Path) -> None:
    (tmp_path / "20260310-010000-1.log").write_bytes(b"x" * (300 * 1024))
    assert latest_mails(tmp_path) == []
