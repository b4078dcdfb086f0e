"""What WeChat and Weibo say of whoever comes back from them: allauth asks, what is kept of the answer is decided here.

Nothing but a name for the account and its nickname is kept. No token is, and no picture, sex or town.
"""

import logging
from collections.abc import Mapping
from typing import Any, NoReturn

from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base import ProviderException
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.weibo.provider import WeiboProvider
from allauth.socialaccount.providers.weibo.views import WeiboOAuth2Adapter
from allauth.socialaccount.providers.weixin.client import WeixinOAuth2Client
from allauth.socialaccount.providers.weixin.provider import WeixinProvider
from allauth.socialaccount.providers.weixin.views import WeixinOAuth2Adapter
from django.http import Http404, HttpRequest, HttpResponse

from crm.choices import SocialSite
from crm.social.sites import Vouched, asks_as_official_account, keys_of, official_account, website_keys
from crm.sso.judging import storable

_log = logging.getLogger(__name__)
# Where official accounts ask, and for what: nickname and unionid, after a yes of the reader.
_WITHIN_WECHAT = "https://open.weixin.qq.com/connect/oauth2/authorize"
_USERINFO = "snsapi_userinfo"
_LONGEST_UID = 120
_LONGEST_NICKNAME = 60
_LONGEST_IN_LOG = 300


class Arrived(Exception):
    """Somebody came back with an account. Raised through allauth, which would now sign up whom it does not know."""

    def __init__(self, vouched: Vouched, state: Mapping[str, Any]) -> None:
        super().__init__(vouched.site)
        self.vouched = vouched
        self.state = state


class NotVouched(Exception):
    """Somebody came back without an account: he changed his mind, the answer was forged or too old, or the site
    failed."""

    def __init__(self, *, cancelled: bool) -> None:
        super().__init__()
        self.cancelled = cancelled


def way_to(request: HttpRequest, site: SocialSite, *, connect_to: int | None, target: str) -> HttpResponse:
    """Return the way to the site's page, where he says yes. ``connect_to`` is the login that the account is to be
    connected to, None for a sign-in; ``target`` is the page of ours that he wants in the end. What he brings back is
    good in this session, once, for ten minutes."""
    provider = get_adapter(request).get_provider(request, site)
    process = AuthProcess.LOGIN if connect_to is None else AuthProcess.CONNECT
    response: HttpResponse = provider.redirect(request, process, next_url=target, data={"login": connect_to})
    return response


def come_back(request: HttpRequest, site: SocialSite) -> Arrived:
    """Ask the site who has come back from it. Raises NotVouched."""
    get_adapter(request).get_provider(request, site)
    try:
        OAuth2CallbackView.adapter_view(_SITES[site])(request)
    except Arrived as arrival:
        return arrival
    except (ValueError, TypeError, KeyError, AttributeError) as error:  # An answer in no form that is documented.
        _log.warning("sign-in by %s failed: %r", site, error)
    raise NotVouched(cancelled=False)


class SocialAdapter(DefaultSocialAccountAdapter):
    """Where allauth asks for the keys, and where it hands over what came of it. Its own sign-up, pages and table of
    applications are not used."""

    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> Any:
        site = SocialSite(provider)
        keys = keys_of(request, site)
        if not keys.whole:
            raise Http404
        app = SocialApp(provider=site.value, name=site.value, client_id=keys.key, secret=keys.secret)
        return _PROVIDERS[site](request, app=app)

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> NoReturn:
        account = sociallogin.account
        vouched = Vouched(SocialSite(account.provider), account.uid, account.extra_data["nickname"])
        raise Arrived(vouched, sociallogin.state)

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Exception | None = None,
        extra_context: Mapping[str, Any] | None = None,
    ) -> NoReturn:
        if exception is not None:
            # What the network says may have a token in it, in the address that was asked.
            told = exception if isinstance(exception, OAuth2Error | ProviderException) else type(exception).__name__
            _log.warning("sign-in by %s failed: %s", provider.id, str(told)[:_LONGEST_IN_LOG])
        # WeChat sends back whoever refuses without a code and without an error. Without a state of ours it is forged.
        refused = request.GET.get("error") == "access_denied" or not {"code", "error"} & request.GET.keys()
        raise NotVouched(cancelled=refused and bool((extra_context or {}).get("state")))


class _WeixinClient(WeixinOAuth2Client):
    def get_redirect_url(self, authorization_url: str, scope: list[str], extra_params: Mapping[str, str]) -> str:
        address: str = super().get_redirect_url(authorization_url, scope, extra_params)
        # WeChat's own browser wants to be told so; the servers never see it.
        return f"{address}#wechat_redirect" if authorization_url == _WITHIN_WECHAT else address


class WeixinSite(WeixinOAuth2Adapter):
    """WeChat's website applications, and within WeChat its official accounts, which differ in keys, address and scope.
    An account's ``unionid`` is the same in all applications of a shop; where there is none, its ``openid`` is its name.
    """

    client_class = _WeixinClient

    @property
    def authorize_url(self) -> str:
        if asks_as_official_account(self.request, SocialSite.WEIXIN):
            return _WITHIN_WECHAT
        address: str = super().authorize_url
        return address

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> Any:
        said = kwargs["response"]
        if said.get("is_snapshotuser"):
            raise ProviderException("WeChat shows a snapshot of the page, to nobody in particular.")
        answer = _ask(self.profile_url, access_token=token.token, openid=_text(said, "openid"))
        if _text(answer, "openid") != _text(said, "openid"):
            raise ProviderException("The answer is about somebody else.")
        if not answer.get("unionid") and website_keys(SocialSite.WEIXIN).whole and official_account().whole:
            _log.warning("WeChat tells no unionid: bind website application and official account to one open platform")
        return _login_of(self, request, answer.get("unionid") or answer["openid"], answer.get("nickname"))


class WeiboSite(WeiboOAuth2Adapter):
    """Weibo's websites."""

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> Any:
        uid = _text(kwargs["response"], "uid")
        answer = _ask(self.profile_url, access_token=token.token, uid=uid)
        if _text(answer, "idstr") != uid:
            raise ProviderException("The answer is about somebody else.")
        return _login_of(self, request, uid, answer.get("screen_name"))


class _Weixin(WeixinProvider):
    oauth2_adapter_class = WeixinSite

    def get_default_scope(self) -> list[str]:
        return [_USERINFO if asks_as_official_account(self.request, SocialSite.WEIXIN) else "snsapi_login"]

    def extract_uid(self, data: Mapping[str, str]) -> str:
        return data["uid"]

    def extract_extra_data(self, data: Mapping[str, str]) -> dict[str, str]:
        return {"nickname": data["nickname"]}

    def extract_common_fields(self, data: Mapping[str, str]) -> dict[str, str]:
        return {}


class _Weibo(WeiboProvider):
    oauth2_adapter_class = WeiboSite

    extract_uid = _Weixin.extract_uid
    extract_extra_data = _Weixin.extract_extra_data
    extract_common_fields = _Weixin.extract_common_fields


_SITES = {SocialSite.WEIXIN: WeixinSite, SocialSite.WEIBO: WeiboSite}
_PROVIDERS = {SocialSite.WEIXIN: _Weixin, SocialSite.WEIBO: _Weibo}


def _ask(address: str, **asked: str) -> Mapping[str, Any]:
    """Return a site's answer, an object. Raises ProviderException, or what ``requests`` raises of the network."""
    with get_adapter().get_requests_session() as session:
        response = session.get(address, params=asked)
        response.raise_for_status()
        answer = response.json()
    if not isinstance(answer, dict):
        raise ProviderException("The answer is no object.")
    return answer


def _login_of(site: Any, request: HttpRequest, uid: object, nickname: object) -> Any:
    checked = _text({"uid": uid}, "uid")
    shown = nickname[:_LONGEST_NICKNAME] if isinstance(nickname, str) and storable(nickname) else ""
    return site.get_provider().sociallogin_from_response(request, {"uid": checked, "nickname": shown})


def _text(said: Mapping[str, object], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_UID or not storable(value):
        raise ProviderException(f"The answer has no {name}.")
    return value
