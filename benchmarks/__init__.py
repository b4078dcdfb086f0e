"""What the system can do, measured: ``python -m benchmarks NAME [--members N] [--rows N] [--json]``.

Each benchmark builds its own data in a scratch database and prints ratios of figures measured in the same run, because
seconds of two machines, or of two days on one machine, cannot be compared.
"""
