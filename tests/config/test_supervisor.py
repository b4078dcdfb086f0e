"""The supervisor's parts: what it does with a program that ends, and when it refuses to start."""

import asyncio
import signal
import socket
from pathlib import Path

import pytest

from config.supervisor import child as child_module
from config.supervisor.child import Child, GaveUp, Program, python
from config.supervisor.console import Console
from tests.config.servers import run


def child(script: str, **more: object) -> Child:
    """Return a child that runs a piece of Python."""
    return Child(Program("web", python("-c", script), **more), Console())  # type: ignore[arg-type]


def test_a_program_that_dies_again_and_again_is_given_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(child_module, "LONGEST_PAUSE_SECONDS", 0)
    with pytest.raises(GaveUp, match=r"web died 5 times in a row \(exit status 3\)"):
        asyncio.run(child("print('cannot open the shop'); exit(3)").keep())
    shown = capsys.readouterr().out
    assert shown.count("web   | cannot open the shop") == 5
    assert "shop  | web died (exit status 3) and starts again in 0 s." in shown


def test_a_program_that_was_killed_is_started_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(child_module, "LONGEST_PAUSE_SECONDS", 0)

    async def story() -> None:
        web = child("import time; print('open', flush=True); time.sleep(600)", ready_line="open")
        keeping = asyncio.create_task(web.keep())
        await web.ready.wait()
        assert web.process
        first = web.process.pid
        web.ready.clear()
        web.process.kill()
        await web.ready.wait()
        assert web.process.pid != first
        await web.stop()
        await keeping

    asyncio.run(story())
    assert "web died (killed by SIGKILL) and starts again" in capsys.readouterr().out


def test_a_program_that_does_not_listen_is_ended_more_firmly(capsys: pytest.CaptureFixture[str]) -> None:
    script = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: print("not yet", flush=True))
print("open", flush=True)
while True:
    time.sleep(1)
"""

    async def story() -> int | None:
        web = child(script, ready_line="open", ending=((signal.SIGTERM, 0.5),))
        keeping = asyncio.create_task(web.keep())
        await web.ready.wait()
        await web.stop()
        await keeping
        return web.process.returncode if web.process else None

    assert asyncio.run(story()) == -signal.SIGKILL
    assert "web   | not yet" in capsys.readouterr().out


def test_a_line_without_an_end_is_shown_in_parts(capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(child("print('x' * 200_000, end='')").run())
    shown = capsys.readouterr().out
    assert shown.count("x") == 200_000
    assert all(line.startswith("web   | ") for line in shown.splitlines())


def test_a_port_in_use_is_told_before_anything_is_started(var_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        status, output = run(var_dir, "-m", "config.supervisor", PORT=str(port))
    assert status == 1
    assert f"Port {port} on 127.0.0.1 cannot be used: Address already in use." in output
    assert f"PORT={port + 1} make run" in output
    assert list(var_dir.iterdir()) == []


@pytest.mark.parametrize("port", ["shop", "80000", "-1"])
def test_a_port_that_is_none_is_told(var_dir: Path, port: str) -> None:
    status, output = run(var_dir, "-m", "config.supervisor", PORT=port)
    assert status == 1
    assert f"PORT must be a number up to 65535, not “{port}”." in output


def test_an_address_that_is_not_of_this_machine_is_told(var_dir: Path) -> None:
    status, output = run(var_dir, "-m", "config.supervisor", PORT="0", BIND="192.0.2.1")
    assert status == 1
    assert "Port 0 on 192.0.2.1 cannot be used: Cannot assign requested address. " in output
