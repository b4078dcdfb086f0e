"""A badge on an item page, asked for by everybody who looks at the item: the production server against a view that does
nothing, behind the same middleware. Bodies, and answers of 304.
"""

from pathlib import Path
from statistics import median

from benchmarks.sizes import Size
from benchmarks.web import CONNECTIONS, HOME, etag, web_server, wrk

ROUNDS = 5


def run(folder: Path, size: Size) -> dict[str, float | int]:
    """Let wrk ask for the badge, for a 304 of it and for the plain view in turns; medians of the rounds."""
    key = _make_badge()
    with web_server():
        badge, plain = f"{HOME}/embed/{key}/", f"{HOME}/benchmark/plain"
        known = f"If-None-Match: {etag(badge)}"
        rounds = [(wrk(badge), wrk(badge, known), wrk(plain)) for _round in range(ROUNDS)]
    bodies, fresh, yardstick = (median(rates) for rates in zip(*rounds, strict=True))
    return {
        "ratio": round(median(own / other for own, _fresh, other in rounds), 3),
        "per_second": round(bodies),
        "seconds": round(CONNECTIONS / bodies, 5),
        "ratio_304": round(median(own / other for _bodies, own, other in rounds), 3),
        "per_second_304": round(fresh),
        "plain_per_second": round(yardstick),
    }


def _make_badge() -> str:
    from django.utils import timezone

    from crm.models import Channel
    from redemption.models import Embed, Reward, Stock

    reward = Reward.objects.create(name="青瓷品茗杯一对", points=800, cash="9.90", list_price="68", limit_ever=2)
    Stock.objects.create(reward=reward, free=12)
    shop = Channel.objects.create(code="tea", name="山间茶铺")
    embed = Embed.objects.create(
        name="Badge", template="badge", channel=shop, origins="https://www.example.com", reward=reward,
        changed_at=timezone.now(),
    )  # fmt: skip
    return embed.public_key
