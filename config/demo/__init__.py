"""The demo shop: an invented seller with invented buyers, so that every page has something to show."""
