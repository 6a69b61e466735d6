"""The report as one page: all of it inside, nothing of it code of others."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hdd_tf.cli.report_command import main
from hdd_tf.report.page_pictures import figure_of_file
from tests.report.run_directories import score, write_run

EVIL = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """A page of two runs, one with pictures, classes and losses."""
    place = tmp_path_factory.mktemp("runs")
    per_class = [50.0, None, *np.linspace(60, 98, 998).tolist()]
    names = [EVIL, "zwei", *(f"class {number}" for number in range(998))]
    shown = score((70.0, 71.0)) | {"mean": 70.5, "std": 0.5, "per_class": per_class}
    run = write_run(
        place / "a",
        result={"accuracy": {"convnet": shown}},
        data={"label_names": names},
        history=((10, 1.0, 60.0), (20, 2.0, 65.0)),
    )
    (run / "pictures").mkdir(exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (1800, 900, 3), np.uint8)
    for name in ("final.png", "final_page2.png", "confusion.png"):
        Image.fromarray(noise).save(run / "pictures" / name)
    (run / "pictures/poincare.png").write_bytes(b"no picture")
    with tf.summary.create_file_writer(str(run / "tensorboard")).as_default():
        for step in range(1, 40):
            tf.summary.scalar("loss", 100.0 / step, step)
    write_run(place / "b", "--geometry=euclidean", "--image_lr=7")
    output = place / "report.html"
    assert main(["report", str(place), f"--output={output}"]) == 0
    return output.read_text("utf-8")


class Tags(HTMLParser):
    """Collects the start tags, and sees that every one is closed."""

    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_it_is_whole_html_that_loads_nothing(text):
    tags = Tags(text)
    assert not tags.open
    names = {tag for tag, _ in tags.found}
    assert {"h1", "h2", "table", "figure", "details"} <= names
    assert not names & {"script", "link", "iframe", "object", "a", "base"}
    for tag, attributes in tags.found:
        assert not {"href", "srcset", "onload", "onerror"} & set(attributes), tag
        if "src" in attributes:
            assert attributes["src"].startswith("data:image/")
            assert attributes["alt"]
    assert "default-src 'none'" in text and "url(" not in text
    assert EVIL not in text and "&lt;script&gt;" in text


def test_pictures_are_bounded_and_only_whole_ones_are_shown(text):
    captions = re.findall("<figcaption>(.*?)</figcaption>", text)
    assert [caption.split(":")[0] for caption in captions] == [
        "Accuracy against seconds of distillation",
        "Loss of the distillation",
        "Distilled images, a row for each class",
        "What is taken for what, and the accuracies of classes",
    ]
    assert captions[2].endswith("(the first of 2 pages)")
    sizes = []
    for data in re.findall('src="data:image/[a-z]+;base64,([^"]+)"', text):
        sizes.append(Image.open(io.BytesIO(base64.b64decode(data))).size)
    assert len(sizes) == 4 and sizes[2] == (800, 1600)
    assert len(text) < 5_000_000


def test_it_says_what_the_table_says_and_what_differs(text):
    assert "DM+HDD" in text and "70.50 ± 0.50" in text
    settings = text[text.index("Settings that differ") :]
    rows = re.findall("<tr><td>(.*?)</td>", settings[: settings.index("</table>")])
    assert [row.strip() for row in rows] == ["geometry", "image_lr"]
    classes = text[text.index("<details>") : text.index("</details>")]
    assert "the 50 worst and the 50 best of 999" in classes
    assert classes.count("<tr>") == 101 and "zwei" not in classes


def test_a_run_without_anything_to_see_has_a_page(tmp_path):
    run = write_run(tmp_path / "run")
    result = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps(result))
    output = tmp_path / "page.htm"
    assert main(["report", str(run), f"--output={output}"]) == 0
    assert not Tags(output.read_text("utf-8")).open
    # A report is written over, but no file of a run.
    assert main(["report", str(run), f"--output={output}"]) == 0


def test_a_file_of_a_run_is_not_written_over(tmp_path, capsys):
    run = write_run(tmp_path / "run")
    before = (run / "result.json").read_bytes()
    assert main(["report", str(run), f"--output={run / 'result.json'}"]) == 2
    assert "may be no report" in capsys.readouterr().err
    assert (run / "result.json").read_bytes() == before


def test_what_is_no_picture_is_left_out(tmp_path):
    assert figure_of_file(tmp_path / "none.png", "words") == ""
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", "GIF")
    assert figure_of_file(tmp_path / "a.png", "words") == ""
