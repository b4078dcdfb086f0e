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
