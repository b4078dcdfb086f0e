"""Rewards: what points buy besides coupons, and the redemptions of them."""
