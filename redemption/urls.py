"""Where the buyer's pages are."""

from django.urls import path

from redemption.views import campaign, checkin, coupons, me, points, profile, referral

app_name = "redemption"

urlpatterns = [
    path("", points.home, name="home"),
    path("history/", points.history, name="history"),
    path("claim/", points.claim, name="claim"),
    path("sign-in/", checkin.calendar, name="checkin"),
    path("sign-in/today/", checkin.check_in, name="check_in"),
    path("me/", me.me, name="me"),
    path("profile/", profile.profile, name="profile"),
    path("code/", campaign.campaign, name="campaign"),
    path("referral/", referral.promoter, name="referral"),
    path("referral/link/", referral.new_link, name="referral_link"),
    path("r/<str:token>/", referral.landing, name="landing"),
    path("coupons/", coupons.store, name="store"),
    path("coupons/mine/", coupons.mine, name="coupons"),
    path("coupons/mine/<int:pk>/", coupons.coupon, name="coupon"),
    path("coupons/<int:plan_id>/<int:yuan>/", coupons.confirm, name="confirm"),
]
