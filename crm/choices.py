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
