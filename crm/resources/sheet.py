"""What all tables that staff edit in a spreadsheet have in common."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from import_export.resources import ModelResource
from tablib import Dataset

from crm.resources.cells import as_text, known_titles

MAX_ROWS = 20_000


class SheetResource(ModelResource):
    """A table with titled columns. Titles are written in the language of the page and understood in any of ours.

    A subclass fetches in ``look_up`` all that the rows may mean, in a few queries for the whole file.
    """

    titles: ClassVar[Mapping[str, Promise]]

    def get_export_headers(self, selected_fields: Iterable[str] | None = None) -> list[str]:
        return [str(title) for title in self.titles.values()]

    def before_import(self, dataset: Dataset, **kwargs: Any) -> None:
        known = known_titles(self.titles)
        headers = [as_text(header).strip().lstrip("\ufeff") for header in dataset.headers or []]
        headers = [known.get(header.lower(), header) for header in headers]
        self.check_columns(headers)
        if len(dataset) > MAX_ROWS:
            raise ValueError(_("The file has more than %(limit)s rows. Split it.") % {"limit": MAX_ROWS})
        dataset.headers = headers
        self.look_up(dataset)

    def check_columns(self, columns: list[str]) -> None:
        """Raise ``ValueError`` when rows cannot be recognised by the columns of the file."""
        raise NotImplementedError

    def look_up(self, dataset: Dataset) -> None:
        """Fetch what the rows mean."""
        raise NotImplementedError

    def after_import(self, dataset: Dataset, result: Any, **kwargs: Any) -> None:
        """Count lines as spreadsheets do, the header included."""
        for refused in result.invalid_rows:
            refused.number += 1


def cells_of(dataset: Dataset, name: str) -> list[Any]:
    """Return the cells of a column; none where the file has no such column."""
    return list(dataset[name]) if name in (dataset.headers or []) else []
