"""Where a shop's server reports that the cash of a redemption was paid (docs/payments.md)."""

from allauth.core import ratelimit
from django.http import HttpRequest, JsonResponse
from django.http.request import RawPostDataException, UnreadablePostError
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from redemption.rewards.cash_orders import cash_due
from redemption.rewards.payment_calls import LONGEST_BODY, Call, CallRefused, Taken, take_call


@csrf_exempt
@never_cache
@require_POST
def payments(request: HttpRequest) -> JsonResponse:
    """Take a call. No cookie is looked at: who calls is said by the signature."""
    key_id = request.headers.get("X-Pointkeeper-Key", "")
    if not ratelimit.consume(request, action="payment_call", key=key_id[:40]):
        return _refused(CallRefused("too_many", 429, "Too many calls. Wait a minute."))
    try:
        return _taken(take_call(_call(request, key_id), timezone.now()))
    except CallRefused as refusal:
        return _refused(refusal)


def _call(request: HttpRequest, key_id: str) -> Call:
    try:
        body = request.body if int(request.headers.get("Content-Length") or 0) <= LONGEST_BODY else b""
    except (ValueError, UnreadablePostError, RawPostDataException):
        body = b""
    if not 0 < len(body) <= LONGEST_BODY:
        raise CallRefused("unreadable", 400, f"The body has 1 to {LONGEST_BODY} bytes.")
    headers = request.headers
    return Call(
        key_id,
        headers.get("X-Pointkeeper-Time", ""),
        headers.get("X-Pointkeeper-Nonce", ""),
        headers.get("X-Pointkeeper-Signature", ""),
        body,
    )


def _taken(taken: Taken) -> JsonResponse:
    answer = {
        "redemption": taken.redemption.number,
        "state": taken.redemption.state,
        "applied": taken.applied,
        "due": str(cash_due(taken.redemption)) if taken.why_not == "too_little" else None,
        "why_not": taken.why_not or None,
    }
    return JsonResponse(answer)


def _refused(refusal: CallRefused) -> JsonResponse:
    answer = {"error": refusal.code, "message": refusal.text, "kept": refusal.kept}
    return JsonResponse(answer, status=refusal.status)
