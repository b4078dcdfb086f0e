"""The embedded PostgreSQL takes its share of the machine, and no more than its container was given."""

from pathlib import Path

import pytest

from config.embedded import sizing
from config.embedded.lease import Lease
from tests.config.servers import connect

GIGABYTE = 1 << 30


def group(root: Path, line: str, **limits: str) -> None:
    """Put this process into a control group of an invented machine, with files of limits by their paths."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(line)
    for path, text in limits.items():
        file = root / "sys/fs/cgroup" / path.replace("__", "/").replace("_max", ".max").replace("_limit", ".limit")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.mark.parametrize(
    ("gigabytes", "buffers", "cache"),
    [(0.25, "128MB", "256MB"), (1, "256MB", "512MB"), (8, "2048MB", "4096MB"), (256, "4096MB", "131072MB")],
)
def test_buffers_are_a_quarter_of_the_memory_within_bounds(gigabytes: float, buffers: str, cache: str) -> None:
    chosen = sizing.settings(int(gigabytes * GIGABYTE), 100 * GIGABYTE)

    assert (chosen["shared_buffers"], chosen["effective_cache_size"]) == (buffers, cache)


@pytest.mark.parametrize(("free", "log"), [(0, "512MB"), (40, "2048MB"), (1000, "8192MB")])
def test_the_log_takes_a_twentieth_of_what_the_disk_has_free(free: int, log: str) -> None:
    assert sizing.settings(GIGABYTE, free * GIGABYTE)["max_wal_size"] == log


def test_without_control_groups_the_memory_is_the_machine_s(tmp_path: Path) -> None:
    assert sizing.memory(tmp_path) == sizing.memory(tmp_path / "nothing") > 0


def test_a_container_counts_on_what_it_was_given(tmp_path: Path) -> None:
    """It sees its own group at the top, by no name."""
    group(tmp_path, "0::/\n", memory_max="50000000\n")

    assert sizing.memory(tmp_path) == 50_000_000


def test_the_tightest_of_all_groups_above_counts(tmp_path: Path) -> None:
    group(
        tmp_path, "0::/shop/web\n", shop__web__memory_max="max\n", shop__memory_max="60000000\n",
        memory_max="70000000\n",
    )  # fmt: skip

    assert sizing.memory(tmp_path) == 60_000_000


def test_limits_of_the_first_version_count_too(tmp_path: Path) -> None:
    group(
        tmp_path, "5:cpu,cpuacct:/\n4:memory:/docker/abc\n",
        memory__memory_limit_in_bytes="80000000\n", cpu__memory_limit_in_bytes="1\n",
    )  # fmt: skip

    assert sizing.memory(tmp_path) == 80_000_000


def test_no_limit_is_none(tmp_path: Path) -> None:
    group(tmp_path, "4:memory:/\n", memory__memory_limit_in_bytes="9223372036854771712\n")

    assert sizing.memory(tmp_path) == sizing.memory(tmp_path / "nothing")


def test_free_disk_is_known_before_the_folder_is_there(tmp_path: Path) -> None:
    assert sizing.free_disk(tmp_path / "var" / "postgres") > 0


def test_a_durable_server_takes_its_share_and_a_throwaway_one_does_not(
    var_dir: Path,
) -> None:
    def buffers(*, throwaway: bool) -> str:
        folder = var_dir / ("throwaway" if throwaway else "durable")
        with Lease("postgres", folder, throwaway=throwaway), connect(folder) as client:
            row = client.execute("SHOW shared_buffers").fetchone()
            assert row
            return str(row[0])

    # The keeper is a process of its own, and reads the limits of the machine itself.
    mine = int(sizing.settings(sizing.memory(), 0)["shared_buffers"].removesuffix("MB"))
    assert buffers(throwaway=False) == (f"{mine // 1024}GB" if mine % 1024 == 0 else f"{mine}MB")
    assert buffers(throwaway=True) == "256MB"
