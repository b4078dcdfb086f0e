"""All languages are complete: nothing is left in another one, and nothing is lost on the way between them.

The sources are searched with Babel, so that the tests need no GNU gettext; ``make messages`` does, and finds the same.
"""

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from babel.messages import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.contrib import admin
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.utils.translation.template import templatize

from config.traditional import Converter, derive
from tests.factories import StaffFactory

ROOT = Path(__file__).parent.parent
CATALOGUE = ROOT / "locale/zh_Hans/LC_MESSAGES/django.po"
TRADITIONAL = ROOT / "locale/zh_Hant/LC_MESSAGES/django.po"
TEMPLATES = ROOT / "templates"
PACKAGES = ("config", "crm", "loyalty", "redemption")
MEND = "Run `make messages`, translate what is new in locale/zh_Hans, run it again, and commit both files."

KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd%]|{\w*}|</?\w+[^>]*>")

Key = tuple[str, str]  # context and message id; the singular, where there are two

HAN = r"[\u4e00-\u9fff]"
LATIN = r"[A-Za-z0-9]"
ENGLISH = re.compile(r"[A-Za-z]{2,}")
CHINESE = re.compile(f"{HAN}+")
# Names, the shop's mark, codes of languages and a key on the keyboard: the same in both languages.
NAMES = re.compile(
    r"English|简体中文|繁體中文|中文|积分掌柜|[\w.]+@example\.com|CSV|XLSX|JSON|GB\b|LDAP|Asia/Shanghai|Shopify|WooCommerce|\bMB\b"
    r"|HS256|EdDSA|\bS?VIP\b|^\s*积\s*$|\bcsv\b|\bxlsx\b|\bzh-han[st]\b|\ben\b|\besc\b|\bstaff-\d+"
)


def key(message: Message) -> Key:
    """Tell a message from all others."""
    context: Any = message.context or ""  # Babel leaves it encoded when it reads a compiled catalogue.
    return context.decode() if isinstance(context, bytes) else context, message.id[0] if isinstance(
        message.id, (tuple, list)
    ) else message.id


def english(message: Message) -> str:
    """Return the English of a message; of two forms the second, which always names the number."""
    return message.id[-1] if isinstance(message.id, (tuple, list)) else message.id


def chinese(message: Message) -> str:
    """Return the Chinese of a message; there is one form for all numbers."""
    return "".join(message.string) if isinstance(message.string, (tuple, list)) else message.string or ""


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    """The Chinese catalogue as people edit it."""
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="zh_Hans", abort_invalid=True)


@pytest.fixture(scope="module")
def messages(catalogue: Catalog) -> list[Message]:
    """Its messages, without the header."""
    return [message for message in catalogue if message.id]


def in_sources() -> Iterator[Key]:
    """Find every message in Python files and templates."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            yield from in_source(path.read_text(encoding="utf-8"))
    for path in TEMPLATES.rglob("*"):
        if path.suffix in (".html", ".txt"):
            # What Django makes of a template is calls between filler and comments. In one line no indentation disturbs
            # the tokenizer.
            lines = templatize(path.read_text(encoding="utf-8"), origin=str(path)).splitlines()
            yield from in_source(" ".join(line.strip() for line in lines if not line.strip().startswith("#")))


def in_source(source: str) -> Iterator[Key]:
    """Find the messages in Python code."""
    for _line, found, _comments, context in extract("python", BytesIO(source.encode()), keywords=KEYWORDS):
        yield context or "", found if isinstance(found, str) else found[0]


def test_every_message_has_its_chinese(messages: list[Message]) -> None:
    assert [key(message) for message in messages if not chinese(message).strip()] == [], MEND


def test_no_translation_is_a_guess_or_left_over(catalogue: Catalog, messages: list[Message]) -> None:
    assert [key(message) for message in messages if message.fuzzy] == [], MEND
    assert list(catalogue.obsolete) == [], MEND


def test_the_catalogue_holds_what_the_sources_say_and_no_more(messages: list[Message]) -> None:
    said, known = set(in_sources()), {key(message) for message in messages}
    assert said - known == set(), MEND
    assert known - said == set(), MEND


def test_the_compiled_catalogue_is_the_one_that_people_edit(messages: list[Message]) -> None:
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled = {key(message): chinese(message) for message in read_mo(file) if message.id}
    assert compiled == {key(message): chinese(message) for message in messages}, MEND


def test_the_traditional_catalogue_says_what_is_derived_from_the_simplified_one(messages: list[Message]) -> None:
    with TRADITIONAL.open("rb") as file:
        written = {key(message): chinese(message) for message in read_po(file, locale="zh_Hant") if message.id}
    assert written == {key(message): chinese(message) for message in derive() if message.id}, "Run `make messages`."
    assert {key(message) for message in messages} <= set(written)


def test_the_compiled_traditional_catalogue_is_the_one_that_was_derived() -> None:
    with TRADITIONAL.with_suffix(".mo").open("rb") as file:
        compiled = {key(message): chinese(message) for message in read_mo(file) if message.id}
    assert compiled == {key(message): chinese(message) for message in derive() if message.id}, "Run `make messages`."


@pytest.mark.parametrize(
    ("simplified", "traditional"),
    [
        ("请输入短信验证码", "請輸入簡訊驗證碼"),
        ("退出登录", "登出"),
        ("不漏签", "不漏簽"),
        ("您的积分账户里有 %(points)s 积分", "您的積分帳戶裡有 %(points)s 積分"),
        ("还差 320 积分升级", "還差 320 積分升級"),
        ("导入“订单文件”", "匯入「訂單檔案」"),
        ("发布规则", "發布規則"),
    ],
)
def test_traditional_chinese_is_more_than_other_characters(simplified: str, traditional: str) -> None:
    assert Converter().convert(simplified) == traditional


def test_placeholders_and_tags_survive_the_translation(messages: list[Message]) -> None:
    def parts(text: str) -> Counter[str]:
        return Counter(PLACEHOLDER.findall(text))

    assert [key(message) for message in messages if parts(english(message)) != parts(chinese(message))] == []


def test_a_sentence_ends_as_a_sentence_in_both_languages(messages: list[Message]) -> None:
    ends = {".": "。", "?": "？", ":": "："}
    wrong = [
        chinese(message)
        for message in messages
        for english_end, chinese_end in ends.items()
        if english(message).endswith(english_end) and not english(message).endswith("...")
        if not chinese(message).endswith(chinese_end)
    ]
    assert wrong == []


def test_chinese_is_set_in_one_manner(messages: list[Message]) -> None:
    """Full-width punctuation, and a blank between Chinese and Latin letters or digits."""
    half_width = re.compile(f"{HAN}[,;:?!(]|{HAN}\\.(\\s|$)|\\){HAN}")
    sticking = re.compile(f"{HAN}{LATIN}|{LATIN}{HAN}")
    # Days that go by their numbers are written as the shops write them.
    texts = [re.sub("双1[12]", "", PLACEHOLDER.sub("", chinese(message))) for message in messages]
    assert [text for text in texts if half_width.search(text) or sticking.search(text)] == [
        "“”不是平台身份。请按“店铺代码:平台账号”的格式填写。",  # The colon is what has to be typed.
        "新会员需要填写平台身份，格式为“店铺代码:平台账号”。",
    ]


COUNTED = re.compile(r"{% blocktranslate\b[^%]*?\bcount \w+=(\w+)[^%]*? with ([^%]*)%}")


def test_what_is_counted_is_not_hidden_by_how_it_is_shown() -> None:
    """``count points=less with less=less|intcomma`` counts the text "1,230", and the page fails."""
    hidden = [
        (path.name, found.group())
        for path in sorted(TEMPLATES.rglob("*.html"))
        for found in COUNTED.finditer(path.read_text())
        if re.search(rf"\b{found[1]}=", found[2])
    ]

    assert not hidden


class Reader(HTMLParser):
    """Collects what a page says to people: its text, and the attributes that are shown or read out."""

    SILENT = ("script", "style", "svg", "code")
    SAID = ("alt", "aria-label", "placeholder", "title")
    VOID = ("br", "hr", "img", "input", "link", "meta", "path", "rect", "circle", "source", "wbr")

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._open: list[bool] = []  # for each open tag, whether what is in it is not said

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.said += [value for name in self.SAID if (value := values.get(name))]
        if tag not in self.VOID:
            icon = "material-symbols" in (values.get("class") or "")
            self._open.append(tag in self.SILENT or icon or (bool(self._open) and self._open[-1]))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID and self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if not (self._open and self._open[-1]):
            self.said.append(data)


def said_by(client: Client, path: str, language: str) -> list[str]:
    """Return what a page says, names taken out."""
    response = client.get(path, headers={"accept-language": language})
    assert response["Content-Language"] == language
    reader = Reader()
    reader.feed(response.content.decode())
    return [text for said in reader.said if (text := NAMES.sub("", said).strip())]


def admin_pages() -> list[str]:
    """List the address of every list and every empty form of the admin."""
    pages = [reverse("admin:index"), reverse("admin:password_change"), reverse("admin:redemption_coupon_check")]
    for model in admin.site._registry:
        for page in ("changelist", "add", "import", "export"):
            try:
                pages.append(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"))
            except NoReverseMatch:
                continue
    return pages


@pytest.mark.parametrize(("language", "other"), [("zh-hans", ENGLISH), ("zh-hant", ENGLISH), ("en", CHINESE)])
class TestPages:
    @pytest.mark.parametrize("path", ["/", "/account/login/code/", "/admin/login/", "/no-such-page/"])
    def test_a_stranger_reads_one_language(
        self, path: str, language: str, other: re.Pattern[str], client: Client, db: None
    ) -> None:
        assert [text for text in said_by(client, path, language) if other.search(text)] == []

    def test_the_staff_reads_one_language(
        self, language: str, other: re.Pattern[str], client: Client, db: None
    ) -> None:
        client.force_login(StaffFactory(is_superuser=True), backend=settings.AUTHENTICATION_BACKENDS[1])
        found = {
            page: texts
            for page in admin_pages()
            if (texts := [text for text in said_by(client, page, language) if other.search(text)])
        }
        assert found == {}
