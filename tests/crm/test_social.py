"""Signing in with a WeChat or Weibo account that was connected before."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import time_machine
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.conf import LazySettings
from django.core import mail
from django.test import Client

from crm.choices import SsoAlgorithm
from crm.models import Member, StaffAction, User
from crm.sso.keys import make_key
from crm.sso.logins import login_of_member
from tests.factories import MemberFactory, StaffFactory

LEAVE = "/account/weixin/login/"
BACK = "/account/weixin/login/callback/"
SIGN_IN = "/account/login/code/"
CONNECT = "/me/connect/"
DEVICES = "/me/devices/"
TOKEN = "https://api.weixin.qq.com/sns/oauth2/access_token"
PROFILE = "https://api.weixin.qq.com/sns/userinfo"
WEIBO_TOKEN = "https://api.weibo.com/oauth2/access_token"
WEIBO_PROFILE = "https://api.weibo.com/2/users/show.json"


class Sites:
    """The servers of WeChat and Weibo: what they answer, and what they were asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, str]] = []
        self.know("openid-1", "union-1", "小鹿🦌")

    def know(self, openid: str, unionid: str, nickname: str) -> None:
        """Let whoever comes next be this one."""
        self.answers[TOKEN] = {"access_token": "at-1", "expires_in": 7200, "openid": openid, "unionid": unionid}
        self.answers[PROFILE] = {"openid": openid, "unionid": unionid, "nickname": nickname, "city": "Hangzhou"}
        self.answers[WEIBO_TOKEN] = {"access_token": "at-2", "expires_in": 7200, "uid": openid}
        self.answers[WEIBO_PROFILE] = {"id": 1, "idstr": openid, "screen_name": nickname}

    def request(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        self.asked.append((method, url))
        answer = self.answers[url]
        if isinstance(answer, Exception):
            raise answer
        response = requests.Response()
        response.status_code, response.url = 200, url
        response.headers["content-type"] = "text/plain"
        response._content = answer if isinstance(answer, bytes) else json.dumps(answer, ensure_ascii=False).encode()
        return response


@pytest.fixture(autouse=True)
def clock(at: datetime, settings: LazySettings) -> Iterator[None]:
    settings.WEIXIN_KEY, settings.WEIXIN_SECRET = "wx01", "hush"
    settings.WEIBO_KEY, settings.WEIBO_SECRET = "wb01", "hush"
    settings.WEIXIN_MP_KEY = settings.WEIXIN_MP_SECRET = ""
    with time_machine.travel(at, tick=False):
        yield


@pytest.fixture(autouse=True)
def sites(monkeypatch: pytest.MonkeyPatch) -> Sites:
    sites = Sites()
    monkeypatch.setattr("requests.Session.request", sites.request)
    return sites


@pytest.fixture
def phone(db: None) -> Client:
    return Client(headers={"accept-language": "en"})


def go(client: Client, leave: str = LEAVE) -> str:
    """Go to the site; returns the state that it sends back with the buyer."""
    sent = urlsplit(client.get(leave)["Location"])
    return parse_qs(sent.query)["state"][0]


def come(client: Client, leave: str = LEAVE) -> Any:
    """Go to the site, say yes there, and come back."""
    back = leave.partition("?")[0] + "callback/"
    return client.get(back, {"state": go(client, leave), "code": "c-1"})


def by_code(client: Client, then: str = "") -> Any:
    """Sign 林小鹿 in as she does herself."""
    client.post(SIGN_IN, {"email": "xiaolu@example.com", "next": then})
    found = re.search(r"\b\d{4}-\d{4}\b", str(mail.outbox[-1].body))
    assert found is not None
    return client.post("/account/login/code/confirm/", {"code": found.group(), "next": then})


def signed_in(client: Client) -> int | None:
    login = client.session.get("_auth_user_id")
    return int(login) if login else None


def login_pk(member: Member) -> int:
    return login_of_member(member.pk, member.joined_at).pk


def enter(client: Client, member: Member) -> None:
    """Sign him in without a code."""
    client.force_login(login_of_member(member.pk, member.joined_at), "django.contrib.auth.backends.ModelBackend")


@pytest.fixture
def linked(xiaolu: Member) -> Member:
    """林小鹿, who has connected her WeChat account."""
    xiaolu.user = login_of_member(xiaolu.pk, xiaolu.joined_at)
    SocialAccount.objects.create(user=xiaolu.user, provider="weixin", uid="union-1", extra_data={"nickname": "小鹿"})
    return xiaolu


def test_the_way_to_wechat_names_the_shop_and_where_to_come_back(phone: Client) -> None:
    sent = urlsplit(phone.get(LEAVE)["Location"])

    asked = {name: values[0] for name, values in parse_qs(sent.query).items()}
    assert f"{sent.scheme}://{sent.netloc}{sent.path}" == "https://open.weixin.qq.com/connect/qrconnect"
    assert len(asked.pop("state")) >= 16
    assert asked == {
        "appid": "wx01",
        "redirect_uri": f"http://testserver{BACK}",
        "scope": "snsapi_login",
        "response_type": "code",
    }


def test_a_connected_account_signs_in_and_leads_to_the_page_that_was_wanted(phone: Client, linked: Member) -> None:
    answer = come(phone, f"{LEAVE}?next=/history/")

    assert answer["Location"] == "/history/"
    assert signed_in(phone) == login_pk(linked)


def test_weibo_signs_in_as_well(phone: Client, linked: Member) -> None:
    SocialAccount.objects.create(user=linked.user, provider="weibo", uid="openid-1")

    assert come(phone, "/account/weibo/login/")["Location"] == "/"
    assert signed_in(phone) == login_pk(linked)


def test_it_is_no_proof_such_as_a_code_is(phone: Client, linked: Member) -> None:
    come(phone)

    assert "proven" not in phone.session
    assert phone.session["began"]


def test_an_account_that_nobody_has_connected_makes_no_member_and_no_login(phone: Client, xiaolu: Member) -> None:
    answer = come(phone, f"{LEAVE}?next=/history/")

    assert answer["Location"] == f"{SIGN_IN}?next=%2Fme%2Fconnect%2F%3Fnext%3D%252Fhistory%252F"
    assert "This WeChat account is not connected yet." in phone.get(answer["Location"]).content.decode()
    assert not User.objects.exists()
    assert not SocialAccount.objects.exists()
    assert Member.objects.count() == 1


def test_after_a_code_and_a_yes_it_is_connected_and_the_code_is_not_needed_again(phone: Client, xiaolu: Member) -> None:
    come(phone, f"{LEAVE}?next=/history/")
    confirm = by_code(phone, f"{CONNECT}?next=/history/")["Location"]
    assert confirm == f"{CONNECT}?next=/history/"
    page = phone.get(confirm).content.decode()
    assert "小鹿🦌" in page
    assert "林小鹿" in page
    assert not SocialAccount.objects.exists()

    answer = phone.post(CONNECT, {"next": "/history/"})

    assert answer["Location"] == "/history/"
    [account] = SocialAccount.objects.all()
    assert (account.provider, account.uid, account.extra_data) == ("weixin", "union-1", {"nickname": "小鹿🦌"})
    assert not SocialToken.objects.exists()
    assert StaffAction.objects.get(action="member.connect").details == {"site": "weixin"}
    another = Client()
    come(another)
    assert signed_in(another) == login_pk(xiaolu)


def test_whoever_says_no_leaves_nothing_behind(phone: Client, xiaolu: Member) -> None:
    come(phone)
    by_code(phone, CONNECT)

    assert phone.post(CONNECT, {"no": "1"})["Location"] == DEVICES
    assert phone.get(CONNECT)["Location"] == DEVICES
    assert not SocialAccount.objects.exists()


def test_an_account_waits_for_ten_minutes(phone: Client, xiaolu: Member, at: datetime) -> None:
    come(phone)
    by_code(phone, CONNECT)

    with time_machine.travel(at + timedelta(minutes=10), tick=False):
        assert phone.post(CONNECT)["Location"] == DEVICES
    assert not SocialAccount.objects.exists()


def test_connecting_asks_for_a_fresh_code(phone: Client, xiaolu: Member, at: datetime) -> None:
    by_code(phone)

    with time_machine.travel(at + timedelta(minutes=16), tick=False):
        assert come(phone, f"{LEAVE}?connect")["Location"] == CONNECT
        assert phone.post(CONNECT)["Location"].startswith("/me/code/")
    assert not SocialAccount.objects.exists()


def test_an_account_of_another_buyer_is_not_moved(phone: Client, linked: Member, dayong: Member) -> None:
    stranger = Client(headers={"accept-language": "en"})
    enter(stranger, dayong)

    page = stranger.get(come(stranger, f"{LEAVE}?connect")["Location"]).content.decode()

    assert "This WeChat account opens another buyer" in page
    assert "林小鹿" not in page
    assert SocialAccount.objects.get().user == linked.user
    assert signed_in(stranger) != login_pk(linked)


def test_an_account_that_was_connected_elsewhere_meanwhile_is_not_moved(
    phone: Client, xiaolu: Member, dayong: Member
) -> None:
    come(phone)
    by_code(phone, CONNECT)
    other = login_of_member(dayong.pk, dayong.joined_at)
    SocialAccount.objects.create(user=other, provider="weixin", uid="union-1")

    assert "opens another buyer" in phone.post(CONNECT, follow=True).content.decode()
    assert SocialAccount.objects.get().user == other


def test_a_login_has_one_account_of_a_site(phone: Client, linked: Member, sites: Sites, at: datetime) -> None:
    enter(phone, linked)
    sites.know("openid-2", "union-2", "second")
    session = phone.session
    session["proven"] = int(at.timestamp())
    session.save()
    come(phone, f"{LEAVE}?connect")

    assert "Another WeChat account is connected." in phone.post(CONNECT, follow=True).content.decode()
    assert SocialAccount.objects.count() == 1


def test_what_one_buyer_fetched_is_not_connected_to_another(phone: Client, xiaolu: Member, dayong: Member) -> None:
    by_code(phone)
    state = go(phone, f"{LEAVE}?connect")
    kept = dict(phone.session)["socialaccount_states"]
    enter(phone, dayong)
    session = phone.session
    session["socialaccount_states"] = kept
    session.save()

    answer = phone.get(BACK, {"state": state, "code": "c-1"}, follow=True)

    assert "Somebody else signed in meanwhile." in answer.content.decode()
    assert phone.get(CONNECT)["Location"] == DEVICES


def test_whoever_refuses_is_told_that_nothing_happened(phone: Client, linked: Member, sites: Sites) -> None:
    for told in ({"error": "access_denied"}, {}):
        answer = phone.get(BACK, {"state": go(phone), **told}, follow=True)
        assert "You have not signed in with WeChat." in answer.content.decode()
    assert not sites.asked
    assert signed_in(phone) is None


def test_an_answer_with_a_state_of_another_browser_is_refused(phone: Client, linked: Member, sites: Sites) -> None:
    state = go(Client())

    for forged in (state, "made-up", ""):
        answer = phone.get(BACK, {"state": forged, "code": "c-1"}, follow=True)
        assert "WeChat did not tell us who you are." in answer.content.decode()
    assert not sites.asked
    assert signed_in(phone) is None


def test_a_state_of_the_other_site_is_refused(phone: Client, linked: Member, sites: Sites) -> None:
    phone.get("/account/weibo/login/callback/", {"state": go(phone), "code": "c-1"})

    assert not sites.asked
    assert signed_in(phone) is None


def test_an_answer_is_good_once(phone: Client, linked: Member, sites: Sites) -> None:
    state = go(phone)
    phone.get(BACK, {"state": state, "code": "c-1"})
    phone.post("/account/logout/")
    asked = len(sites.asked)

    phone.get(BACK, {"state": state, "code": "c-1"})

    assert len(sites.asked) == asked
    assert signed_in(phone) is None


def test_an_answer_that_comes_too_late_is_refused(phone: Client, linked: Member, sites: Sites, at: datetime) -> None:
    state = go(phone)

    with time_machine.travel(at + timedelta(seconds=601), tick=False):
        phone.get(BACK, {"state": state, "code": "c-1"})
    assert not sites.asked


BAD = {
    "a code that was used": (TOKEN, {"errcode": 40163, "errmsg": "code been used"}),
    "no JSON": (TOKEN, b"<html>"),
    "a list": (TOKEN, [1]),
    "a number": (TOKEN, 1),
    "a token for nobody": (TOKEN, {"access_token": "at-1"}),
    "a life that is no number": (TOKEN, {"access_token": "at-1", "openid": "o", "expires_in": "soon"}),
    "an error instead of the profile": (PROFILE, {"errcode": 40001, "errmsg": "invalid credential"}),
    "the profile of another": (PROFILE, {"openid": "openid-9", "unionid": "union-1"}),
    "a name that is no text": (PROFILE, {"openid": "openid-1", "unionid": 7}),
    "a name that no database keeps": (PROFILE, {"openid": "openid-1", "unionid": "union\0"}),
    "a name without end": (PROFILE, {"openid": "openid-1", "unionid": "u" * 400}),
    "a profile that is no object": (PROFILE, []),
    "no connection": (PROFILE, requests.ConnectionError("https://api.weixin.qq.com/?access_token=at-1")),
    "no answer in time": (TOKEN, requests.Timeout()),
}


@pytest.mark.parametrize("name", BAD)
def test_whatever_a_site_answers_nobody_gets_in_by_it(
    name: str, phone: Client, linked: Member, sites: Sites, caplog: pytest.LogCaptureFixture
) -> None:
    address, sites.answers[address] = BAD[name]

    answer = phone.get(come(phone)["Location"])

    assert "WeChat did not tell us who you are. Please try once more, or use a code." in answer.content.decode()
    assert signed_in(phone) is None
    assert "sign-in by weixin failed" in caplog.text
    assert "at-1" not in caplog.text


def test_a_weibo_answer_about_another_is_refused(phone: Client, linked: Member, sites: Sites) -> None:
    SocialAccount.objects.create(user=linked.user, provider="weibo", uid="openid-1")
    sites.answers[WEIBO_PROFILE] = {"idstr": "openid-2"}

    come(phone, "/account/weibo/login/")

    assert signed_in(phone) is None


def test_without_a_unionid_the_openid_is_the_name(phone: Client, linked: Member, sites: Sites) -> None:
    SocialAccount.objects.update(uid="openid-1")
    del sites.answers[PROFILE]["unionid"]

    come(phone)

    assert signed_in(phone) == login_pk(linked)


@pytest.mark.parametrize("change", [{"is_staff": True}, {"is_active": False}])
def test_a_closed_login_and_one_of_staff_are_not_opened(change: dict[str, bool], phone: Client, linked: Member) -> None:
    User.objects.update(**change)

    answer = phone.get(come(phone)["Location"])

    assert "This login has been closed." in answer.content.decode()
    assert signed_in(phone) is None


def test_no_page_of_another_site_sets_it_off(phone: Client) -> None:
    answer = phone.get(LEAVE, headers={"Sec-Fetch-Site": "cross-site"})

    assert answer["Location"] == SIGN_IN


def test_nobody_is_sent_to_a_foreign_site(phone: Client, linked: Member) -> None:
    assert come(phone, f"{LEAVE}?next=https://evil.example/")["Location"] == "/"


def test_a_network_goes_twenty_times_a_minute(phone: Client) -> None:
    answers = [phone.get(LEAVE).status_code for _try in range(21)]

    assert answers == [302] * 20 + [429]


@pytest.mark.parametrize("lacking", ["WEIXIN_KEY", "WEIXIN_SECRET"])
def test_without_both_keys_nothing_is_shown_or_there(lacking: str, phone: Client, settings: LazySettings) -> None:
    assert LEAVE in phone.get(SIGN_IN).content.decode()
    assert LEAVE in phone.get("/").content.decode()
    setattr(settings, lacking, "")

    assert LEAVE not in phone.get(SIGN_IN).content.decode()
    assert LEAVE not in phone.get("/").content.decode()
    assert phone.get(LEAVE).status_code == 404
    assert phone.get(BACK).status_code == 404


@pytest.mark.parametrize("path", ["/account/3rdparty/", "/account/3rdparty/signup/", "/account/social/signup/"])
def test_allauths_own_pages_are_not_there(path: str, phone: Client) -> None:
    assert phone.get(path).status_code == 404


def test_the_button_keeps_the_page_that_was_wanted(phone: Client) -> None:
    page = phone.get(f"{SIGN_IN}?next=/history/%3Fbefore=7").content.decode()

    assert f'href="{LEAVE}?next=%2Fhistory%2F%3Fbefore%3D7"' in page


def test_the_devices_page_lists_what_is_connected_and_disconnects_it(phone: Client, linked: Member) -> None:
    enter(phone, linked)
    page = phone.get(DEVICES).content.decode()
    assert "小鹿 ·" in page
    assert 'href="/account/weibo/login/?connect"' in page

    answer = phone.post(f"/me/connected/{SocialAccount.objects.get().pk}/disconnect/", follow=True)

    assert "Disconnected." in answer.content.decode()
    assert not SocialAccount.objects.exists()
    assert StaffAction.objects.get(action="member.disconnect").details == {"site": "weixin"}


def test_nobody_disconnects_an_account_of_somebody_else(phone: Client, linked: Member, dayong: Member) -> None:
    enter(phone, dayong)

    phone.post(f"/me/connected/{SocialAccount.objects.get().pk}/disconnect/")

    assert SocialAccount.objects.exists()


@pytest.mark.parametrize("way", ["none", "mail", "shared mail", "phone", "shop"])
def test_the_last_way_in_is_not_taken(way: str, phone: Client, linked: Member, settings: LazySettings) -> None:
    enter(phone, linked)
    Member.objects.filter(pk=linked.pk).update(email="xiaolu@example.com" if "mail" in way else "")
    if way == "shared mail":
        MemberFactory(email="xiaolu@example.com")
    settings.SMS_URL = "console:" if way == "phone" else ""
    if way == "shop":
        shop, staff = linked.identities.get().channel_id, StaffFactory().pk
        make_key(channel_id=shop, name="Shop", algorithm=SsoAlgorithm.HS256, actor_id=staff, at=linked.joined_at)

    answer = phone.post(f"/me/connected/{SocialAccount.objects.get().pk}/disconnect/", follow=True)

    last = way in ("none", "shared mail")
    assert ("It is your only way in" in answer.content.decode()) == last
    assert SocialAccount.objects.exists() == last


IN_WECHAT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "MicroMessenger/8.0.44(0x18002c2b) NetType/WIFI Language/zh_CN"
)
IN_WECOM = IN_WECHAT.replace("MicroMessenger/", "wxwork/4.1.0 MicroMessenger/")


@pytest.fixture
def official(settings: LazySettings) -> None:
    """The shop has an official account."""
    settings.WEIXIN_MP_KEY, settings.WEIXIN_MP_SECRET = "wx-mp", "hush-mp"


def within(agent: str = IN_WECHAT) -> Client:
    return Client(headers={"accept-language": "en", "user-agent": agent})


@pytest.mark.django_db
class TestWithinWeChat:
    def test_the_official_account_asks_there(self, official: None) -> None:
        address = within().get(LEAVE)["Location"]

        sent = urlsplit(address)
        asked = {name: values[0] for name, values in parse_qs(sent.query).items()}
        assert f"{sent.scheme}://{sent.netloc}{sent.path}" == "https://open.weixin.qq.com/connect/oauth2/authorize"
        assert sent.fragment == "wechat_redirect"
        assert list(asked) == ["appid", "redirect_uri", "response_type", "scope", "state"]  # WeChat minds the order.
        assert (asked["appid"], asked["scope"]) == ("wx-mp", "snsapi_userinfo")
        assert asked["redirect_uri"] == f"http://testserver{BACK}"

    def test_it_is_asked_with_its_own_keys_who_came(
        self, official: None, linked: Member, sites: Sites, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[Any] = []

        def request(session: object, method: str, url: str, **kwargs: Any) -> requests.Response:
            asked.append(kwargs.get("data"))
            return sites.request(method, url, **kwargs)

        monkeypatch.setattr("requests.Session.request", request)
        client = within()

        assert come(client, f"{LEAVE}?next=/history/")["Location"] == "/history/"

        assert (asked[0]["appid"], asked[0]["secret"]) == ("wx-mp", "hush-mp")
        assert signed_in(client) == login_pk(linked)

    def test_the_unionid_makes_both_one_account(self, official: None, linked: Member, sites: Sites) -> None:
        """She connected on her computer, where her openid is another one."""
        sites.know("openid-of-the-official-account", "union-1", "小鹿🦌")
        client = within()

        come(client)

        assert signed_in(client) == login_pk(linked)

    def test_without_a_unionid_the_log_says_what_to_bind(
        self, official: None, linked: Member, sites: Sites, caplog: pytest.LogCaptureFixture
    ) -> None:
        sites.know("openid-2", "", "小鹿🦌")

        come(within())

        assert "bind website application and official account" in caplog.text

    @pytest.mark.parametrize("agent", ["", "Mozilla/5.0 Chrome/126.0", IN_WECOM])
    def test_elsewhere_it_is_as_without_one(self, agent: str, official: None) -> None:
        assert "connect/qrconnect?appid=wx01" in within(agent).get(LEAVE)["Location"]

    @pytest.mark.parametrize("lacking", ["WEIXIN_MP_KEY", "WEIXIN_MP_SECRET"])
    def test_with_half_its_keys_it_is_as_without_one(
        self, lacking: str, official: None, settings: LazySettings
    ) -> None:
        setattr(settings, lacking, "")

        assert "connect/qrconnect?appid=wx01" in within().get(LEAVE)["Location"]

    def test_an_official_account_alone_is_offered_within_wechat_only(
        self, official: None, settings: LazySettings, linked: Member
    ) -> None:
        settings.WEIXIN_KEY = settings.WEIXIN_SECRET = ""
        inside, outside = within(), within("Mozilla/5.0 Chrome/126.0")

        assert LEAVE in inside.get(SIGN_IN).content.decode()
        assert LEAVE not in outside.get(SIGN_IN).content.decode()
        assert (outside.get(LEAVE).status_code, outside.get(BACK).status_code) == (404, 404)
        enter(outside, linked)
        page = outside.get(DEVICES).content.decode()
        assert "小鹿 ·" in page
        SocialAccount.objects.all().delete()
        assert 'href="/account/weixin/login/?connect"' not in outside.get(DEVICES).content.decode()

    def test_a_snapshot_of_the_page_signs_nobody_in(self, official: None, linked: Member, sites: Sites) -> None:
        sites.answers[TOKEN]["is_snapshotuser"] = 1
        client = within()

        come(client)

        assert signed_in(client) is None

    def test_a_new_account_waits_for_a_code_as_everywhere(self, official: None, xiaolu: Member) -> None:
        client = within()
        come(client, f"{LEAVE}?next=/history/")
        by_code(client, CONNECT)
        client.post(CONNECT)

        [account] = SocialAccount.objects.all()
        assert (account.provider, account.uid) == ("weixin", "union-1")
