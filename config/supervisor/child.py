"""A program the supervisor keeps running."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from config.embedded.process import bound
from config.supervisor.console import Console

QUICK_DEATHS = 5  # A program that dies so often, each time before it has lived long, is not started again.
LONG_LIFE_SECONDS = 30
LONGEST_PAUSE_SECONDS = 8
READ_BYTES = 65_536


class GaveUp(Exception):
    """A program cannot be kept running; the message says which and why."""


@dataclass(frozen=True)
class Program:
    """What to run, and how to end it: signals, each with the seconds it is given. SIGKILL comes after the last."""

    name: str
    command: Sequence[str]
    ending: Sequence[tuple[signal.Signals, float]] = ((signal.SIGTERM, 4),)
    ready_line: str = ""  # A text in its log that tells it works; empty when that is asked in another way.
    pass_fds: Sequence[int] = ()


class Child:
    """Runs a program, shows its log, and starts it again when it dies."""

    def __init__(self, program: Program, console: Console) -> None:
        self.program = program
        self.console = console
        self.process: asyncio.subprocess.Process | None = None
        self.ready = asyncio.Event()
        self.stopping = asyncio.Event()

    async def keep(self) -> None:
        """Run the program until ``stop`` is called. Raises GaveUp after QUICK_DEATHS deaths in a row."""
        loop = asyncio.get_running_loop()
        deaths = 0
        while not self.stopping.is_set():
            started = loop.time()
            status = await self.run()
            if self.stopping.is_set():
                return
            deaths = 1 if loop.time() - started > LONG_LIFE_SECONDS else deaths + 1
            if deaths == QUICK_DEATHS:
                raise GaveUp(
                    f"{self.program.name} died {deaths} times in a row ({death(status)}); its last lines above say why."
                )
            pause = min(0.5 * 2 ** (deaths - 1), LONGEST_PAUSE_SECONDS)
            self.console.say(f"{self.program.name} died ({death(status)}) and starts again in {pause:g} s.")
            await asyncio.sleep(pause)

    async def run(self) -> int:
        """Run the program once and return its exit status."""
        self.process = await asyncio.create_subprocess_exec(
            *bound(list(self.program.command), signal.SIGKILL),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            pass_fds=self.program.pass_fds,
            start_new_session=True,  # Ctrl-C reaches the supervisor only, which ends everything in order.
        )
        log = asyncio.create_task(self._show_log(cast("asyncio.StreamReader", self.process.stdout)))
        try:
            status = await self.process.wait()
            # The last lines are still on their way; a stray process that holds the pipe must not keep us.
            await asyncio.wait([log], timeout=1)
        finally:
            log.cancel()
        return status

    async def stop(self) -> None:
        """End the program, more and more firmly, and return when it is gone."""
        self.stopping.set()
        process = self.process
        if process is None:
            return
        for sig, seconds in (*self.program.ending, (signal.SIGKILL, 5)):
            if process.returncode is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(sig)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), seconds)

    async def _show_log(self, output: asyncio.StreamReader) -> None:
        rest = b""
        while block := await output.read(READ_BYTES):
            *lines, rest = (rest + block).split(b"\n")
            if len(rest) > READ_BYTES:  # A line without an end is shown in parts.
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._show(line)
        if rest:
            self._show(rest)

    def _show(self, line: bytes) -> None:
        text = line.decode(errors="replace")
        self.console.line(self.program.name, text)
        if self.program.ready_line and self.program.ready_line in text:
            self.ready.set()


def python(*arguments: str) -> tuple[str, ...]:
    """Return a command for this Python."""
    return (sys.executable, *arguments)


def death(status: int) -> str:
    """Say in words how a program ended."""
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
