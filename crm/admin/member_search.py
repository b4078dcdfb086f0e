"""Finding members by what a person at the desk has: a name, a platform name, a phone, a mail address."""

import re

from django.db.models import QuerySet
from django.db.models.functions import Lower

from crm.feeds.cells import read_email, read_phone
from crm.models import Identity, Member


def find_members(queryset: QuerySet[Member], term: str) -> QuerySet[Member]:
    """Narrow ``queryset`` to the members a search term means.

    Names are found by any part of them, without regard to case; phones and mail addresses only in full, so that the
    search does not serve to guess them. Every branch has its index (trigrams for names), and the branches are joined
    by UNION, because PostgreSQL would scan both tables for an OR across them.
    """
    term = term.strip()
    if not term:
        return queryset
    pattern = re.escape(term)
    # "~*" is what trigram indexes serve without regard to case; Django's icontains compares in upper case and is not.
    found = Member.objects.filter(name__iregex=pattern).order_by().values("pk")
    branches = [Identity.objects.filter(external_id__iregex=pattern).order_by().values("member_id")]
    if email := read_email(term):
        branches.append(
            Member.objects.annotate(address=Lower("email")).filter(address=email).exclude(email="").order_by().values("pk")
        )
        branches.append(Identity.objects.filter(email=email).exclude(email="").order_by().values("member_id"))
    if phone := read_phone(term):
        branches.append(Member.objects.filter(phone=phone).exclude(phone="").order_by().values("pk"))
        branches.append(Identity.objects.filter(phone=phone).exclude(phone="").order_by().values("member_id"))
    return queryset.filter(pk__in=found.union(*branches))
