"""Points for many members at once: from a file or a choice of members, seen before they are given, approved by a second
person above a limit, and posted by a worker.

A file goes through these hands: ``columns`` and ``rows`` (cells → records and problems, pure) → ``staging`` (records →
rows of the grant, in a few statements) → ``preview`` (what it would do) → ``approval`` (a person's word, and above the
limits another person's) → ``jobs`` and ``posting`` (the journal, batch by batch) → ``report``.
"""
