"""Buyers who bring buyers: links and visits, recognising the buyer, his order's share, what is suspicious."""
