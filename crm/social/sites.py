"""The sites with whose accounts buyers can sign in, as far as the shop has keys for them."""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest

from crm.choices import SocialSite


@dataclass(frozen=True, slots=True)
class Keys:
    """What a site knows the shop by."""

    key: str
    secret: str

    @property
    def whole(self) -> bool:
        """Whether both are set."""
        return bool(self.key and self.secret)


@dataclass(frozen=True, slots=True)
class Vouched:
    """An account that a site vouches for: the site's own name for it, which never changes, and the nickname of today,
    which proves nothing and may be ""."""

    site: SocialSite
    uid: str
    nickname: str


def website_keys(site: SocialSite) -> Keys:
    """Return the shop's keys for a site in any browser; both are "" where it has none."""
    match site:
        case SocialSite.WEIXIN:
            return Keys(settings.WEIXIN_KEY, settings.WEIXIN_SECRET)
        case SocialSite.WEIBO:
            return Keys(settings.WEIBO_KEY, settings.WEIBO_SECRET)


def official_account() -> Keys:
    """Return the keys of the shop's official account at WeChat (公众号), which asks within WeChat's own browser; both
    are "" where it has none."""
    return Keys(settings.WEIXIN_MP_KEY, settings.WEIXIN_MP_SECRET)


def within_wechat(request: HttpRequest) -> bool:
    """Whether a page is read in WeChat's own browser, on a phone or a computer. WeCom has the same name in its own, but
    official accounts are not at home there."""
    agent = request.headers.get("User-Agent", "").lower()
    return "micromessenger" in agent and "wxwork" not in agent


def asks_as_official_account(request: HttpRequest, site: SocialSite) -> bool:
    """Whether the site asks in the name of the official account: where the page of website applications would show a
    code that only another phone can scan."""
    return site is SocialSite.WEIXIN and official_account().whole and within_wechat(request)


def keys_of(request: HttpRequest, site: SocialSite) -> Keys:
    """Return the keys by which the site knows the shop in this browser."""
    return official_account() if asks_as_official_account(request, site) else website_keys(site)


def open_sites(request: HttpRequest) -> list[SocialSite]:
    """Return the sites that buyers can sign in with in this browser. One with half a pair of keys is not among them."""
    return [site for site in SocialSite if keys_of(request, site).whole]


def known_sites() -> list[SocialSite]:
    """Return the sites whose accounts can be connected in some browser."""
    return [
        site
        for site in SocialSite
        if website_keys(site).whole or (site is SocialSite.WEIXIN and official_account().whole)
    ]
