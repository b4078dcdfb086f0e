"""Single sign-on: a shop's own server vouches for a buyer with a short-lived signed token (docs/sso.md)."""
