"""The forms of the pages for rules: one rule, a new draft, publishing, going back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.forms import BoundField
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from loyalty.admin.rules.fields import LEFT_OUT, form_fields, search_products
from loyalty.admin.rules.vocabulary import Vocabulary
from loyalty.earning.checking import problems
from loyalty.earning.conditions import ORDER_ONLY, Conditions
from loyalty.earning.kinds import KINDS, Kind, Stage
from loyalty.earning.ruleset import Caps, InvalidRules, Problem, Rule, RuleSet

# No product has tags yet that a rule could ask for; a rule that names some keeps them.
_NOT_OFFERED = frozenset({"product_tags"})
# What a condition is about, in the order of the form.
_SECTIONS = (
    (gettext_lazy("For whom"), ("tier_rank_at_least", "tiers", "new_buyer", "tags_any", "tags_none")),
    (
        gettext_lazy("For which orders and goods"),
        ("amount_at_least", "channels", "payment_kinds", "product_policies", "categories", "products"),
    ),
    (gettext_lazy("When"), ("dates", "weekdays", "time_of_day")),
)


PRESET_CHOICES = (
    ("linggou", gettext_lazy("Linggou: one point a yuan, more for paying and confirming early, sign-in and profile")),
    ("taobao", gettext_lazy("Taobao: one point a yuan, a gift for the first order, daily sign-in")),
    (
        "vancl",
        gettext_lazy(
            "Vancl: two points a yuan, half a point at special price, one by gift card; more for VIP and SVIP"
        ),
    ),
    ("quarterly", gettext_lazy("Quarterly: one point a yuan, special price counts half")),
)


class Line(NamedTuple):
    """A field of the form with what the draft as a whole has against it."""

    field: BoundField
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the form that can be folded; ``open`` when there is something in it."""

    title: Any
    lines: list[Line]
    open: bool
    about: Any = ""


class RuleForm(forms.Form):
    """One rule of a draft. Its fields come from the settings of its kind, the conditions and the caps."""

    def __init__(
        self,
        data: Any,
        *,
        rule: Mapping[str, Any],
        others: Sequence[Mapping[str, Any]],
        vocabulary: Vocabulary,
        today: date,
        paid: Mapping[str, int],
        products_page: str = "",
        notes: Sequence[Problem] = (),
    ) -> None:
        super().__init__(data)
        self._rule, self._others, self._paid, self._notes = rule, others, paid, notes
        self.kind: type[Kind] = KINDS[rule["kind"]]
        self._parts: dict[str, list[str]] = {}
        self.fields["name"] = forms.CharField(
            label=pgettext_lazy("of a thing", "Name"),
            max_length=120,
            required=False,
            initial=rule.get("name", ""),
            widget=UnfoldAdminTextInputWidget(attrs={"placeholder": str(self.kind.label)}),
            help_text=_("What buyers read in their statement, and you in the list."),
        )
        stage = _stage(rule)
        offered = [name for name in Conditions.settings() if _offers(name, self.kind, stage)]
        for part, settings, names in (
            ("config", self.kind, list(self.kind.settings())),
            ("conditions", Conditions, offered),
            ("caps", Caps, list(Caps.settings())),
        ):
            made = form_fields(settings, names, rule.get(part, {}), vocabulary, today)
            self._parts[part] = list(made)
            if "products" in made and products_page:
                search_products(made["products"], vocabulary, products_page)
            self.fields |= {f"{part}_{name}": field for name, field in made.items()}
        if stage is not Stage.SHARE:
            self.fields["group"] = _group_field(rule, others)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        try:
            rule = Rule.from_json(self.rule())
            found = self._problems(rule)
        except InvalidRules as invalid:
            found = list(invalid.problems)
        for problem in found:
            name = field_name(problem.field)
            self.add_error(name if name in self.fields else None, ValidationError(problem.message))
        return data

    def rule(self) -> dict[str, Any]:
        """The rule that was typed in, as JSON; what the form does not ask about stays as it is."""
        data = self.cleaned_data
        rule = dict(self._rule) | {"name": data.get("name", "").strip(), "group": data.get("group", "").strip()}
        for part, names in self._parts.items():
            kept = {name: value for name, value in self._rule.get(part, {}).items() if name not in names}
            given = {name: data.get(f"{part}_{name}", LEFT_OUT) for name in names}
            rule[part] = kept | {name: value for name, value in given.items() if value is not LEFT_OUT}
        return rule

    def sections(self) -> list[Section]:
        """The form, part by part."""
        found = [Section("", [self._line(name) for name in self._named("config")], open=True)]
        for title, names in _SECTIONS:
            lines = [self._line(f"conditions_{name}") for name in names if name in self._parts["conditions"]]
            if lines:
                found.append(Section(title, lines, self._told(lines)))
        caps = [self._line(name) for name in self._named("caps")]
        about = _("When a limit is reached, the rule gives what is left of it, and then nothing more.")
        found.append(Section(_("Limits"), caps, self._told(caps), about))
        if "group" in self.fields:
            lines = [self._line("group")]
            found.append(Section(_("Exclusive group"), lines, self._told(lines)))
        return found

    def summary(self) -> list[tuple[str, str, str]]:
        """Everything that is wrong, with the field it stands at: (id of the field, its label, message)."""
        found = [
            (field_id(self[name]), str(self[name].label), str(message))
            if name in self.fields
            else ("", "", str(message))
            for name, messages in self.errors.items()
            for message in messages
        ]
        if not self.is_bound:
            found += [(*self._place(problem), problem.message) for problem in self._notes]
        return found

    def _problems(self, rule: Rule) -> list[Problem]:
        """What keeps this rule out of the set: by itself, and beside the others as far as they can be read."""
        if found := problems(RuleSet(0, (rule,)), self._paid):
            return found
        try:
            others = [Rule.from_json(other) for other in self._others]
        except InvalidRules:
            return []
        together = problems(RuleSet(0, (*others, rule)), self._paid)
        return [problem for problem in together if problem.rule == rule.code]

    def _named(self, part: str) -> Iterator[str]:
        return (f"{part}_{name}" for name in self._parts[part])

    def _line(self, name: str) -> Line:
        notes = [] if self.is_bound else [note.message for note in self._notes if field_name(note.field) == name]
        return Line(self[name], notes)

    def _told(self, lines: Sequence[Line]) -> bool:
        return any(line.notes or line.field.errors or line.field.value() not in _NOTHING for line in lines)

    def _place(self, problem: Problem) -> tuple[str, str]:
        name = field_name(problem.field)
        return (field_id(self[name]), str(self[name].label)) if name in self.fields else ("", "")


_NOTHING: tuple[Any, ...] = (None, "", [], {}, ())


def field_name(field: str) -> str:
    """The form's name for a field of a rule: "config.per" is ``config_per``."""
    return field.replace(".", "_", 1)


def field_id(field: BoundField) -> str:
    """Where a link leads that names the field."""
    return f"field-{field.name}"


def _stage(rule: Mapping[str, Any]) -> Stage | None:
    """When rules of this kind have their turn. Kinds that give or multiply decide by what is typed in: None."""
    kind = KINDS[rule["kind"]]
    if kind.act:
        return Stage.ACT
    return Stage.SHARE if kind.code == "product_policy" else None


def _offers(name: str, kind: type[Kind], stage: Stage | None) -> bool:
    """Whether a condition can be asked of rules of this kind at all."""
    if name in _NOT_OFFERED or (stage is Stage.ACT and name in ORDER_ONLY):
        return False
    if stage is Stage.SHARE and name == "amount_at_least":
        return False
    # A kind that is about ways of payment, or days, asks for them itself.
    return (kind.code, name) not in {("payment_kind", "payment_kinds"), ("festival", "dates")}


def _group_field(rule: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> forms.CharField:
    groups = sorted({other["group"] for other in others if other["group"]})
    field = forms.CharField(
        label=_("Exclusive group"),
        max_length=50,
        required=False,
        initial=rule.get("group", ""),
        widget=UnfoldAdminTextInputWidget(attrs={"list": "rule-groups", "autocomplete": "off"}),
        help_text=_(
            "Any word. Of rules with the same word only one counts: of rules that turn money into points the first one "
            "for each product, of all others the one that gives most. Empty: the rule counts besides the others."
        ),
    )
    field.groups = groups  # type: ignore[attr-defined]
    return field


def _note_field() -> forms.CharField:
    return forms.CharField(
        label=_("Name of the draft"),
        max_length=300,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("For yourself and your colleagues, such as “Double 11”."),
    )


class DraftForm(forms.Form):
    """What a new draft begins with: ``start`` is "version:3" or "preset:vancl"."""

    def __init__(self, data: Any, *, versions: Sequence[tuple[int, str]], initial: str) -> None:
        super().__init__(data)
        choices = [
            (_("Rules of this shop"), [(f"version:{version}", label) for version, label in versions]),
            (_("Presets"), [(f"preset:{name}", label) for name, label in PRESET_CHOICES]),
        ]
        self.fields["start"] = forms.ChoiceField(
            label=_("Begin with"),
            choices=choices,
            initial=initial,
            widget=UnfoldAdminSelectWidget,
            help_text=_("The draft is a copy: nothing changes for buyers until you publish it."),
        )
        self.fields["note"] = _note_field()


class ReasonForm(forms.Form):
    """Why a version is published; always asked."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=300,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("Kept with the version and in the staff log."),
    )


NOW, LATER = "now", "later"


class PublishForm(ReasonForm):
    """From when on the rules count, why, and that the warning was read where there is one."""

    since = forms.ChoiceField(
        label=gettext_lazy("In force"),
        choices=((NOW, gettext_lazy("From now on")), (LATER, gettext_lazy("From a later moment on"))),
        initial=NOW,
        widget=UnfoldAdminRadioSelectWidget,
    )
    effective_from = forms.DateTimeField(
        label=gettext_lazy("Moment"),
        required=False,
        widget=forms.DateTimeInput(
            format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local", "class": " ".join(INPUT_CLASSES)}
        ),
        help_text=gettext_lazy(
            "Only for a later moment. Orders count by when they were paid; what was earned before stays as it is."
        ),
    )
    read = forms.BooleanField(
        label=gettext_lazy("I know how much these rules can pay."), widget=UnfoldBooleanWidget, required=True
    )
    field_order = ("since", "effective_from", "reason", "read")

    def __init__(self, data: Any, *, now: datetime, warned: bool) -> None:
        super().__init__(data)
        self._now = now
        if not warned:
            del self.fields["read"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("since") == LATER and "effective_from" not in self.errors:
            later = data.get("effective_from")
            if later is None:
                self.add_error("effective_from", ValidationError(_("Say from when on the rules count.")))
            elif later <= self._now:
                self.add_error("effective_from", ValidationError(_("This moment is over. Name a later one.")))
        return data

    def begins(self) -> datetime:
        """The instant from which on the rules count."""
        later: datetime | None = self.cleaned_data["effective_from"]
        return later if self.cleaned_data["since"] == LATER and later is not None else self._now
