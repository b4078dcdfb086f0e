"""Looking at something of the store as a member would see it at a moment: who, when, and that it was looked at."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.http import HttpRequest
from django.utils import timezone

from crm.adminacts import find_for_check
from redemption.admin.reward_forms import PreviewForm


@dataclass(frozen=True, slots=True)
class Viewer:
    """What was chosen: ``member`` is None until somebody was, ``members`` are those among whom one still has to
    choose."""

    form: PreviewForm
    member: Any
    members: Any
    at: datetime

    def context(self) -> dict[str, Any]:
        """What ``admin/redemption/choose_member.html`` needs."""
        return {"form": self.form, "member": self.member, "members": self.members, "at": self.at}


def chosen_viewer(request: HttpRequest) -> Viewer:
    """Read who shall look, and when. Who is the only one that a search finds is chosen by it."""
    data = request.GET.copy()
    term = data.get("member_q", "").strip()[:120]
    hits = find_for_check(term) if term else None
    if hits is not None and hits.single:
        data["member"] = str(hits.rows[0].pk)
    form = PreviewForm(data)
    form.is_valid()
    member_id = None if form.errors else form.cleaned_data.get("member")
    member = apps.get_model("crm", "Member").objects.filter(pk=member_id).first() if member_id else None
    at = form.cleaned_data.get("at") or timezone.now()
    return Viewer(form, member, None if hits is not None and hits.single else hits, at)
