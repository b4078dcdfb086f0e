"""What a buyer is told when he has signed in for the day."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.api import SignedIn


def told(done: SignedIn) -> str:
    """Say what came of a sign-in, in the language of the page."""
    if done.repeated:
        return _("You have signed in today already. Come back tomorrow.")
    if not done.points:
        return _("Signed in. Days in a row: %(days)s.") % {"days": done.streak}
    return ngettext(
        "Signed in: %(points)s point more. Days in a row: %(days)s.",
        "Signed in: %(points)s points more. Days in a row: %(days)s.",
        done.points,
    ) % {"points": done.points, "days": done.streak}
