"""Points into money off: what plans say, and what becomes of a coupon."""
