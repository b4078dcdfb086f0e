"""Rules tried on past orders, and what came of it."""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.choices import BacktestState


class BacktestJob(models.Model):
    """A set of rules tried on the orders of a period, run by a worker.

    ``rules`` are those of the set when the backtest was started, so that the result says what was tried even after the
    draft has been edited, published or thrown away. ``version`` is empty for a draft and 0 for the set that is built
    in. ``result`` is what ``loyalty.backtest.run.backtest`` found.
    """

    rule_set = models.ForeignKey(
        "loyalty.RuleSet",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("set of earning rules"),
    )
    version = models.PositiveIntegerField(_("version"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=300, blank=True)
    rules = models.JSONField(_("earning rules"), default=list)
    first_day = models.DateField(_("from"))
    last_day = models.DateField(_("until"))
    margin = models.DecimalField(
        _("margin in percent"), max_digits=6, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))]
    )
    state = models.CharField(_("state"), max_length=10, choices=BacktestState, default=BacktestState.QUEUED)
    done = models.BigIntegerField(_("orders done"), default=0)
    orders = models.BigIntegerField(_("orders in all"), default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("started by"),
    )
    created_at = models.DateTimeField(_("started"))
    started_at = models.DateTimeField(_("begun by a worker"), null=True, blank=True)
    # Renewed with every batch of orders, so that a job whose worker died can be told from one that is merely slow.
    beat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    error = models.TextField(_("error"), blank=True)
    result = models.JSONField(_("result"), null=True, blank=True)

    class Meta:
        verbose_name = _("backtest")
        verbose_name_plural = _("backtests")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(first_day__lte=models.F("last_day")), name="loyalty_backtest_days_in_order"
            ),
            models.CheckConstraint(
                condition=models.Q(state=BacktestState.DONE, result__isnull=False)
                | (~models.Q(state=BacktestState.DONE) & models.Q(result=None)),
                name="loyalty_backtest_result_when_done",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
