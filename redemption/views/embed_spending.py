"""What a member takes for his points inside an embed: coupons and rewards.

Asked for without a token, each is a question; with the token of that question it is done, once however often it comes.
"""

from datetime import datetime
from typing import Any

from allauth.core import ratelimit
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters

from redemption.embeds.acting import coupon_agreement, take_coupon
from redemption.embeds.frames import content, inside
from redemption.embeds.sessions import HEADER, EmbedSession
from redemption.models import Embed
from redemption.refusals import Refused
from redemption.rewards.addresses import keep_address
from redemption.rewards.agreeing import MOST_AT_ONCE, agreement, interest
from redemption.rewards.checkout import redeem
from redemption.rewards.own import own_redemption
from redemption.rewards.refusals import RewardGone
from redemption.rewards.wishes import read_wish
from redemption.tokens import read_token
from redemption.views.addresses import AddressForm
from redemption.views.buyers import whole_number
from redemption.views.embed_code import code_first
from redemption.views.embed_guards import fault, for_members


@for_members
def coupon(request: HttpRequest, embed: Embed, session: EmbedSession, plan_id: int, yuan: int) -> HttpResponse:
    """Ask whether the member agrees; with the token of that question, give him the coupon, once."""
    at = timezone.now()
    refusal = ""
    if "token" in request.POST:
        if not ratelimit.consume(request, action="embed_redeem", key=str(session.member_id)):
            return fault("too_often", 429)
        token = request.POST["token"]
        wish = read_token(token)
        proven = code_first(request, embed, session, wish.points if wish else 0, at)
        if isinstance(proven, HttpResponse):
            return proven
        session = proven
        try:
            taken, before = take_coupon(session.member_id, plan_id, yuan, token, at)
        except Refused as refused:
            refusal = refused.message()
        else:
            return _answer(embed, session, "embed/taken.html", coupon=taken, before=before)
    asked = coupon_agreement(session.member_id, plan_id, yuan, at)
    if isinstance(asked, Refused):
        return HttpResponse(content(embed, session.member_id, at, refusal=refusal or asked.message()))
    if not asked.missing and asked.refusal is None:
        proven = code_first(request, embed, session, asked.offer.points, at)
        if isinstance(proven, HttpResponse):
            return proven
        session = proven
    return _answer(embed, session, "embed/confirm.html", asked=asked, refusal=refusal)


@for_members
def reward(request: HttpRequest, embed: Embed, session: EmbedSession, pk: int) -> HttpResponse:
    """Show a reward and ask whether the member agrees; with the token of that question, redeem it, once."""
    at = timezone.now()
    wanted = whole_number(request.POST.get("quantity", ""))
    address = whole_number(request.POST.get("address", ""))
    if "token" not in request.POST:
        return _ask(request, embed, session, pk, wanted=wanted, address=address, at=at)
    if not ratelimit.consume(request, action="embed_redeem", key=str(session.member_id)):
        return fault("too_often", 429)
    token, quantity = request.POST["token"], min(wanted or 0, MOST_AT_ONCE + 1)
    wish = read_wish(token)
    proven = code_first(request, embed, session, wish.points * quantity if wish else 0, at)
    if isinstance(proven, HttpResponse):
        return proven
    try:
        taken = redeem(proven.member_id, pk, quantity, token=token, address_id=address, at=at)
    except Refused as refused:
        # A fresh question shows what has changed, and carries a fresh token.
        told = {"refusal": refused.message()}
        return _ask(request, embed, proven, pk, wanted=wanted, address=address, at=at, **told)
    own = own_redemption(proven.member_id, taken.redemption_id)
    if own is None:
        raise Http404
    return _answer(embed, proven, "embed/redeemed.html", own=own, redemption=own.redemption, repeated=taken.repeated)


@sensitive_post_parameters()
@for_members
def reward_address(request: HttpRequest, embed: Embed, session: EmbedSession, pk: int) -> HttpResponse:
    """A form for another address; once it is kept, back to the question with it."""
    at = timezone.now()
    wanted = whole_number(request.POST.get("quantity", ""))
    form = AddressForm(request.POST if "recipient" in request.POST else None)
    if form.is_valid():
        preferred = form.cleaned_data["preferred"]
        try:
            kept = keep_address(session.member_id, form.destination(), preferred=preferred, at=at)
        except Refused as refused:
            form.add_error(None, refused.message())
        else:
            return _ask(request, embed, session, pk, wanted=wanted, address=kept.pk, at=at)
    return _address_page(embed, session, form, pk, wanted or 1)


def _ask(
    request: HttpRequest,
    embed: Embed,
    session: EmbedSession,
    pk: int,
    *,
    wanted: int | None,
    address: int | None,
    at: datetime,
    refusal: str = "",
) -> HttpResponse:
    shown = interest(session.member_id, pk, at)
    if shown is None:
        return _answer(embed, session, "embed/reward.html", refusal=refusal or RewardGone().message())
    terms, quantity = shown.seen.terms, shown.pieces(wanted)
    context = {
        "seen": shown.seen,
        "considered": shown.considered,
        "summary": shown.summary,
        "most": shown.considered.most,
        "numbers": shown.numbers,
        "now": at,
        "refusal": refusal,
    }
    if terms is None or shown.considered.refusal is not None:
        return _answer(embed, session, "embed/reward.html", **context)
    proven = code_first(request, embed, session, terms.points * quantity, at)
    if isinstance(proven, HttpResponse):
        return proven
    agreed = agreement(shown, quantity, address, at)
    if agreed is not None and agreed.homeless:
        return _address_page(embed, proven, AddressForm(), pk, quantity)
    return _answer(embed, proven, "embed/reward.html", agreed=agreed, **context)


def _address_page(embed: Embed, session: EmbedSession, form: AddressForm, pk: int, quantity: int) -> HttpResponse:
    return _answer(embed, session, "embed/address.html", form=form, reward_id=pk, quantity=quantity)


def _answer(embed: Embed, session: EmbedSession, template: str, **context: Any) -> HttpResponse:
    """Show something in the place of the embed's content. The session goes with it: it may have been proven."""
    response = HttpResponse(inside(embed, template, **context))
    response[HEADER] = session.text()
    return response
