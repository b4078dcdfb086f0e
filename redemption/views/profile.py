"""The buyer's own profile: he fills in what is empty."""

from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from django.views.decorators.http import require_http_methods

from crm.api import Buyer, OwnProfile, complete_profile, own_profile, whole_phone
from loyalty import api as loyalty
from redemption.views.buyers import for_buyers

OLDEST = 130  # Years; a birthday before that is a slip of the finger.


class ProfileForm(forms.Form):
    """What the profile still lacks. Nothing has to be filled in."""

    name = forms.CharField(
        label=pgettext_lazy("of a person", "Name"),
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"class": "field", "autocomplete": "name"}),
    )
    birthday = forms.DateField(
        label=gettext_lazy("Birthday"),
        required=False,
        help_text=gettext_lazy("It can be given once; later only the shop can change it."),
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"class": "field", "type": "date", "autocomplete": "bday"}),
        input_formats=["%Y-%m-%d"],
    )
    phone = forms.CharField(
        label=gettext_lazy("Phone"),
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"class": "field", "type": "tel", "autocomplete": "tel"}),
    )

    def __init__(self, *args: Any, profile: OwnProfile, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._today = today
        for field in [name for name in self.fields if getattr(profile, name)]:
            del self.fields[field]
        if "birthday" in self.fields:
            self.fields["birthday"].widget.attrs["max"] = today.isoformat()

    def clean_birthday(self) -> date | None:
        birthday: date | None = self.cleaned_data["birthday"]
        if birthday and not self._today.year - OLDEST <= birthday.year:
            raise ValidationError(_("Please check the year."))
        if birthday and birthday > self._today:
            raise ValidationError(_("This day is still to come."))
        return birthday

    def clean_phone(self) -> str:
        typed: str = self.cleaned_data["phone"]
        phone = whole_phone(typed)
        if typed and not phone:
            raise ValidationError(
                _("Write the whole phone number: eleven digits, or a country code such as +44 first.")
            )
        return phone


@require_http_methods(["GET", "HEAD", "POST"])
@for_buyers
def profile(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """What the shop knows of the member, and a form for what is missing; whoever completes it may get points."""
    at = timezone.now()
    known = own_profile(buyer.member_id)
    today = at.astimezone(loyalty.programme_zone()).date()
    form = ProfileForm(request.POST if request.method == "POST" else None, profile=known, today=today)
    if request.method == "POST" and form.is_valid():
        return _saved(request, buyer, form)
    context = {
        "page": "home",
        "profile": known,
        "form": form if form.fields else None,
        "gift": 0 if loyalty.profile_rewarded(buyer.member_id) else loyalty.fixed_gift("profile", at),
        "birthday_gift": loyalty.fixed_gift("birthday", at),
    }
    return render(request, "redemption/profile.html", context)


def _saved(request: HttpRequest, buyer: Buyer, form: ProfileForm) -> HttpResponse:
    at = timezone.now()
    known = complete_profile(buyer.member_id, **form.cleaned_data, at=at, actor_id=request.user.pk)
    given = loyalty.reward_profile(buyer.member_id, at) if known.complete else None
    if given is not None and not given.repeated:
        messages.success(
            request,
            ngettext(
                "Thank you: your profile is complete, and %(points)s point is yours.",
                "Thank you: your profile is complete, and %(points)s points are yours.",
                given.points,
            )
            % {"points": given.points},
        )
    elif form.has_changed():
        messages.success(request, _("Saved. Thank you."))
    return redirect("redemption:profile")
