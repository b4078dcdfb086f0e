"""Lists of members, uploaded as tables: the grades they have on other tools, and who always pays the list price.

A file is read and judged whole before anything is written; what the preview counts is what the import then does. The
same file a second time changes nothing.
"""
