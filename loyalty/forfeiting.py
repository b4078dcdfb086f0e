"""Points that nobody can spend any more, because the data of their member was erased."""

from collections.abc import Collection
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Q, Sum
from django.utils.translation import gettext as _
from django.utils.translation import override

from loyalty.choices import EntryKind
from loyalty.journal import expire_overdue, lock_accounts, post
from loyalty.models import Account, Lot
from loyalty.night_steps import NightChunk
from loyalty.posting import Posting, Verb


def forfeit(member_ids: Collection[int], *, at: datetime, reason: str, actor_id: int | None) -> int:
    """Bring these accounts to zero: what can be spent is taken, what is owed is let go. Return the points taken.

    An adjustment, so that the day's close shows it and the liability goes down with it. What is pending stays until its
    order has succeeded or not; the night takes it then. What has lapsed is the night's, too.
    """
    ids = sorted(set(member_ids))
    with transaction.atomic():
        lock_accounts([], also=ids)
        expire_overdue(ids, at=at)
        live = Lot.objects.filter(Q(expires_at=None) | Q(expires_at__gt=at), account__in=ids, open=True, pending=False)
        sums = live.order_by().values("account_id").annotate(left=Sum("remaining"))
        left = dict(sums.values_list("account_id", "left"))
        accounts = Account.objects.filter(pk__in=ids).order_by("pk").values_list("pk", "balance", "version")
        postings = []
        for pk, balance, version in accounts:
            points = left.get(pk, 0) or min(balance, 0)
            if points:
                postings.append(
                    Posting(
                        Verb.DRAW if points > 0 else Verb.ACCRUE, EntryKind.ADJUSTMENT, pk, f"erased:{pk}:{version}",
                        at, abs(points), available_at=at if points < 0 else None, reason=reason, actor_id=actor_id,
                        trace={"erased": points},
                    )
                )  # fmt: skip
        post(postings, at=at)
    return sum(posting.points for posting in postings if posting.verb is Verb.DRAW)


def forfeit_of_erased(due: datetime, at: datetime, after: int, most: int) -> NightChunk:
    """Do so for members whose data was erased and who got points since: an order that was open then has succeeded, or a
    good came back. A step of the night, for at most ``most`` accounts above the member ``after``."""
    ids = list(
        Account.objects.filter(pk__gt=after, member__erased_at__isnull=False)
        .exclude(balance=0)
        .order_by("pk")
        .values_list("pk", flat=True)[:most]
    )
    if not ids:
        return NightChunk(0, 0, 0, None)
    with override(settings.LANGUAGE_CODE):
        reason = _("The member's data was erased.")
    points = forfeit(ids, at=at, reason=reason, actor_id=None)
    return NightChunk(len(ids), len(ids), points, ids[-1])
