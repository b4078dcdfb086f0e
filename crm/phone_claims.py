"""Whose a phone is: the one member that has it. A number that several have proves none of them."""

from django.db.models import Q

from crm.models import Identity, Member


def member_with_phone(phone: str) -> int | None:
    """Return the one member that has the whole number and whose login, if there is one, may be used by a code."""
    own = Member.objects.filter(phone=phone).order_by().values_list("pk", flat=True)
    on_platforms = Identity.objects.filter(phone=phone).order_by().values_list("member_id", flat=True)
    found = list(own.union(on_platforms)[:2])
    if not phone or len(found) != 1:
        return None
    usable = Q(user=None) | Q(user__is_active=True, user__is_staff=False)
    return Member.objects.filter(usable, pk=found[0]).values_list("pk", flat=True).first()
