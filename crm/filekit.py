"""What the upper floors may use to read the tables that people upload, and to write those that they download."""

from crm.feeds.cells import CellError, clean, read_email, read_id, read_money, read_phone
from crm.feeds.opening import open_table
from crm.feeds.records import UnreadableFile
from crm.feeds.tables import Table, fitted, is_blank
from crm.imports.uploads import is_packed, shown_name
from crm.memberfiles.columns import CHANNEL, IDENTITIES, IDENTITY_TITLES, Columns, Titles, find_columns
from crm.memberfiles.messages import ROWS as MEMBER_ROWS
from crm.memberfiles.messages import file_in_words, in_words
from crm.memberfiles.rows import MAX_ROWS, Row, RowProblem, Whom, read_member_id, read_table, read_text
from crm.memberfiles.whom import (
    CONTACT,
    RAW_COLUMNS,
    RAW_PROBLEM,
    WHO,
    WRONG_COLUMN,
    WRONG_VALUE,
    channels_of,
    column_titles,
    judged_rows,
)
from crm.tablefiles import Cell, csv_pieces, xlsx_file

__all__ = [
    "CHANNEL",
    "CONTACT",
    "IDENTITIES",
    "IDENTITY_TITLES",
    "MAX_ROWS",
    "MEMBER_ROWS",
    "RAW_COLUMNS",
    "RAW_PROBLEM",
    "WHO",
    "WRONG_COLUMN",
    "WRONG_VALUE",
    "Cell",
    "CellError",
    "Columns",
    "Row",
    "RowProblem",
    "Table",
    "Titles",
    "UnreadableFile",
    "Whom",
    "channels_of",
    "clean",
    "column_titles",
    "csv_pieces",
    "file_in_words",
    "find_columns",
    "fitted",
    "in_words",
    "is_blank",
    "is_packed",
    "judged_rows",
    "open_table",
    "read_email",
    "read_id",
    "read_member_id",
    "read_money",
    "read_phone",
    "read_table",
    "read_text",
    "shown_name",
    "xlsx_file",
]
