"""Where a member's parcels go: his address book."""

import re
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from crm.api import Buyer, whole_phone
from redemption.models import Address
from redemption.refusals import Refused
from redemption.rewards.addresses import Destination, addresses_of, keep_address, own_address, remove_address
from redemption.views.buyers import for_buyers, whole_number

PROVINCES = (
    "北京", "天津", "上海", "重庆", "河北省", "山西省", "内蒙古自治区", "辽宁省", "吉林省", "黑龙江省",
    "江苏省", "浙江省", "安徽省", "福建省", "江西省", "山东省", "河南省", "湖北省", "湖南省", "广东省",
    "广西壮族自治区", "海南省", "四川省", "贵州省", "云南省", "西藏自治区", "陕西省", "甘肃省", "青海省",
    "宁夏回族自治区", "新疆维吾尔自治区", "香港特别行政区", "澳门特别行政区", "台湾省",
)  # fmt: skip
_LANDLINE = re.compile(r"0\d{2,3}-?\d{7,8}")


def _text(autocomplete: str, **more: str) -> forms.TextInput:
    return forms.TextInput(attrs={"class": "field", "autocomplete": autocomplete, **more})


class AddressForm(forms.Form):
    """An address as parcels in China carry it."""

    recipient = forms.CharField(
        label=pgettext_lazy("of a parcel", "Recipient"), max_length=60, widget=_text("shipping name")
    )
    phone = forms.CharField(
        label=gettext_lazy("Phone"), max_length=20, widget=_text("shipping tel", type="tel", inputmode="tel")
    )
    province = forms.ChoiceField(
        label=pgettext_lazy("of an address", "Province"),
        choices=[("", "—"), *((province, province) for province in PROVINCES)],
        widget=forms.Select(attrs={"class": "field", "autocomplete": "shipping address-level1"}),
    )
    city = forms.CharField(
        label=pgettext_lazy("of an address", "City"), max_length=30, widget=_text("shipping address-level2")
    )
    district = forms.CharField(
        label=pgettext_lazy("of an address", "District"), max_length=30, widget=_text("shipping address-level3")
    )
    street = forms.CharField(
        label=gettext_lazy("Street, number and door"), max_length=200, widget=_text("shipping street-address")
    )
    preferred = forms.BooleanField(
        label=gettext_lazy("Use as the default address"), required=False, widget=forms.CheckboxInput()
    )

    def clean_phone(self) -> str:
        typed: str = self.cleaned_data["phone"]
        phone = whole_phone(typed) or (typed if _LANDLINE.fullmatch(typed) else "")
        if not phone:
            raise ValidationError(
                _("Write the whole phone number, without stars: eleven digits, or a landline with its area code.")
            )
        return phone

    def _joined(self, name: str) -> str:
        """What was typed without spaces, which part the region from the next one."""
        return "".join(self.cleaned_data[name].split())

    def destination(self) -> Destination:
        """Return the address that was typed."""
        region = " ".join([self.cleaned_data["province"], self._joined("city"), self._joined("district")])
        return Destination(
            self.cleaned_data["recipient"], self.cleaned_data["phone"], region, self.cleaned_data["street"]
        )


@require_safe
@for_buyers
def addresses(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """The member's addresses, the preferred one first."""
    context = {"page": "me", "addresses": addresses_of(buyer.member_id)}
    return render(request, "redemption/rewards/addresses.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_buyers
def add(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """A form for another address; whoever came from a reward goes back to it."""
    form = AddressForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return _kept(request, buyer, form)
    return _form_page(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@for_buyers
def edit(request: HttpRequest, buyer: Buyer, pk: int) -> HttpResponse:
    """The form of an address that is there; what was sent to it keeps it as it was."""
    found = _own(buyer, pk)
    form = AddressForm(request.POST or None, initial=_typed(found))
    if request.method == "POST" and form.is_valid():
        return _kept(request, buyer, form, instead_of=pk)
    return _form_page(request, form, found)


@require_http_methods(["GET", "HEAD", "POST"])
@for_buyers
def remove(request: HttpRequest, buyer: Buyer, pk: int) -> HttpResponse:
    """Ask whether an address shall go; on POST take it out of the book."""
    if request.method == "POST":
        remove_address(buyer.member_id, pk, at=timezone.now())
        messages.success(request, _("The address is removed."))
        return redirect("redemption:addresses")
    return render(request, "redemption/rewards/address_remove.html", {"page": "me", "address": _own(buyer, pk)})


def _kept(request: HttpRequest, buyer: Buyer, form: AddressForm, instead_of: int | None = None) -> HttpResponse:
    try:
        kept = keep_address(
            buyer.member_id,
            form.destination(),
            preferred=form.cleaned_data["preferred"],
            at=timezone.now(),
            instead_of=instead_of,
        )
    except Refused as refusal:
        form.add_error(None, refusal.message())
        return _form_page(request, form, None)
    reward = whole_number(request.GET.get("reward", ""))
    if reward is not None:
        quantity = whole_number(request.GET.get("quantity", "")) or 1
        return redirect(f"{reverse('redemption:reward_confirm', args=[reward])}?quantity={quantity}&address={kept.pk}")
    messages.success(request, _("The address is kept."))
    return redirect("redemption:addresses")


def _form_page(request: HttpRequest, form: AddressForm, address: Address | None) -> HttpResponse:
    context = {
        "page": "me",
        "form": form,
        "address": address,
        "reward": whole_number(request.GET.get("reward", "")),
    }
    return render(request, "redemption/rewards/address.html", context)


def _own(buyer: Buyer, pk: int) -> Address:
    found = own_address(buyer.member_id, pk)
    if found is None:
        raise Http404
    return found


def _typed(address: Address) -> dict[str, Any]:
    """Return an address as the form has it. Regions that came from elsewhere may have fewer parts."""
    province, city, district = [*address.region.split(" ", 2), "", "", ""][:3]
    return {
        "recipient": address.recipient,
        "phone": address.phone,
        "province": province,
        "city": city,
        "district": district,
        "street": address.street,
        "preferred": address.preferred,
    }
