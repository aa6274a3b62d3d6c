from pathlib import Path

import pytest

from inference.memory import available_bytes


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    8000 kB\n")
    return tmp_path


def group(machine: Path, name: str, limit: str, used: int, cached: int = 0) -> None:
    folder = machine / "sys/fs/cgroup" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\ninactive_file {cached}\n")


def test_without_a_control_group_the_machine_is_the_limit(machine: Path) -> None:
    assert available_bytes(machine) == 8_192_000


def test_a_tighter_group_around_ours_is_the_limit(machine: Path) -> None:
    (machine / "proc/self/cgroup").write_text("0::/system.slice/node.service\n")
    group(machine, "system.slice/node.service", "max", 500)
    group(machine, "system.slice", "3000000", 1_000_000)
    assert available_bytes(machine) == 2_000_000


def test_a_groups_page_cache_counts_as_free_and_no_limit_gives_less_than_nothing(machine: Path) -> None:
    (machine / "proc/self/cgroup").write_text("0::/worker\n")
    group(machine, "worker", "3000000", 1_000_000, cached=400_000)
    assert available_bytes(machine) == 2_400_000
    group(machine, "worker", "1000", 5000)
    assert available_bytes(machine) == 0


def test_a_system_that_does_not_say_has_no_limit(tmp_path: Path) -> None:
    assert available_bytes(tmp_path) is None
