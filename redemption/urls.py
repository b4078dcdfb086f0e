"""Where the buyer's pages are."""

from django.urls import path, register_converter

from redemption.views import (
    addresses,
    campaign,
    checkin,
    connections,
    coupons,
    devices,
    embed_spending,
    embeds,
    fresh_code,
    me,
    no_points,
    own_data,
    payments,
    pictures,
    points,
    preferences,
    product,
    profile,
    redemptions,
    referral,
    rewards,
    statements,
    tier,
)

app_name = "redemption"


class EmbedKey:
    """The public key of an embed, as ``new_public_key`` makes it."""

    regex = "em_[0-9a-f]{16}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class PictureName:
    """The name of a reward's picture: a SHA-256 of what it shows."""

    regex = "[0-9a-f]{64}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(EmbedKey, "embed")
register_converter(PictureName, "picture")

urlpatterns = [
    path("payments/redemptions/", payments.payments, name="payment_call"),
    path("", points.home, name="home"),
    path("history/", points.history, name="history"),
    path("history/without-points/", no_points.no_points, name="no_points"),
    path("claim/", points.claim, name="claim"),
    path("sign-in/", checkin.calendar, name="checkin"),
    path("sign-in/today/", checkin.check_in, name="check_in"),
    path("tier/", tier.tier, name="tier"),
    path("tier/<int:offer_id>/", tier.claim, name="claim_tier"),
    path("me/", me.me, name="me"),
    path("me/preferences/", preferences.preferences, name="preferences"),
    path("me/statement/", statements.statement, name="statement"),
    path("me/statement/file/", statements.download, name="statement_file"),
    path("me/data/", own_data.own_data, name="own_data"),
    path("me/data/file/", own_data.made_file, name="own_data_file"),
    path("me/erase/", own_data.erase, name="erase"),
    path("erased/", own_data.erased, name="erased"),
    path("me/devices/", devices.devices, name="devices"),
    path("me/devices/others/sign-out/", devices.sign_out_all, name="sign_out_others"),
    path("me/devices/<int:number>/sign-out/", devices.sign_out, name="sign_out_device"),
    path("me/connect/", connections.connect, name="connect"),
    path("me/connected/<int:pk>/disconnect/", connections.disconnect, name="disconnect"),
    path("me/code/", fresh_code.fresh_code, name="fresh_code"),
    path("profile/", profile.profile, name="profile"),
    path("code/", campaign.campaign, name="campaign"),
    path("referral/", referral.promoter, name="referral"),
    path("referral/link/", referral.new_link, name="referral_link"),
    path("r/<str:token>/", referral.landing, name="landing"),
    path("p/<int:product_id>/", product.product, name="product"),
    path("coupons/", coupons.store, name="store"),
    path("coupons/mine/", coupons.mine, name="coupons"),
    path("coupons/mine/<int:pk>/", coupons.coupon, name="coupon"),
    path("coupons/<int:plan_id>/", coupons.amount, name="amount"),
    path("coupons/<int:plan_id>/<int:yuan>/", coupons.confirm, name="confirm"),
    path("rewards/", rewards.store, name="rewards"),
    path("rewards/<int:pk>/", rewards.reward, name="reward"),
    path("rewards/<int:pk>/take/", rewards.confirm, name="reward_confirm"),
    path("rewards/mine/", redemptions.mine, name="redemptions"),
    path("rewards/mine/<int:pk>/", redemptions.redemption, name="redemption"),
    path("rewards/mine/<int:pk>/cancel/", redemptions.cancel, name="redemption_cancel"),
    path("rewards/mine/<int:pk>/received/", redemptions.received, name="redemption_received"),
    path("addresses/", addresses.addresses, name="addresses"),
    path("addresses/add/", addresses.add, name="address_add"),
    path("addresses/<int:pk>/", addresses.edit, name="address"),
    path("addresses/<int:pk>/remove/", addresses.remove, name="address_remove"),
    path("rewards/pictures/<picture:name>-<int:width>.webp", pictures.picture, name="picture"),
    path("embed.js", embeds.loader, name="embed_loader"),
    path("embed/<embed:key>/", embeds.show, name="embed"),
    path("embed/<embed:key>/session/", embeds.begin, name="embed_session"),
    path("embed/<embed:key>/content/", embeds.member_content, name="embed_content"),
    path("embed/<embed:key>/check-in/", embeds.check_in, name="embed_check_in"),
    path("embed/<embed:key>/tier/<int:offer_id>/", embeds.claim, name="embed_claim"),
    path("embed/<embed:key>/coupon/<int:plan_id>/<int:yuan>/", embed_spending.coupon, name="embed_coupon"),
    path("embed/<embed:key>/reward/<int:pk>/", embed_spending.reward, name="embed_reward"),
    path("embed/<embed:key>/reward/<int:pk>/address/", embed_spending.reward_address, name="embed_reward_address"),
]
