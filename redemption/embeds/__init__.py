"""Embeds: points, coupons and the daily sign-in on the pages of the seller's own site (docs/embeds.md)."""
