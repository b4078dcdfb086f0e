"""Feeds: files of other systems turned into records and problems. Nothing here touches the database.

``inspect`` looks a file over without writing, ``read`` streams its records; ``messages.describe`` says what a problem
means. A file goes through these hands: ``bytestreams`` (unpacked bytes in whole lines) → ``decoding`` or ``workbooks``
(a ``Table`` of text cells) → ``taobao`` or ``csv_profile`` (records), with ``cells`` reading single cells.
"""

from crm.feeds.opening import Inspection, inspect, read
from crm.feeds.profile import Profile, ProfileError
from crm.feeds.records import BuyerRecord, LineRecord, OrderRecord, Problem, RefundRecord, UnreadableFile

__all__ = [
    "BuyerRecord",
    "Inspection",
    "LineRecord",
    "OrderRecord",
    "Problem",
    "Profile",
    "ProfileError",
    "RefundRecord",
    "UnreadableFile",
    "inspect",
    "read",
]
