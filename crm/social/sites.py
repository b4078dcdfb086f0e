"""The sites with whose accounts buyers can sign in, as far as the shop has keys for them."""

from dataclasses import dataclass

from django.conf import settings

from crm.choices import SocialSite


@dataclass(frozen=True, slots=True)
class Keys:
    """What a site knows the shop by."""

    key: str
    secret: str


@dataclass(frozen=True, slots=True)
class Vouched:
    """An account that a site vouches for: the site's own name for it, which never changes, and the nickname of today,
    which proves nothing and may be ""."""

    site: SocialSite
    uid: str
    nickname: str


def keys_of(site: SocialSite) -> Keys:
    """Return the shop's keys for a site; both are "" where it has none."""
    match site:
        case SocialSite.WEIXIN:
            return Keys(settings.WEIXIN_KEY, settings.WEIXIN_SECRET)
        case SocialSite.WEIBO:
            return Keys(settings.WEIBO_KEY, settings.WEIBO_SECRET)


def open_sites() -> list[SocialSite]:
    """Return the sites that buyers can sign in with. One with half a pair of keys is not among them."""
    return [site for site in SocialSite if (keys := keys_of(site)).key and keys.secret]
