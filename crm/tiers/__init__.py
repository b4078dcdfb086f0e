"""Tiers: which rung a member stands on, and how he comes onto another."""
