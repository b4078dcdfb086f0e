"""Tags: the words themselves, and marking members with them, one member or many."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from crm.admin.bulk import ReasonForm, ask_then_do
from crm.adminkit import may, person
from crm.choices import TagColour
from crm.models import Member, MemberTag, Tag
from crm.stafflog import log_action
from crm.tags import retag

MAY_TAG = "crm.change_member"


@admin.register(Tag)
class TagAdmin(ModelAdmin):
    """A tag's name stands in published rules, so it never changes; a tag that members have is not deleted."""

    list_display = ("label", "shown_members")
    search_fields = ("name",)
    ordering = ("name",)
    sortable_by = ()
    fields = ("name", "colour")
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tag]:
        tags: QuerySet[Tag] = super().get_queryset(request)
        return tags.annotate(number=Count("member_tags"))

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ("name",) if obj is not None else ()

    def has_delete_permission(self, request: HttpRequest, obj: Tag | None = None) -> bool:
        if obj is not None and obj.member_tags.exists():
            return False
        return bool(super().has_delete_permission(request, obj))

    @display(description=pgettext_lazy("of a tag", "name"), label={colour: colour for colour in TagColour.values})
    def label(self, tag: Tag) -> tuple[str, str]:
        return tag.colour, tag.name

    @display(description=_("members"))
    def shown_members(self, tag: Tag) -> int:
        number: int = tag.number  # type: ignore[attr-defined]
        return number

    def save_model(self, request: HttpRequest, obj: Tag, form: "forms.ModelForm[Tag]", change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.changed_data:
            log_action(
                "tag.change" if change else "tag.add",
                actor_id=person(request),
                at=timezone.now(),
                tag=obj.name,
                colour=obj.colour,
            )

    def delete_model(self, request: HttpRequest, obj: Tag) -> None:
        log_action("tag.delete", actor_id=person(request), at=timezone.now(), tag=obj.name)
        super().delete_model(request, obj)


class TagFilter(admin.SimpleListFilter):
    """Filters members by one of their tags."""

    title = _("tag")
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in Tag.objects.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Member]) -> QuerySet[Member]:
        value = self.value()
        if not value:
            return queryset
        return queryset.filter(member_tags__tag=int(value)) if value.isdecimal() else queryset.none()


# --- many members -------------------------------------------------------------------------------------------------


class TagsForm(ReasonForm):
    """Which tags, and why."""

    tags = forms.ModelMultipleChoiceField(
        label=_("Tags"), queryset=Tag.objects.none(), widget=UnfoldAdminCheckboxSelectMultipleWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Named here and not above, so that every form sees the tags of its own moment.
        self.fields["tags"].queryset = Tag.objects.all()  # type: ignore[attr-defined]


def tag_many(
    model_admin: ModelAdmin, request: HttpRequest, members: QuerySet[Member], *, add: bool
) -> HttpResponse | None:
    """Serve the two actions of the member list."""

    def do(said: dict[str, Any], ids: list[int]) -> None:
        tags = list(said["tags"])
        changed = retag(
            ids,
            add=tags if add else (),
            remove=() if add else tags,
            actor_id=person(request),
            at=timezone.now(),
            reason=said["reason"],
        )
        if add:
            text = ngettext("%(number)s tag was added.", "%(number)s tags were added.", changed)
        else:
            text = ngettext("%(number)s tag was taken away.", "%(number)s tags were taken away.", changed)
        messages.success(request, text % {"number": changed})

    return ask_then_do(
        model_admin,
        request,
        members,
        TagsForm,
        action="add_tags" if add else "remove_tags",
        title=_("Add tags") if add else _("Take tags away"),
        do=do,
    )


# --- one member ---------------------------------------------------------------------------------------------------


class MemberTagsForm(TagsForm):
    """All tags of one member. ``shown`` has those he had when the page was opened: only what this person ticked or
    unticked is changed, so that two people who edit at once do not undo each other."""

    shown = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tags"].required = False

    def clean_shown(self) -> set[int]:
        parts = str(self.cleaned_data["shown"]).split()
        if not all(part.isdecimal() for part in parts):
            raise ValidationError(_("Please open the page again."))
        return {int(part) for part in parts}


def tags_panel(request: HttpRequest, member_id: int) -> dict[str, Any]:
    """What the member's page shows of his tags."""
    held = MemberTag.objects.filter(member=member_id).select_related("tag", "added_by").order_by("tag__name")
    return {"rows": list(held), "member_id": member_id, "may_change": may(request, MAY_TAG)}


def member_tags_view(model_admin: ModelAdmin, request: HttpRequest, member_id: int) -> HttpResponse:
    """The page on which one member's tags are ticked and unticked."""
    if not may(request, MAY_TAG):
        raise PermissionDenied
    member = Member.objects.filter(pk=member_id).first()
    if member is None:
        raise Http404
    page = reverse("admin:crm_member_change", args=[member_id])
    if request.method == "POST":
        form = MemberTagsForm(request.POST)
        if form.is_valid():
            _retag_one(request, member_id, form.cleaned_data)
            return HttpResponseRedirect(f"{page}#tags")
    else:
        held = list(MemberTag.objects.filter(member=member_id).values_list("tag_id", flat=True))
        form = MemberTagsForm(initial={"tags": held, "shown": " ".join(str(pk) for pk in held)})
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Change tags"),
        "opts": model_admin.opts,
        "member": member,
        "member_page": page,
        "form": form,
        "media": model_admin.media + form.media,
    }
    return TemplateResponse(request, "admin/crm/member/act.html", context)


def _retag_one(request: HttpRequest, member_id: int, said: dict[str, Any]) -> None:
    chosen, shown = {tag.pk: tag for tag in said["tags"]}, said["shown"]
    add = [tag for pk, tag in chosen.items() if pk not in shown]
    remove = list(Tag.objects.filter(pk__in=shown - chosen.keys()))
    if add or remove:
        retag([member_id], add=add, remove=remove, actor_id=person(request), at=timezone.now(), reason=said["reason"])
        messages.success(request, _("The tags were changed."))
