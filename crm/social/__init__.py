"""Signing in with an account of WeChat or Weibo that a buyer has connected to his login before (docs/sign-in.md)."""
