"""Pages of coupons beside their list: lists of used ones, downloads. And of a plan: its codes, how a member sees it."""

from pathlib import Path
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin

from crm.adminkit import may, person
from crm.api import log_action
from crm.filekit import UnreadableFile, shown_name
from loyalty import api as loyalty
from redemption.admin.as_member import chosen_viewer
from redemption.admin.coupon_forms import CodeTableForm, ExportForm, MakeCodesForm, UsedTableForm
from redemption.admin.shipping_pages import table_response
from redemption.choices import CodeSource
from redemption.coupons.counter import Counter, counter_of
from redemption.coupons.exporting import POOL_TITLES, TITLES, code_rows, coupon_rows, coupons_between, free_codes
from redemption.coupons.pooling import CodeFile, PooledCode, add_codes, look_over_codes, make_codes, stock_of
from redemption.coupons.used_lists import Use, UsedList, look_over_used, mark_used
from redemption.models import CouponPlan
from redemption.rewards.choices import Sight
from redemption.rewards.tables import whole_file_in_words
from redemption.rewards.uploads import find_upload, keep_upload

USE_COUPON = "redemption.use_coupon"
EXPORT = "redemption.export_coupon"
ADD_CODES = "redemption.add_poolcode"
PREVIEW = "redemption.preview_couponplan"
_SHOWN = 100
_USED, _CODES = "used_coupons", "coupon_codes"


def _context(model_admin: ModelAdmin, request: HttpRequest, title: str) -> dict[str, Any]:
    request.current_app = model_admin.admin_site.name
    return {**model_admin.admin_site.each_context(request), "title": title, "opts": model_admin.opts}


def _require(request: HttpRequest, permission: str) -> None:
    if not may(request, permission):
        raise PermissionDenied


# --- lists of used coupons --------------------------------------------------------------------------------------------


def used_view(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Upload a table of used coupons; see what it would do; do it."""
    _require(request, USE_COUPON)
    if "word" in request.POST:
        return _mark_used(request)
    form = UsedTableForm(request.POST or None, request.FILES or None)
    found: UsedList | None = None
    word = ""
    if form.is_valid():
        upload, channel = form.cleaned_data["upload"], form.cleaned_data["channel"]
        try:
            found = look_over_used(Path(upload.temporary_file_path()), timezone.now())
            content = [shown_name(upload.name), channel and channel.pk, [tuple(use) for use in found.uses]]
            word = keep_upload(_USED, person(request), content)
        except UnreadableFile as error:
            form.add_error("upload", whole_file_in_words(error))
    context = {
        **_context(model_admin, request, _("Import used coupons")),
        "form": form,
        "found": found,
        "problems": found.problems[:_SHOWN] if found else [],
        "word": word,
    }
    return TemplateResponse(request, "admin/redemption/coupon/used.html", context)


def _mark_used(request: HttpRequest) -> HttpResponse:
    kept = find_upload(_USED, person(request), request.POST["word"])
    if kept is None:
        messages.warning(request, _("This file no longer waits for its confirmation. Upload it again."))
        return redirect(reverse("admin:redemption_coupon_used"))
    name, channel_id, rows = kept
    done = mark_used(
        [Use(*row) for row in rows], channel_id=channel_id, file=name, actor_id=person(request), at=timezone.now()
    )
    left_alone = len(rows) - done
    text = ngettext("%(number)s coupon is marked as used.", "%(number)s coupons are marked as used.", done)
    messages.success(request, text % {"number": number_format(done, force_grouping=True)})
    if left_alone:
        text = ngettext(
            "%(number)s was changed in the meantime and left alone. Upload the file again to see it.",
            "%(number)s were changed in the meantime and left alone. Upload the file again to see them.",
            left_alone,
        )
        messages.warning(request, text % {"number": number_format(left_alone, force_grouping=True)})
    return redirect(reverse("admin:redemption_coupon_changelist"))


# --- downloads --------------------------------------------------------------------------------------------------------


def export_view(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponseBase:
    """Coupons with their codes, as CSV or XLSX. Who took them and why is logged."""
    _require(request, EXPORT)
    form = ExportForm(request.POST or None)
    if not form.is_valid():
        context = {**_context(model_admin, request, _("Download coupons")), "form": form}
        return TemplateResponse(request, "admin/redemption/coupon/export.html", context)
    said, at = form.cleaned_data, timezone.now()
    plan = said["plan"]
    found = coupons_between(
        plan_id=plan.pk if plan else None, state=said["state"], first_day=said["first_day"], last_day=said["last_day"]
    )
    log_action(
        "coupons.export", actor_id=person(request), at=at, reason=said["reason"], coupons=found.count(),
        plan=plan.pk if plan else None, state=said["state"], format=said["kind"],
    )  # fmt: skip
    return table_response("coupons", said["kind"], [str(title) for title in TITLES], coupon_rows(found, at))


# --- the codes of a plan ----------------------------------------------------------------------------------------------


def find_plan(object_id: str) -> CouponPlan:
    """Return a plan by the id of an address. Raises Http404."""
    plans = CouponPlan.objects.select_related("use", "min_tier")
    found = plans.filter(pk=object_id).first() if object_id.isdecimal() and len(object_id) < 19 else None
    if found is None:
        raise Http404
    return found


def codes_page(model_admin: ModelAdmin, request: HttpRequest, object_id: str) -> HttpResponseBase:
    """What is in the pool; upload codes, with a look at what is in the file; make codes; download free ones."""
    _require(request, ADD_CODES)
    plan = find_plan(object_id)
    if plan.source != CodeSource.POOL:
        raise Http404
    if "word" in request.POST:
        return _take_codes(request, plan)
    if "number" in request.POST:
        return _make_codes(model_admin, request, plan)
    if request.method == "POST" and "reason" in request.POST:
        return _download_codes(model_admin, request, plan)
    form = CodeTableForm(request.POST or None, request.FILES or None, plan=plan)
    file: CodeFile | None = None
    word = ""
    if form.is_valid():
        upload = form.cleaned_data["upload"]
        try:
            path = Path(upload.temporary_file_path())
            file = look_over_codes(path, plan, usual_yuan=form.cleaned_data["yuan"], at=timezone.now())
            content = [plan.pk, shown_name(upload.name), [tuple(code) for code in file.codes]]
            word = keep_upload(_CODES, person(request), content)
        except UnreadableFile as error:
            form.add_error("upload", whole_file_in_words(error))
    return _codes(model_admin, request, plan, form=form, file=file, word=word)


def _codes(model_admin: ModelAdmin, request: HttpRequest, plan: CouponPlan, **more: Any) -> HttpResponse:
    file = more.get("file")
    context = {
        **_context(model_admin, request, _("Codes of a coupon plan")),
        "plan": plan,
        "page": reverse("admin:redemption_couponplan_change", args=[plan.pk]),
        "stock": [(*row, row.free < plan.low_codes) for row in stock_of(plan.pk, timezone.now())],
        "form": CodeTableForm(plan=plan),
        "make": MakeCodesForm(plan=plan),
        "download": ExportForm.of_codes() if may(request, EXPORT) else None,
        "problems": file.problems[:_SHOWN] if file else [],
        **more,
    }
    return TemplateResponse(request, "admin/redemption/coupon/codes.html", context)


def _take_codes(request: HttpRequest, plan: CouponPlan) -> HttpResponse:
    kept = find_upload(_CODES, person(request), request.POST["word"])
    if kept is None or kept[0] != plan.pk:
        messages.warning(request, _("This file no longer waits for its confirmation. Upload it again."))
    else:
        _plan_id, name, rows = kept
        codes = [PooledCode(*row) for row in rows]
        _say_added(request, add_codes(plan.pk, codes, file=name, actor_id=person(request), at=timezone.now()))
    return redirect(reverse("admin:redemption_couponplan_codes", args=[plan.pk]))


def _make_codes(model_admin: ModelAdmin, request: HttpRequest, plan: CouponPlan) -> HttpResponse:
    form = MakeCodesForm(request.POST, plan=plan)
    if not form.is_valid():
        return _codes(model_admin, request, plan, make=form)
    said = form.cleaned_data
    _say_added(request, make_codes(plan.pk, said["yuan"], said["number"], actor_id=person(request), at=timezone.now()))
    return redirect(reverse("admin:redemption_couponplan_codes", args=[plan.pk]))


def _download_codes(model_admin: ModelAdmin, request: HttpRequest, plan: CouponPlan) -> HttpResponseBase:
    _require(request, EXPORT)
    form = ExportForm.of_codes(request.POST)
    if not form.is_valid():
        return _codes(model_admin, request, plan, download=form)
    said = form.cleaned_data
    found = free_codes(plan.pk, None)
    log_action(
        "coupons.export", actor_id=person(request), at=timezone.now(), reason=said["reason"], plan=plan.pk,
        codes=found.count(), format=said["kind"],
    )  # fmt: skip
    rows = code_rows(found.iterator(chunk_size=5_000))
    return table_response("codes", said["kind"], [str(title) for title in POOL_TITLES], rows)


def _say_added(request: HttpRequest, added: int) -> None:
    if added:
        text = ngettext("%(number)s code is in the pool now.", "%(number)s codes are in the pool now.", added)
        messages.success(request, text % {"number": number_format(added, force_grouping=True)})
    else:
        messages.info(request, _("These codes had been taken before. Nothing was added."))


# --- as a member sees it ----------------------------------------------------------------------------------------------


def preview_page(model_admin: ModelAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """Choose a member and a moment; see what he would see of the plan. It is logged."""
    _require(request, PREVIEW)
    plan = find_plan(object_id)
    viewer = chosen_viewer(request)
    found: tuple[Counter, Sight] | None = None
    if viewer.member is not None:
        now = timezone.now()
        held = loyalty.summary(viewer.member.pk, now)
        found = counter_of(viewer.member.pk, plan.pk, held.spendable - held.debt, viewer.at)
        log_action("couponplan.preview", actor_id=person(request), at=now, member_id=viewer.member.pk, plan=plan.pk)
    context = {
        **_context(model_admin, request, _("As a member sees it")),
        "plan": plan,
        "page": reverse("admin:redemption_couponplan_change", args=[plan.pk]),
        **viewer.context(),
        "seen": found and found[0],
        "sight": found and found[1],
    }
    return TemplateResponse(request, "admin/redemption/coupon/preview.html", context)
