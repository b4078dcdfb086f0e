"""Points for purchases that no order file reaches back to, from a file of members and what each of them spent.

Such an upload is a grant like others (``loyalty.grants``): checked, confirmed, approved above the limits, posted by a
worker, reported. What is different stands here: ``rows`` (cells → points and validity, pure), ``making`` (an upload for
a named time), ``checking`` (a member gets points for the same time once, in whichever file he stands), ``members``
(names that nobody has yet become members).
"""
