"""The page behind the link in every mail: its reader stops such mails, or takes them up again, without signing in."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from crm.mails.kinds import kind_label
from crm.mails.preferences import mail_preferences, set_mail_preferences, stop_mails
from crm.mails.stopping import StopLink, read_stop_token
from crm.models import Member


# The link is the proof, and a mail program that presses the button for its user has no cookie to show.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest, token: str) -> HttpResponse:
    """Show what can be stopped; stop it when asked to. Looking alone stops nothing: filters open every link of a mail.

    ``List-Unsubscribe=One-Click`` is what mail programs post (RFC 8058).
    """
    link = read_stop_token(token)
    if link is None or not Member.objects.filter(pk=link.member_id, erased_at=None).exists():
        raise Http404
    if request.method == "POST":
        _act(link, request.POST.get("act", ""))
        return HttpResponse() if "List-Unsubscribe" in request.POST else redirect("stop_mails", token=token)
    preferences = mail_preferences(link.member_id)
    wanted = {wish.kind.code for wish in preferences.wishes if wish.wanted}
    context = {"kind": kind_label(link.kind), "gets_kind": link.kind in wanted, "gets_any": bool(wanted)}
    response = render(request, "mail/stop.html", context)
    # The address is as good as a signature: no other page is told of it, and no search engine keeps it.
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response


def _act(link: StopLink, act: str) -> None:
    """Do what a button says. Nobody has signed in, so that the log names nobody."""
    now = timezone.now()
    if act == "again":
        wishes = mail_preferences(link.member_id).wishes
        wanted = {wish.kind.code for wish in wishes if wish.wanted or wish.kind.code == link.kind}
        set_mail_preferences(link.member_id, wanted=wanted, at=now, actor_id=None)
    else:
        stop_mails(link.member_id, "" if act == "all" else link.kind, at=now, actor_id=None)
