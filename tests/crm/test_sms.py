"""Messages to phones go through the provider's HTTP interface as the seller describes it."""

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.conf import LazySettings

from crm.sms import gateway
from crm.sms.filling import BadTemplate, read_template
from crm.sms.gateway import HttpGateway, NotSent, sealed_message, send_sealed

VALUES = {"phone": "13800000001", "code": "246810", "text": "茶铺: 246810", "minutes": "10"}


class Provider:
    """A provider that answers as it is told, and remembers what it was sent."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, str]] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                provider.got.append((dict(self.headers), self.rfile.read(length)))
                status, body = provider.answers.pop(0) if provider.answers else (200, '{"code": "OK"}')
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "http://127.0.0.1:1/")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def provider(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    provider = Provider()
    settings.SMS_URL = f"http://127.0.0.1:{provider.server.server_port}/send"
    settings.SMS_BODY = '{"to": ["{phone}"], "template": {"id": "T1", "params": {"code": "{code}"}}, "text": "{text}"}'
    settings.SMS_HEADERS = '{"Authorization": "Bearer abc"}'
    settings.SMS_RETRIES = 2
    monkeypatch.setattr(gateway, "_PAUSE", 0)
    yield provider
    provider.server.shutdown()
    provider.server.server_close()


def test_the_sellers_template_is_filled_in(provider: Provider) -> None:
    HttpGateway().send(VALUES)

    [(headers, body)] = provider.got
    assert headers["Authorization"] == "Bearer abc"
    assert json.loads(body) == {
        "to": ["13800000001"],
        "template": {"id": "T1", "params": {"code": "246810"}},
        "text": "茶铺: 246810",
    }


def test_a_form_is_posted_where_the_provider_wants_one(provider: Provider, settings: LazySettings) -> None:
    settings.SMS_FORMAT = "form"

    HttpGateway().send(VALUES)

    fields = parse_qs(provider.got[0][1].decode())
    assert fields["text"] == ["茶铺: 246810"]
    assert json.loads(fields["template"][0])["params"] == {"code": "246810"}


@pytest.mark.parametrize("trouble", [500, 503, 429])
def test_what_may_pass_is_tried_again(trouble: int, provider: Provider) -> None:
    provider.answers = [(trouble, ""), (trouble, "")]

    HttpGateway().send(VALUES)

    assert len(provider.got) == 3


@pytest.mark.parametrize("refusal", [400, 401, 302])
def test_a_refusal_is_not_tried_again(refusal: int, provider: Provider) -> None:
    provider.answers = [(refusal, "")]

    with pytest.raises(NotSent, match=str(refusal)):
        HttpGateway().send(VALUES)
    assert len(provider.got) == 1


def test_a_refusal_inside_a_good_answer_is_seen(provider: Provider, settings: LazySettings) -> None:
    settings.SMS_SUCCESS = '"code": "OK"'
    HttpGateway().send(VALUES)
    provider.answers = [(200, '{"code": "BALANCE_EMPTY"}')]

    with pytest.raises(NotSent, match="SMS_SUCCESS"):
        HttpGateway().send(VALUES)


def test_a_provider_that_is_not_there_is_given_up(provider: Provider, settings: LazySettings) -> None:
    settings.SMS_URL = "http://127.0.0.1:1/send"

    with pytest.raises(NotSent, match="not reached"):
        HttpGateway().send(VALUES)


def test_neither_code_nor_number_gets_into_the_log(
    provider: Provider, at: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    provider.answers = [(400, "246810 13800000001")]

    with caplog.at_level(logging.DEBUG):
        assert not send_sealed(sealed_message("13800000001", "246810", at), at)

    assert "246810" not in caplog.text
    assert "13800000001" not in caplog.text
    assert "…0001: it answered 400" in caplog.text


@pytest.mark.parametrize("template", ["{", "[]", '{"to": "{phone}"}', '{"text": "{text}"}'])
def test_a_template_that_cannot_work_is_refused(template: str) -> None:
    with pytest.raises(BadTemplate):
        read_template(template)
