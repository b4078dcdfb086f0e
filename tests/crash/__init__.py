"""A mixed load on the ledger while its database server and its writers are killed at random.

``python -m tests.crash --minutes 30`` runs it at length; ``tests/concurrency/test_crash.py`` runs a short form.
"""
