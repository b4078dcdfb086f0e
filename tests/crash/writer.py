"""A writer: performs acts and notes, on disk, what it is about to do and what it was told had been done.

A writer that starts where a killed one left off repeats the act that the dead one never heard back about, under the
same key, as a client does whose answer was lost.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import IO, TypeVar

from django.db import InterfaceError, OperationalError, connection

from crm.models import Member
from tests.crash.acts import Act, invent

PATIENCE_SECONDS = 0.05
T = TypeVar("T")


def write(notes: str, number: int) -> None:
    """Act until killed."""
    path = Path(notes)
    answers, unanswered = read(path)
    done = [act for act, _ in answers]
    with path.open("a") as paper:
        if unanswered is not None:
            persist(unanswered, paper)
            done.append(unanswered)
        members = insist(lambda: list(Member.objects.order_by("pk").values_list("pk", flat=True)))
        random = Random(f"{number}:{len(done)}")
        while True:
            act = invent(random, members, len(done), number, done)
            note(paper, asked=asdict(act))
            persist(act, paper)
            done.append(act)


def persist(act: Act, paper: IO[str]) -> None:
    """Perform an act, again and again while the database is away, and note the answer."""
    note(paper, answered=act.key, answer=insist(act.perform))


def insist(do: Callable[[], T]) -> T:
    """Do something in the database, again and again until it is there and answers."""
    while True:
        try:
            return do()
        except (InterfaceError, OperationalError):
            connection.close()
            time.sleep(PATIENCE_SECONDS)


def note(paper: IO[str], **words: object) -> None:
    """Write a line that survives the writer's death."""
    paper.write(json.dumps(words) + "\n")
    paper.flush()
    os.fsync(paper.fileno())


def read(notes: Path) -> tuple[list[tuple[Act, str]], Act | None]:
    """The acts that were answered, in order and with the answer, and the one that was asked for and never answered.

    A last line that was cut off by a kill is passed over: its act was not begun, or is repeated.
    """
    answers: list[tuple[Act, str]] = []
    asked: Act | None = None
    if not notes.exists():
        return answers, asked
    text = notes.read_text()
    for line in text[: text.rfind("\n") + 1].splitlines():
        words = json.loads(line)
        if "asked" in words:
            asked = Act(**words["asked"])
        elif asked is not None:
            answers.append((asked, words["answer"]))
            asked = None
    notes.write_text(text[: text.rfind("\n") + 1])
    return answers, asked
