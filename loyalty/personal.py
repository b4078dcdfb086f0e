"""What this floor holds about a member."""

from django.db.models import F, Func, TextField, Value
from django.db.models.functions import Cast, Substr

from crm.api import Fate, PersonalTable

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
            "detail": Func(
                F("detail"), Value("newcomer", output_field=TextField()), arg_joiner=" - ", template="(%(expressions)s)"
            ),
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
