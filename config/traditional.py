"""Makes the traditional Chinese catalogue out of the simplified one, so that it is always complete.

``make messages`` runs it. OpenCC turns characters and words into those of Taiwan; ``locale/traditional.txt`` says what
is said differently here. Libraries that speak simplified Chinese only are translated along. What comes out is never
edited by hand: whoever is not content with a word mends the simplified one or the list.
"""

import re
import sys
from pathlib import Path

import import_export
from babel.messages import Catalog
from babel.messages.pofile import read_po, write_po
from opencc import OpenCC

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "locale/zh_Hans/LC_MESSAGES/django.po"
RESULT = ROOT / "locale/zh_Hant/LC_MESSAGES/django.po"
WORDS = ROOT / "locale/traditional.txt"
# Libraries with people's words in simplified Chinese, but not in traditional.
LIBRARIES = (Path(import_export.__file__).parent / "locale/zh_Hans/LC_MESSAGES/django.po",)
# Nothing in it changes with the day, so that the same words give the same file.
HEADER = """# Traditional Chinese, derived from zh_Hans by `make messages`. Do not edit: see config/traditional.py.
msgid ""
msgstr ""
"Project-Id-Version: pointkeeper\\n"
"Language: zh_Hant\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

"""


class Converter:
    """Turns simplified Chinese into what is said in Taiwan."""

    def __init__(self) -> None:
        self._opencc = OpenCC("s2twp")
        lines = WORDS.read_text(encoding="utf-8").splitlines()
        pairs = [line.split(" ", 1) for line in lines if line and not line.startswith("#")]
        self._words = dict(pairs)
        self._pattern = re.compile("|".join(sorted(map(re.escape, self._words), key=len, reverse=True)))

    def convert(self, text: str) -> str:
        """Return a text in traditional Chinese; Latin letters, figures and placeholders stay."""
        converted: str = self._opencc.convert(text)
        return self._pattern.sub(lambda found: self._words[found.group()], converted)


def derive() -> Catalog:
    """Return the traditional catalogue: our own messages, then those of the libraries that we do not say ourselves."""
    converter = Converter()
    result = Catalog(locale="zh_Hant", fuzzy=False)
    for path in (SOURCE, *LIBRARIES):
        with path.open("rb") as file:
            source = read_po(file, locale="zh_Hans")
        for message in source:
            if not message.id or message.fuzzy or result.get(message.id, message.context):
                continue
            told = message.string or ""
            forms = converter.convert(told) if isinstance(told, str) else tuple(map(converter.convert, told))
            if any(forms):
                flags = [flag for flag in message.flags if flag.endswith("-format")]
                result.add(message.id, forms, context=message.context, flags=flags)
    return result


def main() -> None:
    """Write the catalogue."""
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    catalogue = derive()
    with RESULT.open("wb") as file:
        file.write(HEADER.encode())
        write_po(file, catalogue, width=120, no_location=True, omit_header=True)
    sys.stdout.write(f"{len(catalogue)} messages in traditional Chinese\n")


if __name__ == "__main__":
    main()
