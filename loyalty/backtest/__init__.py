"""What a set of rules would have paid for the orders of a past period, beside what the rules of that time paid.

Nothing here writes to the ledger: orders are read, evaluated in memory, and added up.
"""
