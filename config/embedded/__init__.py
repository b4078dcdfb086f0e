"""PostgreSQL and Valkey as child processes of whoever needs them, so that one command runs a whole shop.

``locations`` says where the servers are reached and starts nothing; ``postgres`` and ``valkey`` are the servers;
``keeper`` is the small process that owns one server; ``serving`` borrows it for as long as a command runs.
"""
