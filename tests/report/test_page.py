"""Tests of the report as one page."""

import dataclasses
import html.parser
import io
import itertools
import re

import numpy as np
import pytest
from PIL import Image

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets.distilled_set import write_distilled_set
from hdd_tf.artifacts.sets.set_content import DistilledSet
from hdd_tf.artifacts.summaries import SummaryWriter
from hdd_tf.cli.report_command import main
from hdd_tf.report.collect import collect_runs
from hdd_tf.report.page import document
from hdd_tf.report.page.classes import ClassScore, class_section
from hdd_tf.report.page.document import page
from hdd_tf.report.page.elements import html as written
from hdd_tf.report.page.images import PAGE_PIXELS, image_sheet, reencoded
from hdd_tf.report.page.settings import differing_settings
from hdd_tf.report.rows import Group, group_runs, table_rows
from hdd_tf.report.table import table_cells
from tests.report.run_directories import score, write_later, write_run

HOSTILE = "<script>alert(1)</script>"
NAMES = [HOSTILE, '" onerror="x', "a & b", "猫", "\u202etac", *"fghij"]


class Outline(html.parser.HTMLParser):
    """Notes what a page has: tags, attributes, headings, cells and the text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self.inside = [], [], {}, []
        self.feed(text)
        assert not [tag for tag in self.inside if tag not in ("meta", "img")]

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in ("meta", "img"):
            self.inside.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        assert self.inside.pop() == tag

    def handle_data(self, data):
        for tag in self.inside:
            self.texts[tag][-1] += data

    def values(self, name, tag=None):
        return [v for t, n, v in self.attributes if n == name and tag in (None, t)]


def refuse(line):
    raise AssertionError(line)


def page_of(*places, warn=refuse):
    return page(group_runs(collect_runs(list(map(str, places)), warn), warn), warn)


def write_set(path, names, ipc=2, side=8, channels=1):
    classes = len(names)
    shape = (classes, ipc, side, side, channels)
    pixels = np.random.default_rng(0).uniform(-20, 280, shape)
    metadata = {
        "dataset": "fashion_mnist",
        "label_names": list(names),
        "mean": [0.5] * channels,
        "std": [0.2] * channels,
        "objective": "dm",
        "geometry": "hyperbolic",
        "source": {},
    }
    made = DistilledSet.from_class_images(pixels, metadata)
    (path / "synthetic/hdd_tf.json").unlink()
    write_distilled_set(path / "synthetic", made, "npz")  # The fastest.
    return path


def of_classes(values, per_class, confusion=None):
    """A score with its classes, as result.json has it."""
    entry = {**score(values), "mean": 50.0, "std": 1.0, "per_class": per_class}
    return entry if confusion is None else entry | {"confusion": confusion}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run with everything, whose names are hostile, and another without anything."""
    root = tmp_path_factory.mktemp("page")
    confusion = (np.eye(10) * 60 + 4).tolist()
    confusion[3][4] = 33.25
    scores = of_classes((70.0, 71.0), [50.0 + k for k in range(10)], confusion)
    result = {
        "accuracy": {"convnet": scores},
        "label_names": NAMES,
        "baselines": {"random": {**score((40.0,)), "mean": 40.0, "std": 0.0}},
    }
    rich = write_run(
        root / "a<b>&\"'",
        data={"label_names": NAMES},
        result=result,
        history=((10, 1.0, 60.0), (20, 2.0, 65.0)),
    )
    write_set(rich, NAMES)
    with SummaryWriter(rich / "tensorboard") as summaries:
        for step, loss in ((0, 9.0), (10, 3.5), (20, 0.25)):
            summaries.scalars(step, {"loss": loss, "loss_per_class/a": 1.0})
    (rich / "pictures").mkdir()
    Image.new("RGB", (1500, 900), "red").save(rich / "pictures/poincare.png")
    write_set(write_run(root / "plain", "--geometry=euclidean"), "0123456789")
    return root


@pytest.fixture(scope="module")
def text(place):
    return page_of(place)


@pytest.fixture(scope="module")
def outline(text):
    return Outline(text)


def test_it_is_whole_html_that_loads_nothing(text, outline):
    assert not {"script", "link", "iframe", "object", "base", "form"} & {*outline.tags}
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    assert any(value.startswith(policy) for value in outline.values("content"))
    assert all(re.match("data:image/[a-z]+", src) for src in outline.values("src"))
    assert all(href.startswith("#") for href in outline.values("href"))
    assert {href[1:] for href in outline.values("href")} <= {*outline.values("id")}
    assert "url(" not in text and "@import" not in text


def test_what_runs_say_is_text_and_nothing_else(place, text, outline):
    assert "script" not in outline.tags and text.count("<script") == 1  # An alt text.
    assert not [name for _, name, _ in outline.attributes if name.startswith("on")]
    names = outline.texts["bdi"]
    assert HOSTILE in names and '" onerror="x' in names and "猫" in names
    # What turns letters around is spelt.
    assert r"\u202etac" in names and "\u202e" not in text
    assert str(place / "a<b>&\"'") in outline.texts["code"]


def test_the_table_is_that_of_the_text(place, outline):
    rows = table_rows(group_runs(collect_runs([str(place)], refuse), refuse))
    columns, cells = table_cells(rows)
    expected = [cell.replace("**", "") for row in cells for cell in row]
    assert outline.texts["td"][: len(expected)] == expected
    assert outline.texts["th"][: len(columns)] == list(columns)
    assert "70.50 ± 0.50" in expected and "published (%)" in columns


def test_headings_are_in_order_and_pictures_have_words(outline):
    levels = [int(tag[1]) for tag in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert all(outline.values("alt"))
    assert len(outline.values("alt")) == outline.tags.count("img")
    assert outline.values("lang") == ["en"]
    titles = outline.texts["h4"]
    once = ("Loss", "Classes", "On the Poincaré disk")
    assert [titles.count(title) for title in once] == [1, 1, 1]
    assert titles.count("Distilled images") == 2


def test_images_losses_and_classes_are_shown(outline):
    said = "".join(outline.texts["body"])
    assert f"{HOSTILE}: 2 of 2 images" in outline.values("alt")
    assert said.count("All 20 images, 8x8.") == 2
    assert "At the last iteration recorded: seed 0: 0.25." in said
    cells = outline.texts["td"]
    worst = cells.index("猫", cells.index("33.25") - 3)
    assert cells[worst : worst + 3] == ["猫", r"\u202etac", "33.25"]
    assert cells[cells.index("50.00") - 1] == HOSTILE  # The least accuracy.
    assert [src for src in outline.values("src", "img") if len(src) > 200_000] == []


def test_settings_that_differ_are_a_table(outline):
    cells = outline.texts["td"]
    place = cells.index("--geometry")
    assert sorted(cells[place + 1 : place + 3]) == ["euclidean", "hyperbolic"]
    assert "--seed" not in cells and "--network" not in cells


def test_settings_that_no_method_reads_differ_in_nothing(tmp_path):
    def run_of(*flags):
        path = write_run(tmp_path / str(len(list(tmp_path.iterdir()))), *flags)
        return collect_runs([str(path)], refuse)[0]

    def shown(*runs):
        return differing_settings([Group([run]) for run in runs])

    plain, odd = run_of(), run_of("--d4m_strength=0.3", "--dsa=none", "--seed=1")
    assert shown(plain, odd) == {"dsa": [plain.settings["dsa"], "none"]}
    generated = run_of("--objective=d4m", "--real_batch=9")
    assert plain.settings["d4m_strength"] == generated.settings["d4m_strength"]
    found = shown(plain, odd, generated)
    assert found["d4m_strength"] == ["unused", "unused", "0.7"]
    assert found["real_batch"][2] == "unused" and "gvbsm_pool" not in found
    # Runs that differ in nothing that they read are the same but for the seed.
    alike = run_of("--d4m_strength=0.1", "--seed=2")
    assert [len(group.runs) for group in group_runs([plain, alike], refuse)] == [2]
    # Of a score of another program's set too, which lacks what was not there yet.
    older = dataclasses.replace(
        plain, settings={k: v for k, v in plain.settings.items() if k[:3] != "d4m"}
    )
    assert shown(plain, older) == {}


def test_what_cannot_be_read_is_said_and_left_out(tmp_path):
    run = write_run(tmp_path / "run")
    (run / "pictures").mkdir()
    (run / "pictures/poincare.png").write_bytes(b"no picture")
    (run / "tensorboard").mkdir()
    (run / "tensorboard/events.out.tfevents.1.v2").write_bytes(b"\xff" * 99)
    said = []
    outline = Outline(page_of(run, warn=said.append))
    assert len(said) == 1 and said[0].startswith(f"{run}: its images are not shown: ")
    assert outline.texts["h4"] == ["Distilled images"]
    assert "The set cannot be read." in outline.texts["p"]


def test_what_is_no_picture_is_left_out(tmp_path):
    path = tmp_path / "a.png"
    for refused in ("GIF", (9000, 3000)):
        if refused == "GIF":
            Image.new("RGB", (4, 4)).save(path, refused)
        else:
            Image.new("L", refused).save(path)
        with pytest.raises(ValueError, match="picture"):
            reencoded(path, 100)


def test_pictures_are_as_large_as_a_page_bears(tmp_path):
    """Of few colours they are exact: a legend would lie otherwise."""
    path = tmp_path / "a.png"
    drawn = Image.new("RGB", (40, 30), "white")
    for number in range(30):
        drawn.putpixel((number, number), (8 * number, 255 - 8 * number, 99))
    drawn.save(path)
    data, media = reencoded(path, 40)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.tobytes() == drawn.tobytes()
    noise = np.random.default_rng(0).integers(0, 256, (450, 900, 3), np.uint8)
    Image.fromarray(noise).save(path)
    smaller, other = reencoded(path, 600)
    with Image.open(io.BytesIO(smaller)) as picture:
        assert picture.size == (600, 300)
    assert (media, other) == ("image/png", "image/jpeg") and len(smaller) < 300_000


def test_the_command_writes_a_page_over_a_page(place, text, tmp_path, capsys):
    output = tmp_path / "page.HTM"
    output.write_text("an earlier one")
    assert main(["report", str(place), f"--output={output}"]) == 0
    assert capsys.readouterr() == (f"page: {output}\n", "")
    assert output.read_text("utf-8") == text


def test_a_file_of_a_run_is_not_written_over(tmp_path, capsys):
    run = write_run(tmp_path / "run")
    before = (run / "result.json").read_bytes()
    assert main(["report", str(run), f"--output={run / 'result.json'}"]) == 2
    assert "may be no report" in capsys.readouterr().err
    assert (run / "result.json").read_bytes() == before


def test_what_a_link_leads_out_to_is_not_shown(tmp_path):
    run = write_set(write_run(tmp_path / "run"), "0123456789")
    (run / "pictures").mkdir()
    private = tmp_path / "private.png"
    Image.new("RGB", (9, 9)).save(private)
    (run / "pictures/poincare.png").symlink_to(private)
    said = []
    outline = Outline(page_of(run, warn=said.append))
    assert len(said) == 1 and "symbolic link that leads out" in said[0]
    assert "h4" not in outline.tags and "img" in outline.tags  # The plot is left.


def test_another_protocol_shows_the_set_once(tmp_path):
    run = write_run(tmp_path / "run")
    write_later(run, "--eval_epochs=5", accuracy={"convnet": of_classes((9.0,), [9.0])})
    said = []
    outline = Outline(page_of(run, warn=said.append))
    assert outline.texts["h4"] == ["Distilled images", "Classes"]
    assert "9.00" in outline.texts["td"]


def test_many_runs_have_no_more_than_some_sections(tmp_path, monkeypatch):
    monkeypatch.setattr(document, "MOST_SECTIONS", 3)
    for number in range(4):
        write_run(tmp_path / f"{number:02d}", f"--loss_weight={number + 1}")
    outline = Outline(page_of(tmp_path, warn=lambda line: None))
    assert outline.texts["h4"].count("Distilled images") == 3
    assert any(text.startswith("The first 3 of 4") for text in outline.texts["p"])
    assert "4" in outline.texts["td"]  # The table has them all.


def test_a_thousand_classes_have_a_sheet_of_bounded_size(tmp_path):
    names = [f"class {number}" for number in range(1000)]
    run = write_set(write_run(tmp_path / "run"), names, ipc=2, side=32, channels=3)
    pixels = PAGE_PIXELS // 10
    text = "".join(map(written, image_sheet(RunDirectory(run), pixels)))
    assert "58 of 2,000 images: the first 58 of 1,000 classes, 32x32." in text
    assert len(text) * 10 < 3_000_000


def test_many_classes_have_short_lists_and_a_picture():
    names = [f"class {number}" for number in range(300)]
    matrix = np.eye(300) * 90
    matrix[7, 9] = 10.0
    score = {"per_class": [1.0] * 300, "confusion": matrix.tolist()}
    found = ClassScore("convnet", 3, names, score)
    section = "".join(map(written, class_section(found, "x")))
    assert len(section) < 500_000
    cells = Outline(section).texts["td"]
    assert len(cells) == 3 * 30 + 3 and cells[-3:] == ["class 7", "class 9", "10.00"]


def test_large_images_are_drawn_smaller(tmp_path):
    run = write_set(write_run(tmp_path / "run"), "ab", ipc=3, side=150)
    text = "".join(map(written, image_sheet(RunDirectory(run), 4 * 96 * 96)))
    words = "The first 4 of 6 images, as many of each class, 150x150, drawn at 96x96."
    assert words in text
    assert Outline(text).values("width") == ["193", "193"]
