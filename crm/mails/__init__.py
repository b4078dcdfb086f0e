"""Mails to members: written down with the fact they tell of, and handed over once by a worker."""
