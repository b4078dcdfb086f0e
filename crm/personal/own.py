"""What this floor holds about a member."""

from django.db.models import CharField, F, Func, TextField, Value
from django.db.models.functions import Cast, Concat
from django.utils.translation import gettext_lazy as _

from crm.personal.registry import Fate, PersonalTable

_RANDOM = Cast(Func(function="gen_random_uuid"), CharField())
# Nobody finds a buyer by such a name, and nothing leads from it to the one that he had.
A_PSEUDONYM = Concat(Value("erased-"), _RANDOM)


def without(column: F, key: str) -> Func:
    """A JSON object without one of its keys."""
    return Func(column, Cast(Value(key), TextField()), arg_joiner=" - ", template="(%(expressions)s)")


PERSON = (
    PersonalTable(
        "profile", "crm.Member", ("pk",), ("name", "email", "phone", "birthday", "note", "joined_at"),
        Fate.EMPTIED, "The number, for the journal of points; and since when.", title=_("My profile"),
        emptied={"name": "", "email": "", "phone": "", "birthday": None, "note": ""},
    ),
    PersonalTable(
        "platform_names", "crm.Identity", ("member",),
        ("channel__name", "external_id", "name", "email", "phone", "seen_at"),
        Fate.EMPTIED, "A random name, to which the orders belong.",
        emptied={"external_id": A_PSEUDONYM, "name": "", "email": "", "phone": "", "seen_at": None},
    ),
    PersonalTable("tags", "crm.MemberTag", ("member",), ("tag__name", "added_at"), Fate.DELETED),
    PersonalTable(
        "platform_grades",
        "crm.MemberPlatformGrade",
        ("member",),
        ("tool__name", "grade__name", "seen_at", "source", "order_no"),
        Fate.DELETED,
    ),
    PersonalTable(
        "no_discount", "crm.NoDiscount", ("member",), ("since", "reason", "until", "until_reason"), Fate.DELETED
    ),
)  # fmt: skip

LOGIN = (
    PersonalTable(
        "login", "crm.User", ("member",), ("username", "email", "first_name", "last_name", "last_login", "date_joined"),
        Fate.EMPTIED, "A closed login with a random name, because the log names who did what.", title=_("login"),
        emptied={
            "username": A_PSEUDONYM, "email": "", "first_name": "", "last_name": "", "password": "!",
            "is_active": False,
        },
    ),
    PersonalTable("login_addresses", "account.EmailAddress", ("user__member",), ("email", "verified"), Fate.DELETED),
    PersonalTable(
        "login_confirmations", "account.EmailConfirmation", ("email_address__user__member",), (),
        Fate.DELETED, "Keys of confirmations, which go with their addresses.",
    ),
    PersonalTable(
        "connected_tokens", "socialaccount.SocialToken", ("account__user__member",), (),
        Fate.DELETED, "Keys of other sites, of use to nobody else.",
    ),
    PersonalTable(
        "connected_accounts", "socialaccount.SocialAccount", ("user__member",),
        ("provider", "uid", "last_login", "date_joined", "extra_data"), Fate.DELETED, title=_("Connected accounts"),
    ),
    PersonalTable(
        "devices", "crm.Session", ("user__member",), ("device", "began_at", "seen_at", "expire_date"), Fate.DELETED
    ),
    PersonalTable(
        "known_devices", "crm.KnownDevice", ("user__member",), ("words", "first_at", "last_at"), Fate.DELETED
    ),
    PersonalTable(
        "codes", "crm.OneTimeCode", ("member",), (), Fate.DELETED, "Hashes of codes, for ten minutes.",
    ),
)  # fmt: skip

ORDERS = (
    PersonalTable(
        "orders", "crm.Order", ("member",),
        (
            "channel__name", "external_no", "title", "status", "paid", "refunded", "payment_kind", "placed_at",
            "paid_at", "shipped_at", "completed_at", "closed_at", "close_reason", "raw",
        ),
        Fate.EMPTIED, "The trade itself, for the books; names, phones and postal addresses go.",
        emptied={"raw": {}},
    ),
    PersonalTable(
        "order_lines", "crm.OrderLine", ("order__member",),
        ("order__external_no", "title", "options", "quantity", "unit_price", "amount"),
        Fate.KEPT, "What was sold, for the books.",
    ),
    PersonalTable(
        "refunds", "crm.Refund", ("member", "order__member"),
        ("channel__name", "external_no", "status", "amount", "at", "reason"),
        Fate.EMPTIED, "What went back, for the books; the buyer's words go.", emptied={"reason": ""},
    ),
)  # fmt: skip

TIERS = (
    PersonalTable(
        "tiers", "crm.TierGrant", ("member",),
        ("tier__name", "begins_at", "ends_at", "ended_at", "source", "move", "reason", "figures", "granted_at"),
        Fate.KEPT, "History, which the database lets nobody change; also what staff wrote as a reason.",
    ),
    PersonalTable(
        "tier_offers", "crm.TierOffer", ("member",), ("tier__name", "state", "opened_at", "until", "closed_at"),
        Fate.DELETED,
    ),
    PersonalTable(
        "tier_standing", "crm.TierStanding", ("member",), ("next_rank", "next_share", "keep_share", "keep_due_at"),
        Fate.DELETED,
    ),
)  # fmt: skip

CONTACT = (
    PersonalTable(
        "mails", "crm.Mail", ("member",),
        ("kind", "state", "queued_at", "sent_at", "address", "subject", "facts", "reply"), Fate.DELETED,
    ),
    PersonalTable(
        "data_files", "crm.DataFile", ("member",), (),
        Fate.DELETED, "Files such as this one, which are gone in three days.",
    ),
    PersonalTable(
        "mail_preferences", "crm.MailPreference", ("member",), ("language", "refuses_all", "refused", "changed_at"),
        Fate.DELETED,
    ),
    PersonalTable(
        "log", "crm.StaffAction", ("member", "actor__member"), ("at", "action", "reason", "details"),
        Fate.EMPTIED, "What was done, when and why; the address that a first sign-in noted goes.",
        emptied={"details": without(F("details"), "email")},
    ),
)  # fmt: skip

_STAFF = "It names people of the shop's staff, not buyers."
LEFT_OUT = {
    "admin.LogEntry": "What staff did in the admin. The name of a member in it goes with him.",
    "crm.ImportFile": "A file with many buyers; what it said of one is in his orders and names.",
    "crm.ImportProblem": "A row of such a file that was refused, so of nobody known.",
    "crm.MemberList": "A file with many members, removed when it is imported; what it said of one is in his grades.",
    "crm.MemberListProblem": "What a row that was left out of such a list said; nothing leads from it to a member.",
    **dict.fromkeys(
        (
            "crm.ImportJob", "crm.SchemePreview", "crm.ShopKey", "crm.SpentToken", "crm.TierReview", "crm.TierRung",
            "crm.TierScheme",
        ),
        _STAFF,
    ),
}  # fmt: skip
