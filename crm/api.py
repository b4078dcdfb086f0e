"""What the upper floors may use of the ground floor."""

from crm import longjobs
from crm.choices import OrderStatus, PaymentKind, Platform, ProductPolicy, RefundStatus, SocialSite, SsoFault
from crm.claims import Buyer, Claim, ClaimState, buyer_of, claim_member, find_claim
from crm.contact_ways import ContactWay, WayKind, contact_way
from crm.contacts import Contacts, contacts_of
from crm.devices import (
    PROOF_HOLDS,
    Device,
    devices_of,
    end_all_sessions,
    note_proof,
    note_sign_in,
    note_visit,
    proven_lately,
    sign_out_device,
    sign_out_others,
)
from crm.events import (
    OrderChange,
    OrderChanges,
    ReturnsChange,
    TierChanges,
    on_orders_changed,
    on_tiers_changed,
)
from crm.frozen import frozen_once_published, frozen_with_its_set
from crm.imports.cells import guarded
from crm.imports.finished import FinishedImport, finished_import, finished_imports
from crm.imports.locks import job_lock
from crm.imports.retention import forget_order_files
from crm.later import call_later, call_worker
from crm.mails.kinds import MailKind, register_mail_kind
from crm.mails.preferences import MailPreferences, MailWish, mail_preferences, set_mail_preferences
from crm.mails.queueing import Notice, Queued, queue_mails, queue_selected
from crm.mails.settling import troubled_mails
from crm.mails.tier_telling import Reminded, remind
from crm.member_profile import MEMBER_CHANGES
from crm.models import DataFile
from crm.moments import moment_in_words
from crm.newcomers import Newcomer, make_newcomers
from crm.onetime import Answer, CodeUse, check_code, issue_code
from crm.order_facts import BuyerDetails, LineDetails, OrderDetails, member_facts, order_facts
from crm.order_stream import PaidOrder, count_paid_orders, first_and_last_paid, ids_of_orders_since, paid_orders
from crm.own_orders import OWN_CHANNEL, OwnOrder, OwnRefund, record_own_orders
from crm.own_profile import OwnProfile, complete_profile, members_born_on, own_profile, whole_phone
from crm.personal.erasing import EraseRefused, Outlook, erase_member, look_ahead, own_wish
from crm.personal.file import everything_held, shown_tables
from crm.personal.making import ask_for_file, asked_file, made_at_once
from crm.personal.making import opened as open_data_file
from crm.personal.own import without
from crm.personal.registry import (
    Erasure,
    ErasureRules,
    Fate,
    Loss,
    PersonalTable,
    leave_out,
    register_erasure,
    register_personal,
)
from crm.price_words import percent_in_words
from crm.pricing import Quote, Source
from crm.proof_sending import send_proof_code
from crm.public_prices import PublicPrice, PublicReason
from crm.quotes import Asked, Unknown, public_price, quote
from crm.social.landing import pending_account, take_pending_account
from crm.social.links import LinkedAccount, Linking, Unlinking, link_account, linked_accounts, unlink_account
from crm.social.sites import Vouched, known_sites, open_sites
from crm.sso.exchange import Guest, still_vouched_for, take_shop_token
from crm.sso.judging import Purpose, TokenRefused
from crm.sso.sealing import Lost as SecretLost
from crm.sso.sealing import seal, unseal
from crm.stafflog import log_action, log_actions
from crm.tier_words import amount_in_words, last_day, missing_in_words
from crm.tiers.cards import TIER_LADDER, ClaimableTier, LadderTier, TierCard, ladder, tier_card, tier_card_of
from crm.tiers.claims import ClaimRefusal, ClaimRefused, claim_tier
from crm.tiers.defaults import Rung, add_missing_tiers, make_usual_tiers
from crm.tiers.granting import GrantRefused, grant_tier
from crm.tiers.holding import TIER_RANK, tier_at
from crm.tiers.metrics import Metric, MetricSource, register_metrics
from crm.tiers.nightly import review_everybody
from crm.tiers.presets import LoadedScheme, load_scheme_preset, preset_ladder
from crm.tiers.progress import Waits, Way, WayLine
from crm.tiers.review import ReviewReport
from crm.tiers.scheme import Scheme
from crm.tiers.schemebook import InvalidScheme, scheme_at
from crm.tiers.schemebook import publish as publish_scheme

__all__ = [
    "MEMBER_CHANGES",
    "OWN_CHANNEL",
    "PROOF_HOLDS",
    "TIER_LADDER",
    "TIER_RANK",
    "Answer",
    "Asked",
    "Buyer",
    "BuyerDetails",
    "Claim",
    "ClaimRefusal",
    "ClaimRefused",
    "ClaimState",
    "ClaimableTier",
    "CodeUse",
    "ContactWay",
    "Contacts",
    "DataFile",
    "Device",
    "EraseRefused",
    "Erasure",
    "ErasureRules",
    "Fate",
    "FinishedImport",
    "GrantRefused",
    "Guest",
    "InvalidScheme",
    "LadderTier",
    "LineDetails",
    "LinkedAccount",
    "Linking",
    "LoadedScheme",
    "Loss",
    "MailKind",
    "MailPreferences",
    "MailWish",
    "Metric",
    "MetricSource",
    "Newcomer",
    "Notice",
    "OrderChange",
    "OrderChanges",
    "OrderDetails",
    "OrderStatus",
    "Outlook",
    "OwnOrder",
    "OwnProfile",
    "OwnRefund",
    "PaidOrder",
    "PaymentKind",
    "PersonalTable",
    "Platform",
    "ProductPolicy",
    "PublicPrice",
    "PublicReason",
    "Purpose",
    "Queued",
    "Quote",
    "RefundStatus",
    "Reminded",
    "ReturnsChange",
    "ReviewReport",
    "Rung",
    "Scheme",
    "SecretLost",
    "SocialSite",
    "Source",
    "SsoFault",
    "TierCard",
    "TierChanges",
    "TokenRefused",
    "Unknown",
    "Unlinking",
    "Vouched",
    "Waits",
    "Way",
    "WayKind",
    "WayLine",
    "add_missing_tiers",
    "amount_in_words",
    "ask_for_file",
    "asked_file",
    "buyer_of",
    "call_later",
    "call_worker",
    "check_code",
    "claim_member",
    "claim_tier",
    "complete_profile",
    "contact_way",
    "contacts_of",
    "count_paid_orders",
    "devices_of",
    "end_all_sessions",
    "erase_member",
    "everything_held",
    "find_claim",
    "finished_import",
    "finished_imports",
    "first_and_last_paid",
    "forget_order_files",
    "frozen_once_published",
    "frozen_with_its_set",
    "grant_tier",
    "guarded",
    "ids_of_orders_since",
    "issue_code",
    "job_lock",
    "known_sites",
    "ladder",
    "last_day",
    "leave_out",
    "link_account",
    "linked_accounts",
    "load_scheme_preset",
    "log_action",
    "log_actions",
    "longjobs",
    "look_ahead",
    "made_at_once",
    "mail_preferences",
    "make_newcomers",
    "make_usual_tiers",
    "member_facts",
    "members_born_on",
    "missing_in_words",
    "moment_in_words",
    "note_proof",
    "note_sign_in",
    "note_visit",
    "on_orders_changed",
    "on_tiers_changed",
    "open_data_file",
    "open_sites",
    "order_facts",
    "own_profile",
    "own_wish",
    "paid_orders",
    "pending_account",
    "percent_in_words",
    "preset_ladder",
    "proven_lately",
    "public_price",
    "publish_scheme",
    "queue_mails",
    "queue_selected",
    "quote",
    "record_own_orders",
    "register_erasure",
    "register_mail_kind",
    "register_metrics",
    "register_personal",
    "remind",
    "review_everybody",
    "scheme_at",
    "seal",
    "send_proof_code",
    "set_mail_preferences",
    "shown_tables",
    "sign_out_device",
    "sign_out_others",
    "still_vouched_for",
    "take_pending_account",
    "take_shop_token",
    "tier_at",
    "tier_card",
    "tier_card_of",
    "troubled_mails",
    "unlink_account",
    "unseal",
    "whole_phone",
    "without",
]
