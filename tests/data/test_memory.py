import platform
import subprocess
import sys

import pytest

from hdd_tf.data import memory
from hdd_tf.errors import InputError


def test_bytes_needed_and_available_are_named(monkeypatch):
    needed = (5 + 3) * 7 * 11 * 3
    monkeypatch.setattr(memory, "available_memory", lambda: needed)
    memory.check_memory("pets", 5, 3, (7, 11, 3))
    monkeypatch.setattr(memory, "available_memory", lambda: needed - 1)
    message = f"pets .* 5 training and 3 other images of 7x11x3 need {needed:,} bytes"
    with pytest.raises(InputError, match=message) as caught:
        memory.check_memory("pets", 5, 3, (7, 11, 3))
    assert f"{needed - 1:,} (0.00 GiB) are available" in str(caught.value)


@pytest.mark.parametrize(
    ("images", "for_a_run"), [(1, 2**20), (512, 2**29), (4096, 2**29)]
)
def test_images_that_fit_leave_memory_for_the_run(monkeypatch, images, for_a_run):
    needed = images * 2**20 + for_a_run
    for available, fits in ((needed, True), (needed - 1, False), (None, True)):
        monkeypatch.setattr(memory, "available_memory", lambda found=available: found)
        assert memory.fits_into_memory(images - 1, 1, (1024, 1024, 1)) is fits


def test_unknown_memory_refuses_nothing(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    memory.check_memory("pets", 2**40, 0, (99, 99, 3))


def test_available_memory_is_plausible():
    available = memory.available_memory()
    assert available is None or 2**20 < available < 2**50


@pytest.mark.slow
def test_peak_is_of_this_process_and_not_of_the_one_that_started_it():
    held = bytearray(300 * 2**20)
    held[::4096] = b"x" * len(held[::4096])  # Pages count once they are written.
    program = "from hdd_tf.data.memory import peak_memory; print(peak_memory())"
    child = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert 2**20 < int(child.stdout) < 200 * 2**20
    assert memory.peak_memory() > 300 * 2**20


@pytest.mark.parametrize("version", [1, 2])
def test_a_container_has_what_its_group_leaves(tmp_path, version, monkeypatch):
    groups = memory._groups
    most, used, cached = (
        ("memory.max", "memory.current", "inactive_file")
        if version == 2
        else (
            *("memory.limit_in_bytes", "memory.usage_in_bytes"),
            "total_inactive_file",
        )
    )
    root = tmp_path / "cgroup"
    top = root if version == 2 else root / "memory"
    for name, bound in (("", "max"), ("jobs", 1000), ("jobs/own", 5000)):
        place = top / name
        place.mkdir(parents=True)
        (place / most).write_text(f"{bound}\n")
        (place / used).write_text("700\n")
        (place / "memory.stat").write_text(f"anon 5\n{cached} 200\n")
    own = tmp_path / "self"
    monkeypatch.setattr(
        memory, "_groups", lambda *given: groups(*(given or (root, own)))
    )
    line = "0::/jobs/own" if version == 2 else "4:memory:/jobs/own"
    own.write_text(f"7:cpu,cpuacct:/\n{line}\n")
    # 700 are taken, of which 200 of files go where memory is wanted.
    assert list(memory.bounds_of_groups(root, own)) == [4500, 500]
    assert memory.memory_at_most() == 1000
    # A path of the machine that a container does not see.
    own.write_text(line.replace("/jobs", "/slice/jobs") + "\n")
    assert list(memory.bounds_of_groups(root, own)) == []
    assert list(memory.bounds_of_groups(root, tmp_path / "none")) == []
    assert memory.memory_at_most() > 2**20  # The machine's.


@pytest.mark.skipif(
    "glibc" not in platform.libc_ver(), reason="only glibc keeps what is freed"
)
@pytest.mark.slow
def test_what_was_freed_is_given_back():
    # Small pieces, of which every second one is freed, and then all but the last.
    program = """
import re
from hdd_tf.data.memory import give_back

def own():
    return int(re.search(r"RssAnon:\\s*(\\d+)", open("/proc/self/status").read())[1])

pieces = [bytearray(10_000) for _ in range(20_000)]
del pieces[:-1]
before = own()
give_back()
print(before - own())
"""
    child = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert int(child.stdout) > 150_000  # Of 195,313 KiB.
