"""What buyers took for their points, and what became of it."""

import pgtrigger
from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from stdnum import luhn

from redemption.models.guards import follows_its_life, kept, tells_its_moves
from redemption.models.reward import Reward
from redemption.rewards.choices import FitsNothing, PaidBy, RedemptionState
from redemption.rewards.life import OPEN


class Address(models.Model):
    """Where a member wants his parcels. Rows are not edited: a correction is a new row that takes the old one's place,
    so that a redemption keeps the address it was sent to. Only erasing a member's data empties them."""

    member = models.ForeignKey(
        "crm.Member", on_delete=models.PROTECT, related_name="addresses", verbose_name=_("member")
    )
    recipient = models.CharField(_("recipient"), max_length=60)
    phone = models.CharField(_("phone"), max_length=20)
    region = models.CharField(_("province, city and district"), max_length=120)
    street = models.CharField(_("street and number"), max_length=200)
    postcode = models.CharField(_("postcode"), max_length=12, blank=True)
    preferred = models.BooleanField(_("preferred"), default=False)
    added_at = models.DateTimeField(_("added"))
    removed_at = models.DateTimeField(_("removed"), null=True, blank=True)

    class Meta:
        verbose_name = _("postal address")
        verbose_name_plural = _("postal addresses")
        ordering = ["-preferred", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["member"],
                condition=Q(preferred=True, removed_at=None),
                name="redemption_address_one_preferred",
            )
        ]
        triggers = [pgtrigger.Protect(name="address_kept", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        # Nothing personal: this ends up in titles and logs.
        return f"#{self.pk}"


class Redemption(models.Model):
    """A buyer's order for a reward.

    ``points`` and ``cash`` (yuan) are the price of all ``quantity`` pieces. ``entry`` is the burn, or, as long as cash
    is awaited until ``pay_until``, the hold. Of the pieces ``cancelled`` were never sent, ``returned`` came back, and
    of those ``restocked`` went back to the stock. The last move stands in the row; all of them in its moves.
    """

    # Nothing that a checkout names is checked by a foreign key: the row of a reward would be locked a thousand times in
    # a flash sale, and each key costs a check at the commit, also an empty one. Triggers keep rewards and addresses as
    # long as they are named here; members, entries and people of the staff are never deleted.
    member = models.ForeignKey(
        "crm.Member",
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="redemptions",
        verbose_name=_("member"),
    )
    reward = models.ForeignKey(
        Reward,
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="redemptions",
        verbose_name=_("reward"),
    )
    entry = models.OneToOneField(
        "loyalty.Entry", on_delete=models.PROTECT, db_constraint=False, related_name="+", verbose_name=_("entry")
    )
    # What may stand here is one constraint, since each more is read anew by every checkout
    # (``redemption/sql/0_sound.sql``): so these are no fields that are positive by themselves.
    quantity = models.IntegerField(_("pieces"))
    points = models.BigIntegerField(_("points"))
    cash = models.DecimalField(_("cash (yuan)"), max_digits=12, decimal_places=2, default=0)
    state = models.CharField(_("state"), max_length=10, choices=RedemptionState)
    cancelled = models.IntegerField(pgettext_lazy("pieces of a redemption", "cancelled"), default=0, db_default=0)
    returned = models.IntegerField(pgettext_lazy("pieces of a redemption", "returned"), default=0, db_default=0)
    restocked = models.IntegerField(_("back in stock"), default=0, db_default=0)
    address = models.ForeignKey(
        Address, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("postal address"),
        db_constraint=False, db_index=False,
    )  # fmt: skip
    placed_at = models.DateTimeField(_("placed"))
    pay_until = models.DateTimeField(_("to be paid until"), null=True, blank=True)
    paid_at = models.DateTimeField(_("paid at"), null=True, blank=True)
    carrier = models.CharField(_("carrier"), max_length=60, blank=True, default="", db_default="")
    tracking_number = models.CharField(_("parcel number"), max_length=60, blank=True, default="", db_default="")
    moved_at = models.DateTimeField(_("last moved"))
    moved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        db_constraint=False,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("moved by"),
        db_index=False,
    )
    move_reason = models.CharField(_("reason of the last move"), max_length=300, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("redemption")
        verbose_name_plural = _("redemptions")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["member", "-id"], name="redemption_of_member"),
            # Who has had a reward, and which one a member had last.
            models.Index(fields=["reward", "member", "id"], name="redemption_of_reward"),
            models.Index(fields=["state", "id"], name="redemption_open", condition=Q(state__in=OPEN)),
            # For reports. Time grows with the table, so that a few bytes for every hundred pages say where a month is.
            BrinIndex(fields=["placed_at"], name="redemption_by_time", autosummarize=True),
            models.Index(
                fields=["pay_until", "id"], name="redemption_unpaid", condition=Q(state=RedemptionState.AWAITING)
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Func(
                    *("state", "quantity", "points", "cash", "cancelled", "returned", "restocked"),
                    *("pay_until", "paid_at"),
                    function="redemption_redemption_sound",
                    output_field=models.BooleanField(),
                ),
                name="redemption_redemption_sound",
            )
        ]
        permissions = [
            ("handle_redemption", _("Can confirm, ship, cancel and take back redemptions")),
            ("export_redemption", _("Can download picking lists and labels")),
        ]
        triggers = [follows_its_life("redemption_follows_its_life"), tells_its_moves("redemption_tells_its_moves")]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """What buyers and staff call it: ``JF`` and the id with a check digit, so that a slip of a finger is noticed
        and no other number in an order's remark is taken for one."""
        return redemption_number(self.pk)

    @property
    def left(self) -> int:
        """How many pieces are neither cancelled nor returned."""
        return self.quantity - self.cancelled - self.returned

    @property
    def points_each(self) -> int:
        """What one piece cost in points. The price of all is a multiple of it."""
        return self.points // self.quantity


def redemption_number(pk: int) -> str:
    """Return the number of the redemption with this id."""
    return f"JF{pk}{luhn.calc_check_digit(str(pk))}"


class RedemptionMove(models.Model):
    """One step in the life of a redemption. A trigger of the redemption writes it."""

    redemption = models.ForeignKey(
        Redemption, on_delete=models.PROTECT, related_name="moves", verbose_name=_("redemption")
    )
    state_before = models.CharField(_("before"), max_length=10, choices=RedemptionState)
    state_after = models.CharField(_("after"), max_length=10, choices=RedemptionState)
    cancelled = models.IntegerField(pgettext_lazy("pieces of a redemption", "cancelled"))
    returned = models.IntegerField(pgettext_lazy("pieces of a redemption", "returned"))
    at = models.DateTimeField(_("when"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by whom"),
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("move of a redemption")
        verbose_name_plural = _("moves of redemptions")
        ordering = ["id"]
        triggers = [kept("redemptionmove_kept")]

    def __str__(self) -> str:
        return f"{self.redemption_id}: {self.state_before} → {self.state_after}"


class Payment(models.Model):
    """Cash that somebody reported for a redemption. ``reference`` names the payment where it was made; the same one is
    counted once. A payment that came too late, or a second one, is ``applied`` to nothing and waits for a person.

    One that fits nothing has no ``redemption`` until a person names it; ``why`` it fits nothing and the ``payload`` as
    it came are kept, and an ``amount`` as far as it could be read.
    """

    redemption = models.ForeignKey(
        Redemption,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="payments",
        verbose_name=_("redemption"),
    )
    amount = models.DecimalField(_("amount (yuan)"), max_digits=12, decimal_places=2, null=True, blank=True)
    how = models.CharField(_("reported by"), max_length=10, choices=PaidBy)
    reference = models.CharField(_("reference"), max_length=120, unique=True)
    order = models.ForeignKey(
        "crm.Order", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("order")
    )
    why = models.CharField(
        _("why it fits nothing"), max_length=20, choices=FitsNothing, blank=True, default="", db_default=""
    )
    payload = models.TextField(_("as it came"), blank=True, default="", db_default="")
    applied = models.BooleanField(_("counts for the redemption"))
    settled_at = models.DateTimeField(_("seen to"), null=True, blank=True)
    at = models.DateTimeField(_("when"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by whom"),
    )

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ["-id"]
        permissions = [("settle_payment", _("Can see to payments that count for nothing"))]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="redemption_payment_amount"),
            models.CheckConstraint(
                condition=Q(redemption__isnull=False, amount__isnull=False)
                | Q(redemption=None, applied=False) & ~Q(why="") & ~Q(payload=""),
                name="redemption_payment_stray_is_kept_as_it_came",
            ),
            models.UniqueConstraint(
                fields=["redemption"], condition=Q(applied=True), name="redemption_payment_counts_once"
            ),
        ]

    def __str__(self) -> str:
        return "?" if self.amount is None else f"¥{self.amount}"
