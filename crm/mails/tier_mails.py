"""The mails about tiers. Their figures: ``tier`` its name, ``price_percent`` what its members pay of the list price
("90"), ``last_on`` the last day to take or to have it, where there is one."""

from django.utils.translation import gettext_lazy as _

from crm.mails.kinds import MailKind, register_mail_kind

TIER_UPGRADED = MailKind("tier_upgraded", _("Moved up to a tier"), _("when you have moved up to a higher tier"))
TIER_REACHED = MailKind("tier_reached", _("Tier reached"), _("when you have reached a higher tier and can take it"))
CLAIM_EXPIRING = MailKind("claim_expiring", _("Tier not taken yet"), _("when the last day to take a tier comes near"))
TIER_ENDING = MailKind("tier_ending", _("Tier ends soon"), _("when the time of your tier comes to its end"))


def register() -> None:
    """Make the kinds known."""
    for kind in (TIER_UPGRADED, TIER_REACHED, CLAIM_EXPIRING, TIER_ENDING):
        register_mail_kind(kind)
