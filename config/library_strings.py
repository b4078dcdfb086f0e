"""What Django and django-import-export say to people that our Chinese catalogue has to say for them.

Nothing reads this module: it is here for makemessages, which puts these sentences into our catalogue, from where Django
takes them when the library asks for them. The admin theme has its own list in ``config/unfold_strings.py``.
"""

from django.utils.translation import gettext_noop

# Its Chinese catalogue is behind its sources. Complaints about a wrongly written resource are left out.
IMPORT_EXPORT = (
    gettext_noop(
        "%(exc_name)s encountered while trying to read file. Ensure you have chosen the correct format for the file."
    ),
    gettext_noop("No valid data to import. Ensure your file has the correct headers or data for import."),
    gettext_noop("export failed due to IllegalCharacterError"),
    gettext_noop("Resource"),
    gettext_noop('Select at least 1 field for "%(resource_name)s" to export'),
    gettext_noop("The following fields are declared in 'import_id_fields' but are not present in the file headers: %s"),
    gettext_noop("Select all"),
    gettext_noop("Value could not be parsed."),
)

# Django's catalogue calls a group of people a mere "set", uses a word for signing out that now means closing an
# account, and refuses a sign-in with Latin punctuation.
DJANGO = (
    gettext_noop("group"),
    gettext_noop("groups"),
    gettext_noop("Log out"),
    gettext_noop(
        "Please enter the correct %(username)s and password for a staff account. Note that both fields may be "
        "case-sensitive."
    ),
)
