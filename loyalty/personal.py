"""What this floor holds about a member, and what becomes of it."""

from datetime import datetime

from django.db.models import F, Func, TextField, Value
from django.db.models.functions import Cast, Substr
from django.utils.translation import ngettext

from crm.api import Erasure, ErasureRules, Fate, Loss, PersonalTable, without
from loyalty.forfeiting import forfeit
from loyalty.journal import lock_accounts
from loyalty.statement import summary

_STAFF = "It names people of the shop's staff, not buyers."
# As long as a link's own, and nobody knows it.
_A_TOKEN = Substr(
    Func(Cast(Func(function="gen_random_uuid"), TextField()), Value("-"), Value(""), function="replace"), 1, 22
)

TABLES = (
    PersonalTable(
        "points", "loyalty.Account", ("member",), ("balance", "pending", "held"),
        Fate.KEPT, "The sums of the entries; what could be spent is gone.",
    ),
    PersonalTable(
        "points_history", "loyalty.Entry", ("account",),
        (
            "id", "kind", "points", "pending", "held", "balance_after", "effective_at", "recorded_at",
            "order__external_no", "reference", "reason", "trace",
        ),
        Fate.KEPT, "The journal is sealed and proves the books; it names the member by his number. What staff wrote as "
        "a reason stays.",
    ),
    PersonalTable(
        "points_lots", "loyalty.Lot", ("account",), ("points", "remaining", "pending", "available_at", "expires_at"),
        Fate.KEPT, "Part of the journal.",
    ),
    PersonalTable(
        "points_held", "loyalty.Hold", ("account",), ("points", "captured", "released", "deadline"),
        Fate.KEPT, "Part of the journal.",
    ),
    PersonalTable("sign_ins", "loyalty.CheckIn", ("member",), ("day", "streak", "at"), Fate.DELETED),
    PersonalTable("capped_points", "loyalty.RuleUsage", ("member",), ("rule", "day", "points"), Fate.DELETED),
    PersonalTable(
        "grants", "loyalty.GrantRow", ("member",), ("who", "contact", "points", "reason", "valid_through", "outcome"),
        Fate.EMPTIED, "The points and the reason, as in the journal; the name and the contact in the file's row go.",
        emptied={
            "who": "", "contact": "", "value": "",
            "detail": without(F("detail"), "newcomer"),
        },
    ),
    PersonalTable(
        "referral_links", "loyalty.ReferralLink", ("promoter",),
        ("channel__name", "product__title", "token", "created_at"),
        Fate.EMPTIED, "A link that leads nowhere.", emptied={"token": _A_TOKEN},
    ),
    PersonalTable("referral_devices", "loyalty.ReferralDevice", ("member",), ("seen_at",), Fate.DELETED),
    PersonalTable(
        "referred", "loyalty.Referral", ("buyer",), ("visited_at", "tied_at", "until", "state", "signs", "reason"),
        Fate.EMPTIED, "That somebody brought him, for the points of that other one.", emptied={"device": ""},
    ),
    PersonalTable(
        "referral_shares", "loyalty.ReferralShare", ("referral__promoter",), ("given", "kept", "available"),
        Fate.KEPT, "What the journal gave for it.",
    ),
)  # fmt: skip

LEFT_OUT = {
    "loyalty.EntrySeal": "A hash of an entry.",
    "loyalty.LotUse": "Which entry drew on which lot: part of both.",
    "loyalty.LotRenewal": "A lot's earlier end: part of the lot.",
    "loyalty.ReferralVisit": "Visits of others through a link, by a random name of their device.",
    **dict.fromkeys(
        (
            "loyalty.BacktestJob", "loyalty.EarnRule", "loyalty.Grant", "loyalty.ImportRenewal",
            "loyalty.LiabilityRate", "loyalty.PastGap", "loyalty.PastPurchases", "loyalty.PolicyApplication",
            "loyalty.RuleSet", "loyalty.ValidityPolicy",
        ),
        _STAFF,
    ),
}  # fmt: skip


def _losses(member_id: int, at: datetime) -> list[Loss]:
    held = summary(member_id, at)
    losses = []
    if held.spendable:
        text = ngettext("%(points)s point", "%(points)s points", held.spendable) % {"points": f"{held.spendable:,}"}
        losses.append(Loss("points", held.spendable, text))
    if held.pending:
        text = ngettext("%(points)s pending point", "%(points)s pending points", held.pending)
        losses.append(Loss("pending", held.pending, text % {"points": f"{held.pending:,}"}))
    return losses


def _act(erasure: Erasure) -> None:
    forfeit([erasure.member_id], at=erasure.at, reason=erasure.reason, actor_id=erasure.actor_id)


RULES = ErasureRules(lock=lambda member_id: lock_accounts([], also=[member_id]), losses=_losses, act=_act)
