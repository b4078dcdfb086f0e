"""What the upper floors may use to read the tables that people upload, and to write those that they download."""

from crm.feeds.cells import CellError, clean, read_email, read_id, read_money, read_phone
from crm.feeds.messages import describe as describe_file_problem
from crm.feeds.opening import open_table
from crm.feeds.records import UnreadableFile
from crm.feeds.tables import Table, fitted, is_blank
from crm.imports.uploads import is_packed, shown_name
from crm.tablefiles import Cell, csv_pieces, xlsx_file

__all__ = [
    "Cell",
    "CellError",
    "Table",
    "UnreadableFile",
    "clean",
    "csv_pieces",
    "describe_file_problem",
    "fitted",
    "is_blank",
    "is_packed",
    "open_table",
    "read_email",
    "read_id",
    "read_money",
    "read_phone",
    "shown_name",
    "xlsx_file",
]
