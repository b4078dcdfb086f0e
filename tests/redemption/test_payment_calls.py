"""A shop's server reports payments: signed, once, and nothing is lost; staff see to what counts for nothing."""

import json
import re
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from crm.admin.stafflog import ACTIONS
from crm.models import Member, StaffAction, User
from redemption.models import Payment, PaymentKey, Redemption, SpentCall
from redemption.rewards.choices import PaidBy
from redemption.rewards.lapsing import lapse_unpaid
from redemption.rewards.payment import report_payment
from redemption.rewards.payment_calls import (
    CallRefused,
    forget_calls,
    make_payment_key,
    read_report,
    revoke_payment_key,
    signature_of,
)
from redemption.rewards.todo import store_tasks
from redemption.tasks import sweep_redemptions
from tests.cast import NOON, GivePoints
from tests.factories import RewardFactory, StaffFactory
from tests.redemption.rewards.conftest import Take, home_of, redemption_of, shown, take
from tests.staff import Grant

__all__ = ["home_of", "shown", "take"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

ADDRESS = "/payments/redemptions/"


@pytest.fixture(autouse=True)
def _no_limits_from_before() -> None:
    cache.clear()


@pytest.fixture
def waiting(xiaolu: Member, give_points: GivePoints, take: Take) -> Redemption:
    """小鹿 wants two pots for 600 points and 39.80 yuan, and has not paid yet."""
    give_points(xiaolu, 1000)
    return redemption_of(take(xiaolu, RewardFactory(points=300, cash=Decimal("19.90"), stock=10), 2))


def signed_call(*args: str) -> tuple[dict[str, str], bytes]:
    """The example of docs/payments.md."""
    text = (Path(settings.BASE_DIR) / "docs" / "payments.md").read_text()
    code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
    names: dict[str, Any] = {}
    exec(code, names)
    headers, body = names["signed_call"](*args)
    return headers, body


class Server:
    """The shop's server, which holds a key."""

    def __init__(self, at: datetime) -> None:
        self.key, self.secret = make_payment_key("web shop", actor_id=None, at=at)

    def sign(self, redemption: Redemption | str, amount: str = "39.80", payment: str = "pay-1") -> Any:
        number = redemption if isinstance(redemption, str) else redemption.number
        return signed_call(self.key.key_id, self.secret, number, amount, payment)

    def send(self, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        client = Client(enforce_csrf_checks=True)
        answer = client.post(ADDRESS, body, content_type="application/json", headers=headers)
        return answer.status_code, answer.json()

    def call(self, *args: Any) -> tuple[int, dict[str, Any]]:
        return self.send(*self.sign(*args))


@pytest.fixture
def server(db: None, at: datetime) -> Server:
    return Server(at)


def now(redemption: Redemption) -> Redemption:
    return Redemption.objects.get(pk=redemption.pk)


class TestCall:
    def test_a_payment_lets_the_redemption_go_on(self, server: Server, waiting: Redemption, at: datetime) -> None:
        assert server.call(waiting) == (
            200,
            {"redemption": waiting.number, "state": "confirmed", "applied": True, "due": None, "why_not": None},
        )
        payment = Payment.objects.get()
        assert (payment.amount, payment.how, payment.reference) == (Decimal("39.80"), "call", "call:pay-1")
        assert PaymentKey.objects.get().last_used_at == at

    def test_the_same_payment_signed_anew_gives_the_same_answer_and_counts_once(
        self, server: Server, waiting: Redemption
    ) -> None:
        assert server.call(waiting) == server.call(waiting)
        assert Payment.objects.count() == 1

    def test_the_very_same_call_is_refused(self, server: Server, waiting: Redemption) -> None:
        call = server.sign(waiting)
        server.send(*call)
        status, answer = server.send(*call)
        assert (status, answer["error"]) == (409, "replayed")
        assert PaymentKey.objects.get().last_refusal == "replayed"

    @pytest.mark.parametrize("minutes", [-6, 6])
    def test_a_call_of_another_time_is_stale(
        self, minutes: int, server: Server, waiting: Redemption, at: datetime
    ) -> None:
        call = server.sign(waiting)
        with time_machine.travel(at + timedelta(minutes=minutes), tick=False):
            assert server.send(*call)[1]["error"] == "stale"
        assert not Payment.objects.exists()

    def test_what_was_signed_cannot_be_changed(self, server: Server, waiting: Redemption) -> None:
        headers, body = server.sign(waiting, "1.00")
        tampered: list[tuple[dict[str, str], bytes]] = [
            (headers, body.replace(b"1.00", b"99.00")),
            (headers | {"X-Pointkeeper-Time": str(int(headers["X-Pointkeeper-Time"]) + 1)}, body),
            (headers | {"X-Pointkeeper-Nonce": "another-nonce"}, body),
            (headers | {"X-Pointkeeper-Key": "pk_unknown"}, body),
            (headers | {"X-Pointkeeper-Signature": ""}, body),
        ]
        for call in tampered:
            status, answer = server.send(*call)
            assert (status, answer["error"]) == (401, "bad_signature")
        assert not Payment.objects.exists()

    def test_a_revoked_key_is_as_good_as_none(self, server: Server, waiting: Redemption, at: datetime) -> None:
        staff = StaffFactory()
        assert revoke_payment_key(server.key.pk, actor_id=staff.pk, reason="Lost", at=at)
        assert not revoke_payment_key(server.key.pk, actor_id=staff.pk, reason="Lost", at=at)
        assert server.call(waiting)[1]["error"] == "bad_signature"

    def test_too_little_is_kept_and_waits_for_a_person(self, server: Server, waiting: Redemption) -> None:
        status, answer = server.call(waiting, "39.79")
        assert (status, answer["applied"], answer["why_not"], answer["due"]) == (200, False, "too_little", "39.80")
        assert now(waiting).state == "awaiting"

    def test_too_late_is_kept_too(self, server: Server, waiting: Redemption, at: datetime) -> None:
        lapse_unpaid(at + timedelta(days=3))
        assert server.call(waiting)[1]["why_not"] == "not_waiting"
        assert Payment.objects.count() == 1

    def test_one_name_is_one_payment(self, server: Server, waiting: Redemption) -> None:
        server.call(waiting, "10.00")
        status, answer = server.call(waiting, "39.80")
        assert (status, answer["error"]) == (409, "conflict")

    def test_an_unknown_number_and_one_without_cash_do_not_count(
        self, server: Server, waiting: Redemption, xiaolu: Member, take: Take
    ) -> None:
        assert server.call("JF123456783")[1]["error"] == "bad_redemption"
        assert server.call("JF123456782")[1]["error"] == "unknown_redemption"
        free = redemption_of(take(xiaolu, RewardFactory(points=10, stock=1)))
        assert server.call(free)[1]["error"] == "no_cash"

    def test_other_ways_in_are_closed(self, client: Client) -> None:
        assert client.get(ADDRESS).status_code == 405
        assert client.post(ADDRESS, {"payment": "unsigned"}).status_code == 401
        assert client.post(ADDRESS, b"x" * 5000, content_type="application/json").status_code == 400

    def test_too_many_calls_wait(self, server: Server, waiting: Redemption, settings: Any) -> None:
        settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"payment_call": "2/m/key"}
        answers = [server.call(waiting)[0] for _call in range(3)]
        assert answers == [200, 200, 429]

    def test_old_calls_are_forgotten(self, server: Server, waiting: Redemption, at: datetime) -> None:
        server.call(waiting)
        assert forget_calls(at + timedelta(minutes=9)) == 0
        assert forget_calls(at + timedelta(minutes=11)) == 1
        sweep_redemptions()
        assert not SpentCall.objects.exists()


class TestStray:
    """A payment that was signed and fits nothing is somebody's money: it is kept until a person has seen to it."""

    @pytest.mark.parametrize(
        ("number", "amount", "why", "kept"),
        [
            ("JF123456782", "39.80", "unknown_redemption", Decimal("39.80")),
            ("JF123456783", "39.80", "bad_redemption", Decimal("39.80")),
            ("JF123456782", "39.801", "bad_amount", None),
        ],
    )
    def test_it_is_kept_as_it_came(
        self, number: str, amount: str, why: str, kept: Decimal | None, server: Server
    ) -> None:
        _status, answer = server.call(number, amount)

        assert (answer["error"], answer["kept"]) == (why, True)
        stray = Payment.objects.get()
        assert (stray.why, stray.amount, stray.redemption, stray.applied) == (why, kept, None, False)
        assert json.loads(stray.payload) == {"redemption": number, "amount": amount, "payment": "pay-1"}
        assert store_tasks(NOON).payments == 1

    def test_one_for_points_only_and_a_name_used_twice_are_kept_too(
        self, server: Server, waiting: Redemption, xiaolu: Member, take: Take
    ) -> None:
        server.call(redemption_of(take(xiaolu, RewardFactory(points=10, stock=1))), "39.80", "pay-0")
        server.call(waiting, "39.80")
        server.call(waiting, "50.00")

        assert list(Payment.objects.order_by("pk").values_list("why", "amount")) == [
            ("no_cash", Decimal("39.80")),
            ("", Decimal("39.80")),
            ("conflict", Decimal("50.00")),
        ]

    def test_the_same_report_signed_anew_is_the_same_row_however_it_is_written(self, server: Server) -> None:
        server.call("JF123456782")
        server.call("JF123456782")
        other_way_round = b'{"payment":"pay-1","amount":"39.80","redemption":"JF123456782"}'
        headers, _body = server.sign("JF123456782")
        headers["X-Pointkeeper-Signature"] = signature_of(
            server.secret, headers["X-Pointkeeper-Time"], headers["X-Pointkeeper-Nonce"], other_way_round
        )
        assert server.send(headers, other_way_round)[1]["kept"]
        assert Payment.objects.count() == 1
        server.call("JF123456782", "1.00")
        assert Payment.objects.count() == 2

    def test_what_is_no_json_is_kept_too(self, server: Server) -> None:
        headers, _body = server.sign("JF18")
        for body in (b"\x00 \xff paid!", b"[" * 4000):
            headers["X-Pointkeeper-Nonce"] += "x"
            headers["X-Pointkeeper-Signature"] = signature_of(
                server.secret, headers["X-Pointkeeper-Time"], headers["X-Pointkeeper-Nonce"], body
            )
            assert server.send(headers, body)[1]["kept"]
        assert "paid!" in Payment.objects.earliest("pk").payload

    def test_who_cannot_sign_leaves_nothing(self, server: Server) -> None:
        headers, body = server.sign("JF123456782")
        _status, answer = server.send(headers | {"X-Pointkeeper-Signature": "0" * 64}, body)
        assert (answer["error"], answer["kept"]) == ("bad_signature", False)
        assert not Payment.objects.exists()

    def test_the_right_number_sent_afterwards_counts(self, server: Server, waiting: Redemption) -> None:
        server.call("JF123456782")
        assert server.call(waiting)[1]["applied"]


class TestReading:
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"[]", "unreadable"), (b"{", "unreadable"), (b"\xff", "unreadable"),
            (b'{"redemption": "18", "amount": "1", "payment": "p"}', "bad_redemption"),
            (b'{"redemption": "JF18", "amount": "1.001", "payment": "p"}', "bad_amount"),
            (b'{"redemption": "JF18", "amount": "-1", "payment": "p"}', "bad_amount"),
            (b'{"redemption": "JF18", "amount": "NaN", "payment": "p"}', "bad_amount"),
            (b'{"redemption": "JF18", "amount": "1e99", "payment": "p"}', "bad_amount"),
            (b'{"redemption": "JF18", "amount": null, "payment": "p"}', "bad_amount"),
            (b'{"redemption": "JF18", "amount": "1", "payment": ""}', "bad_payment"),
            (b'{"redemption": "JF18", "amount": "1", "payment": 7}', "bad_payment"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_meant_is_refused(self, body: bytes, code: str) -> None:
        with pytest.raises(CallRefused) as refusal:
            read_report(body)
        assert refusal.value.code == code

    @pytest.mark.parametrize("amount", ['"39.80"', "39.80", "39.8"])
    def test_an_amount_is_a_text_or_a_number(self, amount: str) -> None:
        report = read_report(f'{{"redemption": "JF18", "amount": {amount}, "payment": "p"}}'.encode())
        assert (report.redemption_id, report.amount) == (1, Decimal("39.80"))

    def test_the_signature_is_a_plain_hmac(self) -> None:
        known = "ce0760ca9e3c2ca821174f29c3286c156e906fcab22b8bb5a0ad1c05f71765ad"
        assert signature_of("secret", "1", "n", b"{}") == known


class TestAdmin:
    @pytest.fixture
    def clerk(self, grant: Grant, client: Client) -> User:
        user = grant(
            "redemption.view_payment", "redemption.settle_payment", "redemption.view_paymentkey",
            "redemption.add_paymentkey", "redemption.revoke_paymentkey",
        )  # fmt: skip
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        client.force_login(user)
        return user

    def open_ones(self, client: Client) -> list[Payment]:
        page = client.get(reverse("admin:redemption_payment_changelist"), {"standing": "open"})
        return list(page.context["cl"].result_list)

    def test_what_counts_for_nothing_is_listed_until_it_is_seen_to(
        self, clerk: User, client: Client, server: Server, waiting: Redemption, at: datetime
    ) -> None:
        good = report_payment(waiting.pk, Decimal("39.80"), how=PaidBy.CALL, reference="soon", at=at)
        server.call(waiting, "1.00", "pay-2")
        little = Payment.objects.get(reference="call:pay-2")
        assert self.open_ones(client) == [little]
        assert store_tasks(at).payments == 1
        assert "Too little was paid" in client.get(reverse("admin:redemption_payment_changelist")).content.decode()
        assert reverse("admin:redemption_payment_changelist") in client.get(reverse("admin:index")).content.decode()

        settle = reverse("admin:redemption_payment_settle", args=[little.pk])
        assert client.get(settle).status_code == 200
        assert client.post(settle, {"reason": ""}).context["form"].errors
        client.post(settle, {"reason": "Paid back by bank transfer"})

        assert self.open_ones(client) == []
        assert StaffAction.objects.get(action="payments.settle").reason == "Paid back by bank transfer"
        assert good.applied is False

    @pytest.fixture
    def stray(self, clerk: User, server: Server) -> Payment:
        server.call("JF123456782")
        return Payment.objects.get()

    def settle_page(self, stray: Payment) -> str:
        return reverse("admin:redemption_payment_settle", args=[stray.pk])

    def test_what_fits_nothing_is_listed_with_why_and_as_it_came(self, stray: Payment, client: Client) -> None:
        assert self.open_ones(client) == [stray]
        listed = client.get(reverse("admin:redemption_payment_changelist"), {"q": "pay-1"}).content.decode()
        assert "Fits nothing: No redemption has this number" in listed
        page = client.get(reverse("admin:redemption_payment_change", args=[stray.pk])).content.decode()
        assert "JF123456782" in page
        assert "JF123456782" in client.get(self.settle_page(stray)).content.decode()

    def test_a_person_says_what_it_was_for(self, stray: Payment, client: Client, waiting: Redemption) -> None:
        wrong = client.post(self.settle_page(stray), {"redemption": "JF123456783", "reason": "Asked the buyer"})
        assert wrong.context["form"].errors["redemption"]

        client.post(self.settle_page(stray), {"redemption": waiting.number, "reason": "Asked the buyer"})

        stray.refresh_from_db()
        assert (stray.redemption, stray.applied) == (waiting, True)
        assert now(waiting).state == "confirmed"
        line = StaffAction.objects.get(action="payments.assign")
        assert (line.reason, line.member, line.details["redemption"]) == (
            "Asked the buyer", waiting.member, waiting.number,
        )  # fmt: skip
        assert self.open_ones(client) == []
        assert client.post(self.settle_page(stray), {"reason": "Again"}).status_code == 403
        assert StaffAction.objects.filter(action="payments.assign").count() == 1

    def test_what_is_too_little_stays_with_the_redemption_to_be_seen_to(
        self, clerk: User, server: Server, client: Client, waiting: Redemption
    ) -> None:
        server.call("JF123456782", "1.00")
        stray = Payment.objects.get()
        client.post(self.settle_page(stray), {"redemption": waiting.number, "reason": "Asked the buyer"})
        assert now(waiting).state == "awaiting"
        assert self.open_ones(client) == [stray]
        client.post(self.settle_page(stray), {"reason": "Paid back"})
        assert self.open_ones(client) == []

    def test_or_writes_down_what_was_done(self, stray: Payment, client: Client, at: datetime) -> None:
        client.post(self.settle_page(stray), {"reason": "Paid back by bank transfer"})
        assert self.open_ones(client) == []
        assert store_tasks(at).payments == 0
        assert StaffAction.objects.get(action="payments.settle").reason == "Paid back by bank transfer"

    def test_they_are_found_by_number_and_reference(
        self, clerk: User, client: Client, server: Server, waiting: Redemption
    ) -> None:
        server.call(waiting)
        for term in (waiting.number, "call:pay-1"):
            page = client.get(reverse("admin:redemption_payment_changelist"), {"q": term})
            assert len(page.context["cl"].result_list) == 1
        assert (
            client.get(reverse("admin:redemption_payment_change", args=[Payment.objects.get().pk])).status_code == 200
        )

    def test_a_key_is_shown_once_and_revoked(self, clerk: User, client: Client, server: Server) -> None:
        made = client.post(reverse("admin:redemption_paymentkey_add"), {"name": "test server"})
        key, secret = made.context["key"], made.context["secret"]
        page = reverse("admin:redemption_paymentkey_change", args=[key.pk])
        assert secret in made.content.decode()
        assert secret not in client.get(page).content.decode()
        assert secret not in key.secret
        again = client.post(reverse("admin:redemption_paymentkey_add"), {"name": "test server"})
        assert again.context["form"].errors["name"]

        client.post(reverse("admin:redemption_paymentkey_revoke", args=[key.pk]), {"reason": "Moved"})
        assert PaymentKey.objects.get(pk=key.pk).revoked_by == clerk
        assert {"paymentkey.make", "paymentkey.revoke"} <= set(ACTIONS)

    def test_pages_need_their_permissions(
        self, client: Client, grant: Grant, server: Server, waiting: Redemption
    ) -> None:
        server.call(waiting, "1.00")
        payment = Payment.objects.get()
        client.force_login(grant("redemption.view_payment", "redemption.view_paymentkey"))
        assert client.get(reverse("admin:redemption_payment_settle", args=[payment.pk])).status_code == 403
        assert client.get(reverse("admin:redemption_paymentkey_add")).status_code == 403
        assert client.get(reverse("admin:redemption_paymentkey_revoke", args=[server.key.pk])).status_code == 403
        client.force_login(grant("redemption.view_redemption"))
        assert client.get(reverse("admin:redemption_payment_changelist")).status_code == 403
