"""Finding members by what a person at the desk has: a name, a platform name, a phone, a mail address."""

from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Lookup, QuerySet
from django.db.models.functions import Lower
from django.db.models.sql.compiler import SQLCompiler

from crm.feeds.cells import read_email, read_phone
from crm.models import Identity, Member


class ILike(Lookup):
    """PostgreSQL's ILIKE. Trigram indexes serve it, Chinese included; Django's own icontains compares in upper case,
    which they do not serve."""

    lookup_name = "ilike"

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:  # type: ignore[override]
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} ILIKE {right}", [*left_params, *right_params]


def find_members(queryset: QuerySet[Member], term: str) -> QuerySet[Member]:
    """Narrow ``queryset`` to the members a search term means.

    Names are found by any part of them, without regard to case; phones and mail addresses only in full, so that the
    search does not serve to guess them. Every branch has its index (trigrams for names), and the branches are joined
    by UNION, because PostgreSQL would scan both tables for an OR across them.
    """
    term = term.strip()
    if not term:
        return queryset
    part = f"%{connection.ops.prep_for_like_query(term)}%"
    found = Member.objects.filter(ILike(F("name"), part)).order_by().values("pk")
    branches: list[QuerySet[Any, Any]] = [
        Identity.objects.filter(ILike(F("external_id"), part)).order_by().values("member_id")
    ]
    if email := read_email(term):
        branches.append(
            Member.objects.annotate(address=Lower("email"))
            .filter(address=email)
            .exclude(email="")
            .order_by()
            .values("pk")
        )
        branches.append(Identity.objects.filter(email=email).exclude(email="").order_by().values("member_id"))
    if phone := read_phone(term):
        branches.append(Member.objects.filter(phone=phone).exclude(phone="").order_by().values("pk"))
        branches.append(Identity.objects.filter(phone=phone).exclude(phone="").order_by().values("member_id"))
    return queryset.filter(pk__in=found.union(*branches))
