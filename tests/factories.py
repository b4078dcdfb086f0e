"""One factory a model. What a test does not say is plain and unremarkable."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import factory
from factory.django import DjangoModelFactory

from crm.choices import OrderStatus, Platform
from crm.models import (
    Channel,
    Identity,
    Member,
    MemberPlatformGrade,
    MemberTag,
    NoDiscount,
    Order,
    OrderLine,
    PlatformGrade,
    PlatformTool,
    Product,
    ProductTierPrice,
    Refund,
    Tag,
    Tier,
    User,
)
from redemption.models import Address, CouponPlan, Denomination, Reward, Stock, StockChange

LONG_AGO = datetime(2025, 1, 6, 4, 0, tzinfo=UTC)  # A Monday noon in Shanghai.


class UserFactory(DjangoModelFactory[User]):
    """A login without a password, as buyers have."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user-{n}")
    email = ""

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        return model_class.objects.create_user(**kwargs)


class StaffFactory(UserFactory):
    """A person of the shop who may enter the admin; permissions are the test's business."""

    username = factory.Sequence(lambda n: f"staff-{n}")
    is_staff = True


class ChannelFactory(DjangoModelFactory[Channel]):
    class Meta:
        model = Channel

    code = factory.Sequence(lambda n: f"shop-{n}")
    name = factory.LazyAttribute(lambda channel: f"Shop {channel.code}")
    platform = Platform.TAOBAO


class MemberFactory(DjangoModelFactory[Member]):
    class Meta:
        model = Member

    name = factory.Sequence(lambda n: f"Member {n}")
    joined_at = LONG_AGO


class IdentityFactory(DjangoModelFactory[Identity]):
    class Meta:
        model = Identity

    channel = factory.SubFactory(ChannelFactory)
    member = factory.SubFactory(MemberFactory)
    external_id = factory.Sequence(lambda n: f"buyer{n}")


class TagFactory(DjangoModelFactory[Tag]):
    class Meta:
        model = Tag

    name = factory.Sequence(lambda n: f"Tag {n}")


class MemberTagFactory(DjangoModelFactory[MemberTag]):
    class Meta:
        model = MemberTag

    member = factory.SubFactory(MemberFactory)
    tag = factory.SubFactory(TagFactory)
    added_at = LONG_AGO


class TierFactory(DjangoModelFactory[Tier]):
    """A rung; the first one made is the base."""

    class Meta:
        model = Tier

    rank = factory.Sequence(lambda n: n)
    code = factory.LazyAttribute(lambda tier: f"tier-{tier.rank}")
    name = factory.LazyAttribute(lambda tier: f"Tier {tier.rank}")


class ProductFactory(DjangoModelFactory[Product]):
    class Meta:
        model = Product

    channel = factory.SubFactory(ChannelFactory)
    code = factory.Sequence(lambda n: f"A{n:05}")
    title = factory.Sequence(lambda n: f"Tea caddy {n}")


class ProductTierPriceFactory(DjangoModelFactory[ProductTierPrice]):
    class Meta:
        model = ProductTierPrice

    product = factory.SubFactory(ProductFactory)
    tier = factory.SubFactory(TierFactory)
    percent = Decimal(95)


class PlatformToolFactory(DjangoModelFactory[PlatformTool]):
    class Meta:
        model = PlatformTool

    name = factory.Sequence(lambda n: f"Tool {n}")


class PlatformGradeFactory(DjangoModelFactory[PlatformGrade]):
    class Meta:
        model = PlatformGrade

    tool = factory.SubFactory(PlatformToolFactory)
    name = factory.Sequence(lambda n: f"Grade {n}")
    discount_percent = Decimal(95)


class MemberPlatformGradeFactory(DjangoModelFactory[MemberPlatformGrade]):
    class Meta:
        model = MemberPlatformGrade

    member = factory.SubFactory(MemberFactory)
    grade = factory.SubFactory(PlatformGradeFactory)
    tool = factory.SelfAttribute("grade.tool")
    seen_at = LONG_AGO


class NoDiscountFactory(DjangoModelFactory[NoDiscount]):
    class Meta:
        model = NoDiscount

    member = factory.SubFactory(MemberFactory)
    since = LONG_AGO
    reason = "A reseller"


class OrderFactory(DjangoModelFactory[Order]):
    """An order as a plain row: nothing is earned by it. Orders that earn points go through ``crm.orders.record``."""

    class Meta:
        model = Order

    channel = factory.SubFactory(ChannelFactory)
    external_no = factory.Sequence(lambda n: f"3515313140{n:07}")
    member = factory.SubFactory(MemberFactory)
    status = OrderStatus.PAID
    paid = Decimal("100.00")
    placed_at = LONG_AGO
    paid_at = LONG_AGO


class OrderLineFactory(DjangoModelFactory[OrderLine]):
    class Meta:
        model = OrderLine

    order = factory.SubFactory(OrderFactory)
    key = factory.Sequence(str)
    product = factory.SubFactory(ProductFactory, channel=factory.SelfAttribute("..order.channel"))
    title = factory.SelfAttribute("product.title")
    quantity = 1


class RefundFactory(DjangoModelFactory[Refund]):
    class Meta:
        model = Refund

    order = factory.SubFactory(OrderFactory)
    channel = factory.SelfAttribute("order.channel")
    member = factory.SelfAttribute("order.member")
    external_no = factory.Sequence(lambda n: f"R{n:07}")
    amount = Decimal("10.00")
    at = LONG_AGO


class CouponPlanFactory(DjangoModelFactory[CouponPlan]):
    """Ten points make one yuan; ``denominations=(5, 10)`` says which coupons it offers."""

    class Meta:
        model = CouponPlan
        skip_postgeneration_save = True

    name = "Shop coupon"

    @factory.post_generation
    def denominations(self: CouponPlan, create: bool, yuan: tuple[int, ...] | None, **kwargs: Any) -> None:
        if create:
            values = (5, 10, 20) if yuan is None else yuan
            Denomination.objects.bulk_create(Denomination(plan=self, yuan=value) for value in values)


class RewardFactory(DjangoModelFactory[Reward]):
    """Goods for 100 points, a hundred pieces of them; ``stock=5`` says otherwise."""

    class Meta:
        model = Reward
        skip_postgeneration_save = True

    name = factory.Sequence(lambda n: f"Tea cup {n}")
    points = 100

    @factory.post_generation
    def stock(self: Reward, create: bool, free: int | None, **kwargs: Any) -> None:
        if create and self.counted:
            pieces = 100 if free is None else free
            Stock.objects.create(reward=self, free=pieces)
            if pieces:
                StockChange.objects.create(reward=self, pieces=pieces, reason="A delivery", at=LONG_AGO)


class AddressFactory(DjangoModelFactory[Address]):
    class Meta:
        model = Address

    member = factory.SubFactory(MemberFactory)
    recipient = "林小鹿"
    phone = "13800000001"
    region = "浙江省 杭州市 西湖区"
    street = "龙井路 1 号"
    added_at = LONG_AGO
