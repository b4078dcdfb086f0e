"""What benchmarks there are, what each measures, and how much data it builds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """How much data a benchmark builds: members, and rows of what it is about."""

    members: int
    rows: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One benchmark: what it measures, what ``ratio`` compares, how many rows a member stands for, and the size."""

    what: str
    against: str
    rows_each: int
    members: int

    def size(self, members: int | None, rows: int | None) -> Size:
        """The size asked for; one of the two figures gives the other, and none gives the usual size."""
        if members is None:
            members = self.members if rows is None else max(rows // self.rows_each, 1)
        return Size(members, members * self.rows_each if rows is None else rows)


PLANS = {
    "burn": Plan("one burn of an account with a dozen lots", "pgbench TPC-B, same clients", 12, 100_000),
    "hold_capture": Plan("points set aside, then spent: two movements", "pgbench TPC-B, same clients", 12, 100_000),
    "redeem": Plan("a reward through the whole checkout", "pgbench TPC-B, same clients", 12, 100_000),
    "flash_sale": Plan("the same, one reward for everybody", "pgbench TPC-B, same clients", 12, 100_000),
    "coupon_checkout": Plan(
        "a coupon through the whole checkout, one plan", "pgbench TPC-B, same clients", 12, 100_000
    ),
    "redeem_http": Plan(
        "page and click of a reward, gunicorn with 2 workers", "a form that does nothing, same server", 12, 1_000
    ),
    "store_pages": Plan(
        "the pages of a store of 10,000 rewards", "the same pages of a hundredth of it, in time", 10, 20_000
    ),
    "accrue": Plan("accruals of orders in batches of a thousand", "pgbench TPC-B, one client", 2, 100_000),
    "nightly": Plan("a night with a tenth of all lots due", "UPDATE of as many rows of a bare table", 3, 100_000),
    "tier_review": Plan("a review of all members' tiers", "reading the same tables once", 5, 100_000),
    "audit": Plan("the proof that the whole ledger adds up", "reading all entries once", 10, 100_000),
    "statement": Plan("a page of 20 entries of one long account", "pgbench select-only, one client", 100_000, 1),
    "import_orders": Plan("Taobao order list → orders, members, points", "COPY of the same file", 6, 20_000),
    "evaluate": Plan("what orders earn under twelve rules", "rounding each amount down", 1_000_000, 1),
    "badge": Plan("a badge on an item page, gunicorn with 2 workers", "a view that does nothing, same server", 1, 1),
    "points_page": Plan(
        "the points page of a signed-in buyer, gunicorn with 2 workers", "a page of one row", 1_000, 100
    ),
    "backtest": Plan("twelve rules and a draft tried on past orders", "reading the orders once", 5, 20_000),
}
