"""The stable words of the ground floor. Values are stored; labels are what people see."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class OrderStatus(models.TextChoices):
    """The life of an order. ``rank`` orders the states: an order never moves to a lower one."""

    PLACED = "placed", pgettext_lazy("order status", "Placed")
    PAID = "paid", pgettext_lazy("order status", "Paid")
    SHIPPED = "shipped", pgettext_lazy("order status", "Shipped")
    COMPLETED = "completed", pgettext_lazy("order status", "Completed")
    CLOSED = "closed", pgettext_lazy("order status", "Closed")

    @property
    def rank(self) -> int:
        return _ORDER_RANK[self]


_ORDER_RANK = {status: rank for rank, status in enumerate(OrderStatus)}


class RefundStatus(models.TextChoices):
    """Only a successful refund moves money. ``rank`` decides which of two reports stands."""

    OPEN = "open", _("In progress")
    REFUSED = "refused", _("Withdrawn or refused")
    SUCCESS = "success", pgettext_lazy("refund status", "Refunded")

    @property
    def rank(self) -> int:
        return _REFUND_RANK[self]


_REFUND_RANK = {status: rank for rank, status in enumerate(RefundStatus)}


class Platform(models.TextChoices):
    TAOBAO = "taobao", _("Taobao / Tmall")
    YOUZAN = "youzan", _("Youzan")
    SHOPIFY = "shopify", _("Shopify")
    WOOCOMMERCE = "woocommerce", _("WooCommerce")
    OTHER = "other", _("Other")


class ListKind(models.TextChoices):
    """What a list of members that staff upload is about."""

    GRADES = "grades", _("Grades on a tool")
    NO_DISCOUNT = "no_discount", _("Put members on the list")
    DISCOUNT_AGAIN = "discount_again", _("Take members off the list")  # Of those without discount.


class PaymentKind(models.TextChoices):
    """What an order was paid with. Where two reports differ, the kind that stands later here stands."""

    OTHER = "other", pgettext_lazy("payment kind", "Other")
    CASH = "cash", pgettext_lazy("payment kind", "Cash or online payment")
    BALANCE = "balance", pgettext_lazy("payment kind", "Prepaid balance")
    GIFT_CARD = "gift_card", pgettext_lazy("payment kind", "Gift card")


class ProductPolicy(models.TextChoices):
    """What a product earns. Whether discounts reach it is its ``PricePolicy``, which follows this one by default."""

    NORMAL = "normal", pgettext_lazy("product policy", "Normal")
    SPECIAL = "special", pgettext_lazy("product policy", "Special price")
    ZERO = "zero", pgettext_lazy("product policy", "Zero points")
    BONUS = "bonus", pgettext_lazy("product policy", "Bonus product")


class PricePolicy(models.TextChoices):
    """Whether discounts reach a product. FOLLOW leaves it to the point policy: special-price goods get none."""

    FOLLOW = "follow", pgettext_lazy("price policy", "As the point policy says")
    NORMAL = "normal", pgettext_lazy("price policy", "Discounts count")
    SPECIAL = "special", pgettext_lazy("price policy", "Special price: no discount")
    GROUP_BUY = "group_buy", pgettext_lazy("price policy", "Group buy: no discount")


class GrantSource(models.TextChoices):
    """Who gave a member his tier."""

    MANUAL = "manual", pgettext_lazy("source of a tier", "By hand")
    SYSTEM = "system", pgettext_lazy("source of a tier", "By the rules")
    CLAIM = "claim", pgettext_lazy("source of a tier", "Taken by the member")
    IMPORT = "import", pgettext_lazy("source of a tier", "From a file")


class SchemeState(models.TextChoices):
    """Whether a tier scheme can still be changed."""

    DRAFT = "draft", pgettext_lazy("tier scheme", "Draft")
    PUBLISHED = "published", pgettext_lazy("tier scheme", "Published")


class Taking(models.TextChoices):
    """How a member comes by a tier that he has reached."""

    SYSTEM = "system", _("Given by the system")
    CLAIM = "claim", _("Taken by the member himself")


class Effect(models.TextChoices):
    """When a tier that was reached takes effect, or is offered."""

    AT_ONCE = "at_once", _("At once")
    NEXT_ORDER = "next_order", _("At the next successful order")
    REVIEW_DAY = "review_day", _("On the next review day")


class KeepCheck(models.TextChoices):
    """When it is looked at whether a member keeps his tier. A tier with an end is always looked at then."""

    AT_END = "at_end", _("Only when its term ends")
    NEXT_ORDER = "next_order", _("Also at every successful order")
    REVIEW_DAY = "review_day", _("Also on every review day")


class Fall(models.TextChoices):
    """Where a member goes who does not keep his tier."""

    KEEP = "keep", _("He keeps it all the same")
    ONE_DOWN = "one_down", _("One tier down")
    EARNED = "earned", _("Down to the tier that he still earns")


class Climb(models.TextChoices):
    """How far a member rises at once."""

    ANY = "any", _("To the highest tier that he has reached")
    ONE = "one", _("One tier at a time")


class Restart(models.TextChoices):
    """When the counters of a member begin anew."""

    NEVER = "never", _("Never")
    CHANGE = "change", _("With every change of tier")
    TERM = "term", _("With every term, also when a tier is renewed")


class WindowKind(models.TextChoices):
    """Over which time figures are counted."""

    ALL_TIME = "all_time", _("All time")
    DAYS = "days", _("The last so many days")
    MONTHS = "months", _("The last so many calendar months, the present one included")
    PERIOD = "period", _("The present period of the calendar")


class Review(models.IntegerChoices):
    """How many months lie between two review days; the first one of a year is the first of January."""

    MONTHLY = 1, _("The first day of every month")
    QUARTERLY = 3, _("The first day of every quarter")
    HALF_YEARLY = 6, _("The first of January and of July")


class RefundPolicy(models.TextChoices):
    """What becomes of a tier when a refund undoes what it was given for."""

    KEEP = "keep", _("It stays until it is looked at the next time; the money no longer counts then")
    TAKE_BACK = "take_back", _("It is taken back by the next review")


class TierMove(models.TextChoices):
    """Why the rules gave a tier. Empty for a tier that a person gave."""

    UP = "up", _("Reached")
    RENEWED = "renewed", _("Renewed")
    DOWN = "down", _("Not kept")
    TAKEN_BACK = "taken_back", _("Taken back after a refund")
    RESUMED = "resumed", _("Resumed after a tier given by hand")


class OfferKind(models.TextChoices):
    """What a member may claim."""

    UP = "up", _("A higher tier")
    RENEWAL = "renewal", _("Another term of his tier")


class OfferState(models.TextChoices):
    """What became of a tier that a member may claim."""

    OPEN = "open", pgettext_lazy("tier offer", "Open")
    CLAIMED = "claimed", pgettext_lazy("tier offer", "Claimed")
    LAPSED = "lapsed", pgettext_lazy("tier offer", "Not claimed in time")
    WITHDRAWN = "withdrawn", pgettext_lazy("tier offer", "Withdrawn: no longer met")
    REPLACED = "replaced", pgettext_lazy("tier offer", "Overtaken by another change of tier")


class TagColour(models.TextChoices):
    """The colours a label of the admin's theme can have."""

    GREY = "default", _("Grey")
    BLUE = "info", _("Blue")
    GREEN = "success", _("Green")
    ORANGE = "warning", _("Orange")
    RED = "danger", _("Red")
    TEAL = "primary", _("Teal")


class SsoAlgorithm(models.TextChoices):
    """How a shop signs its tokens, by the names of RFC 7518 and RFC 8037."""

    HS256 = "HS256", _("HS256: one shared secret")
    EDDSA = "EdDSA", _("EdDSA: a key pair, of which only the public key is kept here")


class SsoFault(models.TextChoices):
    """Why a shop's token was not taken."""

    INVALID = "invalid", _("The token is not good. The page of the key says why, if the token names a key of ours.")
    UNREADABLE = "unreadable", _("This is no signed token: three parts joined by dots, with a key ID in the header.")
    UNKNOWN_KEY = "unknown_key", _("There is no key with this ID.")
    REVOKED_KEY = "revoked_key", _("The key was revoked. Make a new one.")
    WRONG_ALGORITHM = "wrong_algorithm", _("The token is signed with another algorithm than its key is for.")
    BAD_SIGNATURE = (
        "bad_signature",
        _("The signature does not fit: the secret is another one, or the token was altered."),
    )
    LOST_SECRET = "lost_secret", _("SECRET_KEY has changed, and the secret cannot be read any more. Make a new key.")
    BAD_CLAIM = "bad_claim", _("A claim is missing, too long, too short or of the wrong type.")
    WRONG_AUDIENCE = "wrong_audience", _("The token is meant for another shop or another purpose.")
    WRONG_LIFE = "wrong_life", _("A token lives for five minutes at most, from iat to exp.")
    EXPIRED = "expired", _("The token is too old. Make it when the buyer clicks, not before.")
    NOT_YET = "not_yet", _("The token is from the future. Please set the clock of the shop's server.")
    REPLAYED = "replayed", _("The token was used before. Make a new one for every visit.")
    UNKNOWN_BUYER = "unknown_buyer", _("The shop's data does not know this buyer yet.")
    LOGIN_BLOCKED = "login_blocked", _("This buyer's login is closed.")


class SocialSite(models.TextChoices):
    """Sites with whose accounts a buyer can sign in. The values are allauth's names of them."""

    WEIXIN = "weixin", pgettext_lazy("sign-in", "WeChat")
    WEIBO = "weibo", pgettext_lazy("sign-in", "Weibo")


class MailState(models.TextChoices):
    """Where a mail is on its way. Only between ``SENDING`` and its answer can nobody know whether it was sent."""

    QUEUED = "queued", pgettext_lazy("state of a mail", "Waiting")
    CLAIMED = "claimed", pgettext_lazy("state of a mail", "Being prepared")
    SENDING = "sending", pgettext_lazy("state of a mail", "Being handed over")
    SENT = "sent", pgettext_lazy("state of a mail", "Sent")
    FAILED = "failed", pgettext_lazy("state of a mail", "Failed")
    IN_DOUBT = "in_doubt", pgettext_lazy("state of a mail", "In doubt")
    SKIPPED = "skipped", pgettext_lazy("state of a mail", "Not sent")


class MailProblem(models.TextChoices):
    """Why a mail was not sent, or not at the last attempt."""

    UNREACHABLE = "unreachable", _("The mail server did not answer, or did not let the shop in")
    SENDER = "sender", _("The mail server refused the shop's sender address")
    RECIPIENT = "recipient", _("The mail server refused the recipient's address")
    MESSAGE = "message", _("The mail server refused the mail")
    NO_ANSWER = "no_answer", _("The mail was handed over, and no answer came")
    BROKE_OFF = "broke_off", _("The program was stopped before the mail was handed over")
    UNWRITABLE = "unwritable", _("The mail could not be put into words; the log has the error")
    NO_ADDRESS = "no_address", _("The member has no mail address")
    BAD_ADDRESS = "bad_address", _("The member's mail address is not one that mail can go to")
    UNWANTED = "unwanted", _("The member does not want such mails any more")
    TOO_LATE = "too_late", _("What the mail would have said was over before it could be sent")
    CALLED_OFF = "called_off", _("Somebody of the staff decided that it is not to be sent")
