"""What a run holds in memory when its export is scored."""

import weakref

import pytest

from hdd_tf.arguments.command_line import parse_command_line
from hdd_tf.running import run_writer, runner
from hdd_tf.running.experiments import run_experiments


@pytest.mark.slow
def test_what_made_the_images_is_gone_when_they_are_scored(tmp_path, monkeypatch):
    made, seen = [], []
    build, score = runner.build_iterative, run_writer.score_export

    def build_iterative(context):
        method = build(context)
        assemble = method.assemble

        def then_noted():
            assemble()
            made.append(weakref.ref(method.synthetic_set.images))
            made.append(weakref.ref(method.state()["velocity"]))

        method.assemble = then_noted
        return method

    def score_export(*arguments):
        seen.extend(part() for part in made)
        return score(*arguments)

    monkeypatch.setattr(runner, "build_iterative", build_iterative)
    monkeypatch.setattr(run_writer, "score_export", score_export)
    words = [
        "main", "--dataset=digits", "--ipc=1", "--width=4", "--depth=1", "--dsa=none",
        "--real_batch=2", "--iterations=2", "--num_eval=0", "--noanalysis",
        "--noprogress", "--strategy=one_device", f"--run_dir={tmp_path / 'run'}",
    ]  # fmt: skip
    run_experiments(parse_command_line(words))
    assert len(seen) == 2 and all(part is None for part in seen)
