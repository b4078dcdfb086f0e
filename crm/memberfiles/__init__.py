"""Uploaded tables whose rows each say something of one member: looked at first, then confirmed, applied, and reported.

``columns`` and ``rows`` (cells → records and problems) are pure; ``whom`` finds the members that rows name, in SQL. The
upper floors build on these three through ``crm.filekit``. What the ground floor itself takes from such tables is in
``kinds``, with ``staging`` and ``jobs`` around it.
"""
