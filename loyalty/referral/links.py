"""Personal links, the visits that come through them, and what a promoter sees of both."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex, token_urlsafe
from typing import Any

from django.apps import apps
from django.db.models import Count, F, Q, Sum

from loyalty.acts import rules_about
from loyalty.choices import ReferralState
from loyalty.earning.kinds.acts import Referral as ReferralRule
from loyalty.models import Referral, ReferralDevice, ReferralLink, ReferralShare, ReferralVisit
from loyalty.rulebook import published_sets, set_at

MOST_PRODUCTS = 20


@dataclass(frozen=True, slots=True)
class Target:
    """What a link can lead to: a shop, or one of its products."""

    channel_id: int
    channel_name: str
    product_id: int | None = None
    product_title: str = ""


@dataclass(frozen=True, slots=True)
class LinkFigures:
    """A link with what came of it. ``orders`` brought a share; ``waiting`` points wait for their order to succeed."""

    token: str
    target: Target
    clicks: int = 0
    orders: int = 0
    points: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class PromoterFigures:
    """What a promoter sees: his links and their sums. ``in_review`` are buyers whom staff will have a look at."""

    links: list[LinkFigures]
    clicks: int = 0
    orders: int = 0
    points: int = 0
    waiting: int = 0
    in_review: int = 0


@dataclass(frozen=True, slots=True)
class Landing:
    """Where a visitor arrived: the shop and product that were recommended to him, and by whom."""

    target: Target
    promoter_id: int


def find_shops() -> list[Target]:
    """The shops a link can lead to."""
    return [Target(pk, name) for pk, name in _model("Channel").objects.order_by("name").values_list("pk", "name")]


def find_products(text: str) -> list[Target]:
    """The first products whose title or article number has this text in it."""
    found = _model("Product").objects.filter(Q(title__icontains=text) | Q(code__iexact=text)).order_by("title", "pk")
    rows = found.values_list("channel_id", "channel__name", "pk", "title")[:MOST_PRODUCTS]
    return [Target(*row) for row in rows]


def make_link(member_id: int, channel_id: int, product_id: int | None, at: datetime) -> ReferralLink:
    """The member's link to a shop or a product; the same one however often it is asked for.

    Raises LookupError when there is no such shop, or it does not sell the product.
    """
    if not _model("Channel").objects.filter(pk=channel_id).exists():
        raise LookupError(f"no channel {channel_id}")
    if product_id and not _model("Product").objects.filter(pk=product_id, channel=channel_id).exists():
        raise LookupError(f"channel {channel_id} sells no product {product_id}")
    target: dict[str, Any] = {"channel_id": channel_id, "product_id": product_id}
    link, _created = ReferralLink.objects.get_or_create(
        promoter_id=member_id, **target, defaults={"token": token_urlsafe(9), "created_at": at}
    )
    return link


def new_device() -> str:
    """A name for a device that has none yet; it says nothing about the device or its owner."""
    return token_hex(16)


def remember_device(device: str, member_id: int, at: datetime) -> None:
    """Note that a member has been signed in on a device."""
    ReferralDevice.objects.get_or_create(device=device, member_id=member_id, defaults={"seen_at": at})


def find_landing(token: str) -> Landing | None:
    """Where a link leads; None for one that does not exist."""
    row = (
        ReferralLink.objects.filter(token=token)
        .values_list("channel_id", "channel__name", "product_id", "product__title", "promoter_id")
        .first()
    )
    return Landing(Target(row[0], row[1], row[2], row[3] or ""), row[4]) if row else None


def days_remembered(at: datetime) -> int:
    """How long a visit is remembered under the rules in force; 0 when they reward no referral."""
    rules = rules_about(set_at(published_sets(), at), ReferralRule.act)
    return max((rule.kind.days for rule in rules if isinstance(rule.kind, ReferralRule)), default=0)


def record_visit(token: str, device: str, at: datetime) -> bool:
    """Remember that a device came through a link. Returns whether it is remembered: not when no rule rewards it."""
    days = days_remembered(at)
    link_id = ReferralLink.objects.filter(token=token).values_list("pk", flat=True).first()
    if not days or link_id is None:
        return False
    until = at + timedelta(days=days)
    _visit, created = ReferralVisit.objects.get_or_create(
        link_id=link_id, device=device, defaults={"first_at": at, "last_at": at, "until": until}
    )
    if not created:
        ReferralVisit.objects.filter(link_id=link_id, device=device).update(
            clicks=F("clicks") + 1, last_at=at, until=until
        )
    return True


def promoter_figures(member_id: int) -> PromoterFigures:
    """A promoter's links with their clicks, orders and points. Four queries, however many links."""
    links = list(
        ReferralLink.objects.filter(promoter=member_id)
        .order_by(F("product").asc(nulls_first=True), "channel__name", "pk")
        .values_list("pk", "token", "channel_id", "channel__name", "product_id", "product__title")
    )
    clicks = dict(
        ReferralVisit.objects.filter(link__promoter=member_id).values_list("link").annotate(Sum("clicks")).order_by()
    )
    shares = {
        link: tuple(figures)
        for link, *figures in ReferralShare.objects.filter(referral__promoter=member_id, kept__gt=0)
        .values_list("referral__link")
        .annotate(
            orders=Count("order", distinct=True),
            points=Sum("kept", filter=Q(available=True), default=0),
            waiting=Sum("kept", filter=Q(available=False), default=0),
        )
        .order_by()
    }
    figures = [
        LinkFigures(token, Target(channel, name, product, title or ""), clicks.get(pk, 0), *shares.get(pk, (0, 0, 0)))
        for pk, token, channel, name, product, title in links
    ]
    return PromoterFigures(
        figures,
        clicks=sum(link.clicks for link in figures),
        orders=sum(link.orders for link in figures),
        points=sum(link.points for link in figures),
        waiting=sum(link.waiting for link in figures),
        in_review=Referral.objects.filter(promoter=member_id, state=ReferralState.REVIEW).count(),
    )


def _model(name: str) -> Any:
    return apps.get_model("crm", name)
