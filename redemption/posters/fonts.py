"""Whether this machine has a font that can set Chinese. Without one a poster's PNG would come out without its words."""

from collections.abc import Iterable, Iterator
from pathlib import Path

# Where Linux and macOS keep fonts, and by what the files of Chinese ones are known.
FOLDERS = (
    Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path("~/.fonts"), Path("~/.local/share/fonts"),
    Path("/System/Library/Fonts"), Path("/Library/Fonts"), Path("~/Library/Fonts"),
)  # fmt: skip
_CHINESE = ("cjk", "notosanssc", "notoserifsc", "sourcehan", "wqy", "pingfang", "songti", "heiti", "stsong", "simsun",
            "simhei", "msyh", "droidsansfallback", "lxgw", "arphic", "uming", "ukai")  # fmt: skip


def chinese_font(own: Iterable[str], folders: Iterable[Path] = FOLDERS) -> Path | None:
    """Return a font file that can set Chinese: one of the seller's ``own``, or one of the machine's."""
    for path in map(Path, own):
        if path.is_file():
            return path
    return next((path for path in _files(folders) if _is_chinese(path)), None)


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        here = folder.expanduser()
        if here.is_dir():
            yield from (path for path in here.rglob("*") if path.suffix.lower() in {".ttf", ".otf", ".ttc"})


def _is_chinese(path: Path) -> bool:
    name = path.stem.lower().replace("-", "").replace("_", "").replace(" ", "")
    return any(word in name for word in _CHINESE)
