"""Tests of `hdd-tf bank`: a bank filled beforehand, stopped and gone on with."""

import os
import re
import signal

import pytest

from hdd_tf.distillation.bank.bank_files import BankFiles
from hdd_tf.main import main

WORDS = [
    "bank", "--dataset=digits", "--classes=0,3,5", "--depth=1", "--width=4",
    "--geometry=euclidean", "--real_bank_size=2", "--bank_over=all", "--noprogress",
]  # fmt: skip


def contents(directory):
    return {
        file.relative_to(directory).as_posix(): file.read_bytes()
        for file in directory.rglob("*")
        if file.is_file()
    }


@pytest.mark.slow
def test_a_bank_is_filled_and_a_stop_changes_no_byte(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["hdd-tf", *WORDS, "--num_experiments=2"]
    assert main([*words, "--bank_dir=whole"]) == 0
    printed = capsys.readouterr()
    found = re.findall(
        r"^bank: 2 x \d+ images, [0-9.]+ KiB, kept in (.+)$", printed.out, re.M
    )
    assert len(set(found)) == 2 and printed.err.count("Error") == 0
    whole = contents(tmp_path / "whole")
    assert {os.path.basename(name) for name in whole} == {
        "kind.json", *(f"class_0000{label}.npz" for label in range(3)),
    }  # fmt: skip

    write, written = BankFiles.write, []

    def stopped(self, label, parts):
        written.append(label)
        if len(written) == 5:  # Within the second seed.
            os.kill(os.getpid(), signal.SIGTERM)
        write(self, label, parts)

    monkeypatch.setattr(BankFiles, "write", stopped)
    assert main([*words, "--bank_dir=parts"]) == 128 + signal.SIGTERM
    assert "stopped by SIGTERM; the same command goes on" in capsys.readouterr().err
    kept = {n: c for n, c in contents(tmp_path / "parts").items() if "class" in n}
    assert len(kept) == 4 and kept.items() <= whole.items()
    assert main([*words, "--bank_dir=parts"]) == 0
    assert written == [0, 1, 2, 0, 1, 1, 2]
    assert contents(tmp_path / "parts") == whole
    # Nothing but the bank is written.
    assert {path.name for path in tmp_path.iterdir()} == {"whole", "parts"}
