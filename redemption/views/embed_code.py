"""A fresh code before much is spent inside an embed: the store's rule, where no cookie remembers what was proven."""

from datetime import datetime

from allauth.core import ratelimit
from django.apps import apps
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from crm.api import Answer, CodeUse, ContactWay, check_code, contact_way, send_proof_code
from redemption.embeds.frames import inside
from redemption.embeds.sessions import EmbedSession
from redemption.models import Embed
from redemption.views.embed_guards import fault

_OWN_FIELDS = frozenset({"send", "code", "ticket"})


def code_first(
    request: HttpRequest, embed: Embed, session: EmbedSession, points: int, at: datetime
) -> HttpResponse | EmbedSession:
    """Return the question for a code where so many points want one, or else the session to go on with.

    The question leads back to where it was asked for, with all that was sent there; so a wish keeps its token. Whoever
    can be reached nowhere goes on by his shop's word, as in the store, if it is not older than a quarter of an hour.
    """
    limit = settings.SPEND_CODE_POINTS
    if not limit or points <= limit or session.proven_lately(at):
        return session
    way = _way(session.member_id)
    if way is None:
        return session if session.vouched_lately(at) else _question(request, embed, None)
    if "send" in request.POST:
        if not ratelimit.consume(request, action="embed_code", key=str(session.member_id)):
            return fault("too_often", 429)
        return _question(request, embed, way, ticket=send_proof_code(session.member_id, way, at))
    if "code" in request.POST:
        return _judge(request, embed, session, way, at)
    return _question(request, embed, way)


def _judge(
    request: HttpRequest, embed: Embed, session: EmbedSession, way: ContactWay, at: datetime
) -> HttpResponse | EmbedSession:
    ticket = request.POST.get("ticket", "")
    answer, member_id = check_code(CodeUse.PROOF, ticket, request.POST["code"], at)
    if answer is Answer.WRONG:
        error = _("This code is not right. Please compare it and try again.")
        return _question(request, embed, way, ticket=ticket, error=error)
    if member_id != session.member_id:
        error = _("This code is no longer good. Please ask for a new one.")
        return _question(request, embed, way, refusal=error)
    return session.with_proof(at)


def _question(
    request: HttpRequest,
    embed: Embed,
    way: ContactWay | None,
    *,
    ticket: str = "",
    error: str = "",
    refusal: str = "",
) -> HttpResponse:
    carried = [(name, value) for name, value in request.POST.items() if name not in _OWN_FIELDS]
    context = {"way": way, "ticket": ticket, "error": error, "refusal": refusal, "carried": carried}
    return HttpResponse(inside(embed, "embed/code.html", action=request.path, **context))


def _way(member_id: int) -> ContactWay | None:
    user_id = apps.get_model("crm", "Member").objects.values_list("user_id", flat=True).get(pk=member_id)
    return contact_way(member_id, user_id)
