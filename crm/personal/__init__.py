"""What the shop holds about a member: a register that every floor fills, the file made of it, and its erasure."""
