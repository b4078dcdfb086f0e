"""The pages of one reward: its stock, its codes, how a member would see it, a copy."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext, pgettext_lazy
from unfold.admin import ModelAdmin

from crm.adminkit import may, person
from crm.api import log_action
from crm.filekit import UnreadableFile, shown_name
from redemption.admin.as_member import chosen_viewer
from redemption.admin.reward_forms import StockForm, TableForm
from redemption.models import Reward, RewardCode, Stock
from redemption.rewards.choices import RewardKind
from redemption.rewards.insight import Asks, Condition, Insight, insight_of
from redemption.rewards.moving import MovedMeanwhile, MoveRefused
from redemption.rewards.pooling import FEW_CODES, CodeFile, add_codes, look_over_codes
from redemption.rewards.stocking import latest_change, set_stock
from redemption.rewards.tables import whole_file_in_words
from redemption.rewards.uploads import find_upload, keep_upload

CHANGE_STOCK = "redemption.add_stockchange"
ADD_CODES = "redemption.add_rewardcode"
PREVIEW = "redemption.preview_reward"
_CHANGES_SHOWN = 100
_PROBLEMS_SHOWN = 100
_CODES = "codes"


def kind_words() -> Mapping[str, str | Promise]:
    """The kinds of rewards, short enough for a list."""
    return {
        RewardKind.GOODS: pgettext_lazy("kind of a reward, short", "Goods"),
        RewardKind.DIGITAL: pgettext_lazy("kind of a reward, short", "Code"),
        RewardKind.TICKET: pgettext_lazy("kind of a reward, short", "Ticket"),
        RewardKind.DONATION: pgettext_lazy("kind of a reward, short", "Donation"),
    }


def standing_words() -> Mapping[str, str | Promise]:
    """Whether a reward can be had now."""
    return {
        "on": pgettext_lazy("state of a reward", "Offered"),
        "coming": pgettext_lazy("state of a reward", "Not yet"),
        "over": pgettext_lazy("state of a reward", "Over"),
        "off": pgettext_lazy("state of a reward", "Off"),
    }


def standing_of_reward(reward: Reward, at: datetime) -> tuple[str, str]:
    """Return the state of a reward at a moment as the key of its colour and in words."""
    if not reward.active:
        key = "off"
    elif reward.over(at):
        key = "over"
    else:
        key = "on" if reward.begun(at) else "coming"
    return key, str(standing_words()[key])


def left_words(left: int | None) -> tuple[str, str]:
    """Return how many pieces are left as the key of its colour and in words."""
    if left is None:
        return "endless", pgettext("pieces that are left", "not counted")
    key = "none" if left <= 0 else "few" if left < FEW_CODES else "some"
    return key, number_format(left, force_grouping=True)


def find_reward(object_id: str) -> Reward:
    """Return a reward by the id of an address. Raises Http404."""
    found = (
        Reward.objects.select_related("min_tier", "category").filter(pk=object_id) if object_id.isdecimal() else None
    )
    reward = found.first() if found is not None else None
    if reward is None:
        raise Http404
    return reward


def _context(model_admin: ModelAdmin, request: HttpRequest, reward: Reward, title: str) -> dict[str, Any]:
    return {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "original": reward,
        "reward": reward,
        "page": reverse("admin:redemption_reward_change", args=[reward.pk]),
    }


# --- stock ------------------------------------------------------------------------------------------------------------


def stock_page(model_admin: ModelAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """What is there, the form to change it for those who may, and what changed it so far."""
    reward = find_reward(object_id)
    if not reward.counted:
        raise Http404
    may_change = may(request, CHANGE_STOCK)
    stock = Stock.objects.filter(reward=reward).first() or Stock(reward=reward)
    form = StockForm(request.POST or None, initial={"safety": stock.safety, "after": latest_change(reward.pk)})
    if form.is_bound:
        if not may_change:
            raise PermissionDenied
        if form.is_valid() and _change_stock(request, reward, form):
            return redirect(reverse("admin:redemption_reward_stock", args=[reward.pk]))
    context = {
        **_context(model_admin, request, reward, _("Stock of a reward")),
        "form": form if may_change else None,
        "stock": stock,
        "there": stock.free + stock.safety,
        "changes": reward.stock_changes.select_related("actor")[:_CHANGES_SHOWN],
    }
    return TemplateResponse(request, "admin/redemption/reward/stock.html", context)


def _change_stock(request: HttpRequest, reward: Reward, form: StockForm) -> bool:
    said = form.cleaned_data
    try:
        set_stock(
            reward.pk,
            said["pieces"] or 0,
            safety=said["safety"],
            after=said["after"],
            reason=said["reason"],
            actor_id=person(request),
            at=timezone.now(),
        )
    except MovedMeanwhile:
        messages.warning(request, _("The stock was changed a moment ago. Look at it once more before you change it."))
        return True
    except MoveRefused as refusal:
        form.add_error(None, refusal.message())
        return False
    messages.success(request, _("The stock is changed."))
    return True


# --- codes ------------------------------------------------------------------------------------------------------------


def codes_page(model_admin: ModelAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """Upload codes: a file, a look at what is in it, and the confirmation."""
    reward = find_reward(object_id)
    if reward.kind != RewardKind.DIGITAL:
        raise Http404
    if "word" in request.POST:
        return _take_codes(request, reward)
    form = TableForm(request.POST or None, request.FILES or None)
    file: CodeFile | None = None
    word = ""
    if form.is_valid():
        upload = form.cleaned_data["upload"]
        try:
            file = look_over_codes(Path(upload.temporary_file_path()))
            word = keep_upload(_CODES, person(request), [reward.pk, shown_name(upload.name), file.codes])
        except UnreadableFile as error:
            form.add_error("upload", whole_file_in_words(error))
    pool = RewardCode.objects.filter(reward=reward)
    context = {
        **_context(model_admin, request, reward, _("Codes of a reward")),
        "form": form,
        "file": file,
        "problems": file.problems[:_PROBLEMS_SHOWN] if file else [],
        "word": word,
        "free": pool.filter(redemption=None).count(),
        "given": pool.exclude(redemption=None).count(),
    }
    return TemplateResponse(request, "admin/redemption/reward/codes.html", context)


def _take_codes(request: HttpRequest, reward: Reward) -> HttpResponse:
    here = redirect(reverse("admin:redemption_reward_codes", args=[reward.pk]))
    kept = find_upload(_CODES, person(request), request.POST["word"])
    if kept is None or kept[0] != reward.pk:
        messages.warning(request, _("This file no longer waits for its confirmation. Upload it again."))
        return here
    _reward_id, name, codes = kept
    added = add_codes(reward.pk, codes, file=name, actor_id=person(request), at=timezone.now())
    if added:
        text = ngettext("%(number)s code is in the pool now.", "%(number)s codes are in the pool now.", added)
        messages.success(request, text % {"number": number_format(added, force_grouping=True)})
    else:
        messages.info(request, _("These codes had been taken before. Nothing was added."))
    return here


# --- as a member sees it ----------------------------------------------------------------------------------------------


def preview_page(model_admin: ModelAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """Choose a member and a moment; see what he would see, and each condition with its answer. It is logged."""
    reward = find_reward(object_id)
    viewer = chosen_viewer(request)
    insight: Insight | None = None
    if viewer.member is not None:
        insight = insight_of(reward, viewer.member.pk, viewer.at)
        log_action(
            "rewards.preview",
            actor_id=person(request),
            at=timezone.now(),
            member_id=viewer.member.pk,
            reward=reward.pk,
        )
    context = {
        **_context(model_admin, request, reward, _("As a member sees it")),
        **viewer.context(),
        "insight": insight,
        "conditions": [(condition, condition_in_words(condition, insight)) for condition in insight.conditions]
        if insight
        else [],
        "standing": standing_of_reward(reward, viewer.at)[1],
    }
    return TemplateResponse(request, "admin/redemption/reward/preview.html", context)


_ASKED: Mapping[Asks, Any] = {
    Asks.ACTIVE: gettext_lazy("Offered to buyers"),
    Asks.ENDED: gettext_lazy("The offer has not ended: it does on %(ends)s"),
    Asks.BEGUN: gettext_lazy("The offer has begun: it does on %(begins)s"),
    Asks.TIER: gettext_lazy("A tier from %(min_tier)s up; he has %(tier)s"),
    Asks.TAGS: gettext_lazy("The tags; he has: %(tags)s"),
    Asks.ADDRESS: gettext_lazy("A postal address to send the parcel to"),
    Asks.STOCK: gettext_lazy("Pieces are left: %(had)s"),
    Asks.DAY: gettext_lazy("The limit of a day: he has had %(had)s of %(most)s"),
    Asks.WINDOW: gettext_lazy("The limit of this offer: he has had %(had)s of %(most)s"),
    Asks.EVER: gettext_lazy("The limit for ever: he has had %(had)s of %(most)s"),
    Asks.POINTS: gettext_lazy("Enough points for a piece: he can spend %(had)s, it costs %(most)s"),
}


def condition_in_words(condition: Condition, insight: Insight) -> str:
    """Say what is asked for and how the member stands."""
    facts = insight.facts
    return str(_ASKED[condition.asks]) % {
        "had": number_format(condition.had, force_grouping=True),
        "most": number_format(condition.most, force_grouping=True),
        "ends": _moment(facts.ends_at),
        "begins": _moment(facts.begins_at),
        "min_tier": facts.min_tier,
        "tier": facts.tier or "–",
        "tags": ", ".join(sorted(facts.tags)) or "–",
    }


def _moment(at: datetime | None) -> str:
    return date_format(timezone.localtime(at), "SHORT_DATETIME_FORMAT") if at else ""


# --- a copy -----------------------------------------------------------------------------------------------------------


def copy_page(model_admin: ModelAdmin, request: HttpRequest, reward: Reward) -> HttpResponse:
    """Ask whether to make a copy."""
    context = _context(model_admin, request, reward, _("Make a copy"))
    return TemplateResponse(request, "admin/redemption/reward/copy.html", context)
