"""A shop's server reports that cash was paid: signed, once, and written down before anything follows from it.

The signature is an HMAC over the time, a number used once, and the body (docs/payments.md). Who cannot sign learns
nothing: neither which keys there are nor which redemptions.
"""

import hashlib
import hmac
import json
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction

from crm.api import SecretLost, log_action, seal, unseal
from redemption.models import Payment, PaymentKey, Redemption, SpentCall
from redemption.rewards.cash_orders import cash_due
from redemption.rewards.choices import FitsNothing, PaidBy, RedemptionState
from redemption.rewards.moving import NotPossible
from redemption.rewards.paid_orders import numbers_in
from redemption.rewards.payment import PaymentConflict, apply_payment, report_payment
from redemption.rewards.stray_payments import keep_stray

TOLERANCE = timedelta(minutes=5)  # By so much a call's time may differ from ours.
LONGEST_BODY = 4096
_LONGEST_NAME = 100
_NONCE = re.compile(r"[A-Za-z0-9_-]{8,64}\Z")
_DIGITS = re.compile(r"[0-9]{1,12}\Z")
_MOST = Decimal(10_000_000)  # More than this is a mistake, not a payment.
_FEN = -2  # The exponent of an amount in whole fen.
_NOTED_EVERY = timedelta(minutes=1)


class CallRefused(Exception):
    """A call does not count. ``code`` is stable, ``status`` the answer's; ``text`` tells a developer what to do. One
    that was signed is ``kept`` all the same, for a person to see to."""

    def __init__(self, code: str, status: int, text: str) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.text = text
        self.kept = False


@dataclass(frozen=True, slots=True)
class Call:
    """What came in: the four headers, and the body as it was sent."""

    key_id: str
    time: str
    nonce: str
    signature: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """What the body says: whose cash, how much (yuan), and what the caller calls the payment."""

    redemption_id: int
    amount: Decimal
    payment: str


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer: whether the payment counts, and if not why it waits for a person."""

    payment: Payment
    redemption: Redemption
    applied: bool

    @property
    def why_not(self) -> str:
        """``too_little``, ``not_waiting``, or "" when it counts."""
        if self.applied:
            return ""
        return "too_little" if self.redemption.state == RedemptionState.AWAITING else "not_waiting"


# --- keys -------------------------------------------------------------------------------------------------------------


def make_payment_key(name: str, *, actor_id: int | None, at: datetime) -> tuple[PaymentKey, str]:
    """Make a key and log it. Returns it and its secret in the clear, which is never to be had again."""
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        key = PaymentKey.objects.create(
            name=name, key_id=f"pk_{secrets.token_hex(8)}", secret=seal(secret), made_at=at, made_by_id=actor_id
        )
        log_action("paymentkey.make", actor_id=actor_id, at=at, key=key.key_id, name=name)
    return key, secret


def revoke_payment_key(key_pk: int, *, actor_id: int, reason: str, at: datetime) -> bool:
    """Revoke a key for good; False when somebody else was quicker."""
    with transaction.atomic():
        keys = PaymentKey.objects.filter(pk=key_pk, revoked_at=None)
        revoked = keys.update(revoked_at=at, revoked_by_id=actor_id)
        if revoked:
            log_action("paymentkey.revoke", actor_id=actor_id, at=at, reason=reason, key=key_pk)
    return revoked == 1


# --- calls ------------------------------------------------------------------------------------------------------------


def signature_of(secret: str, time: str, nonce: str, body: bytes) -> str:
    """Return the signature of a call: hexadecimal HMAC-SHA256. Pure."""
    return hmac.new(secret.encode(), f"{time}\n{nonce}\n".encode() + body, hashlib.sha256).hexdigest()


def take_call(call: Call, at: datetime) -> Taken:
    """Take a report of a payment, and let it count if it can. The same payment again gives the same answer.

    Raises CallRefused, and writes why on the page of the key. What was signed, in time and new, and fits nothing, is
    kept among the payments.
    """
    key = _signed_by(call, at)
    try:
        taken = _take(key, call, at)
    except CallRefused as refusal:
        _note(key, at, refusal.code)
        raise
    _note(key, at)
    return taken


def _signed_by(call: Call, at: datetime) -> PaymentKey:
    """Every reason why a signature is no good gets the same answer."""
    refusal = CallRefused("bad_signature", 401, "The key, the signature or what was signed is wrong.")
    storable = call.key_id.isascii() and call.key_id.isprintable() and len(call.key_id) <= 40
    key = PaymentKey.objects.filter(key_id=call.key_id, revoked_at=None).first() if storable else None
    if key is None or not call.signature.isascii():
        raise refusal
    try:
        right = signature_of(unseal(key.secret), call.time, call.nonce, call.body)
    except SecretLost:
        _note(key, at, "lost_secret")
        raise refusal from None
    if not hmac.compare_digest(right, call.signature.lower()):
        _note(key, at, refusal.code)
        raise refusal
    return key


def _take(key: PaymentKey, call: Call, at: datetime) -> Taken:
    stale_at = _in_time(call, at)
    with transaction.atomic():
        _spent, first = SpentCall.objects.get_or_create(key=key, nonce=call.nonce, defaults={"stale_at": stale_at})
        if not first:
            raise CallRefused("replayed", 409, "This call was taken before. Sign a new one, with a new nonce.")
        payment = _fitting_or_kept(call.body, at)
    if isinstance(payment, CallRefused):
        raise payment
    applied = apply_payment(payment.pk, at=at)
    return Taken(payment, Redemption.objects.get(payments=payment), applied)


def _fitting_or_kept(body: bytes, at: datetime) -> Payment | CallRefused:
    """Write down what was reported; where it fits nothing return why, which is not to undo what is kept of it."""
    try:
        return _written_down(read_report(body), at)
    except CallRefused as refusal:
        keep_stray(body, FitsNothing(refusal.code), amount=_amount_in(body), at=at)
        refusal.kept = True
        return refusal


def _amount_in(body: bytes) -> Decimal | None:
    """The amount that a report names, also one that is wrong otherwise; None where there is none."""
    with suppress(CallRefused, ValueError, RecursionError, AttributeError):
        return _amount(json.loads(body, parse_float=Decimal, parse_int=Decimal).get("amount"))
    return None


def _in_time(call: Call, at: datetime) -> datetime:
    """Return until when this call could be repeated. Raises CallRefused."""
    if not _NONCE.match(call.nonce):
        raise CallRefused("bad_nonce", 400, "The nonce has 8 to 64 letters, digits, - or _, new each time.")
    sent = datetime.fromtimestamp(int(call.time), tz=UTC) if _DIGITS.match(call.time) else None
    if sent is None or abs(at - sent) > TOLERANCE:
        raise CallRefused("stale", 401, "The time is seconds since 1970, and at most five minutes from ours.")
    return sent + 2 * TOLERANCE


def _written_down(report: Report, at: datetime) -> Payment:
    if not Redemption.objects.filter(pk=report.redemption_id).exists():
        raise CallRefused("unknown_redemption", 404, "There is no redemption with this number.")
    try:
        return report_payment(
            report.redemption_id, report.amount, how=PaidBy.CALL, reference=f"call:{report.payment}", at=at
        )
    except NotPossible:
        raise CallRefused("no_cash", 409, "This redemption costs points only.") from None
    except PaymentConflict:
        text = "A payment of this name was reported for another redemption or another amount."
        raise CallRefused("conflict", 409, text) from None


def read_report(body: bytes) -> Report:
    """Read what a body says. Pure. Raises CallRefused."""
    try:
        said = json.loads(body, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise CallRefused("unreadable", 400, "The body is a JSON object.")
    ids = numbers_in(str(said.get("redemption", "")))
    if len(ids) != 1:
        raise CallRefused("bad_redemption", 400, "“redemption” is a number such as JF18.")
    name = said.get("payment")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise CallRefused("bad_payment", 400, "“payment” is your name for it: 1 to 100 characters.")
    return Report(ids[0], _amount(said.get("amount")), name)


def _amount(said: Any) -> Decimal:
    try:
        amount = said if isinstance(said, Decimal) else Decimal(said if isinstance(said, str) else "NaN")
    except InvalidOperation:
        amount = Decimal("NaN")
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < _FEN or not 0 < amount <= _MOST:
        raise CallRefused("bad_amount", 400, "“amount” is what was paid in yuan, such as 39.80.")
    return amount


def _note(key: PaymentKey, at: datetime, refusal: str = "") -> None:
    """Remember the last use, to the minute, or why the last call was refused."""
    keys = PaymentKey.objects.filter(pk=key.pk)
    if refusal:
        keys.update(last_refused_at=at, last_refusal=refusal)
    elif key.last_used_at is None or key.last_used_at < at - _NOTED_EVERY:
        keys.update(last_used_at=at)


def forget_calls(at: datetime) -> int:
    """Delete what was kept of calls whose time stamp would be refused by now; returns how many."""
    deleted, _models = SpentCall.objects.filter(stale_at__lte=at).delete()
    return deleted


def why_it_waits(payment: Payment) -> str:
    """Why a payment that was not applied waits: ``stray``, ``too_little``, ``not_waiting``, or "" when the sweep takes
    it."""
    redemption = payment.redemption
    if redemption is None or payment.amount is None:
        return "stray"
    if redemption.state != RedemptionState.AWAITING:
        return "not_waiting"
    return "too_little" if payment.amount < cash_due(redemption) else ""
