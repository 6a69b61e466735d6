"""The card of a set on the Hugging Face Hub: README.md with a YAML header."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hdd_tf.artifacts.sets.set_words import selection
from hdd_tf.config import rows
from hdd_tf.errors import one_line
from hdd_tf.methods.registry import is_distilled

# Sizes that the Hub sorts data sets by.
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
)
_CARD = """\
{header}
# {title}

{count} {kind} images of {size} that stand for the training split of {dataset}:
{ipc} of each of {classes} classes, made by {origin}.
Networks that train on them alone recognise real images.
{score}
## Use

```python
from datasets import load_dataset

images = load_dataset("{place}", split="train")
images[0]["image"], images.features["label"].int2str(images[0]["label"])
```

{normalisation}

The images are clipped to 0-255 and rounded to 8 bits, which changed
{clipped:.2%} of the values by more than rounding. {soft}
{carried}
## Origin

Made with hdd_tf. The settings that decide what the images are:

```json
{settings}
```
"""
_NORMALISATION = """\
Networks take `(image / 255 - mean) / std`, channel by channel, with

    mean = {mean}
    std = {std}"""
_WHITENED = "Networks take whitened images; below it is said how."
_SOFT = (
    "`soft_label` are the logits of the labels that were made with the images: their "
    "softmax are probabilities."
)
_CARRIED = """
The set carries more than images and classes, in `extras/`, and its numbers are of
networks that train with that. `extras/training.json` has all values:

{words}
"""


def write_card(
    features: Mapping[str, Any],
    metadata: Mapping[str, Any],
    *,
    data_files: str,
    count: int,
    size: Sequence[int],
    clipped: float,
    soft: bool,
    carried: Sequence[str] = (),
    whitened: bool = False,
    num_bytes: int,
) -> str:
    """Returns the text of README.md.

    Args:
        features: Feature of each column, as `datasets` describes it in a card.
        metadata: Metadata of the set, which anybody may have written.
        data_files: Where its files are, with wildcards; empty for a folder of images.
        count: Number of images.
        size: Height, width and channels.
        clipped: Part of the values that were outside of 0-255.
        soft: Whether there are soft labels.
        carried: How to use what lies in `extras/`, a sentence or more each; empty for
            no such folder.
        whitened: Whether a whitening is in there, instead of mean and std.
        num_bytes: Size of the files.
    """
    dataset = _plain(metadata["dataset"])
    title = f"{dataset}, distilled to {metadata['ipc']} images per class"
    header: dict[str, Any] = {
        "pretty_name": title,
        "task_categories": ["image-classification"],
        "size_categories": [next((n for m, n in _SIZES if count < m), "n>1M")],
        "tags": ["dataset-distillation", "synthetic"],
        "dataset_info": {
            "features": [{"name": name, **kind} for name, kind in features.items()],
            "splits": [
                {"name": "train", "num_bytes": num_bytes, "num_examples": count}
            ],
        },
    }
    if data_files:
        files = [{"split": "train", "path": data_files}]
        header["configs"] = [{"config_name": "default", "data_files": files}]
    lines = (f"{key}: {_yaml(value)}" for key, value in header.items())
    accuracy = _score(metadata)
    return _CARD.format(
        header="\n".join(["---", *lines, "---", ""]),
        title=title,
        count=f"{count:,}",
        kind="synthetic" if is_distilled(metadata["objective"]) else "chosen",
        size=" x ".join(map(str, size)),
        dataset=dataset,
        ipc=metadata["ipc"],
        classes=f"{len(metadata['label_names']):,}",
        origin=_origin(metadata),
        score=f"\n{accuracy}\n" if accuracy else "",
        place="USER/NAME",
        normalisation=_WHITENED
        if whitened
        else _NORMALISATION.format(
            mean=[round(float(value), 6) for value in metadata["mean"]],
            std=[round(float(value), 6) for value in metadata["std"]],
        ),
        clipped=clipped,
        soft=_SOFT if soft else "",
        carried=_CARRIED.format(words="\n".join(f"- {w}" for w in carried))
        if carried
        else "",
        settings=json.dumps(_settings(metadata), indent=2),
    )


def _yaml(value: Any) -> str:
    """Returns a value as a line of YAML, whatever a class may be called.

    JSON is YAML but for two kinds of characters: those beyond 16 bits, whose two
    escapes YAML takes for two characters, and those that YAML has as escapes alone.
    """
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else _escape(ord(c)) for c in text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"


def _settings(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings that a card tells: those that the set depends on.

    None says where files of a user lie. The data set's name stands above them, and may
    be the path of a folder there.
    """
    source = metadata["source"]
    objective, geometry = str(metadata["objective"]), str(metadata["geometry"])
    known = rows()
    return {
        name: value
        for name, value in source.items()
        if name in known
        and known[name].scope.is_identity
        and known[name].is_read(name, objective, geometry)
        and not (isinstance(value, str) and set(value) & set("/\\"))
    }


def _origin(metadata: Mapping[str, Any]) -> str:
    method = _plain(metadata["objective"]) or "another program"
    geometry = _plain(metadata["geometry"])
    where = "" if geometry in ("none", "") else f" in {geometry} geometry"
    if words := selection(metadata):
        return f"{method}{where}: {_plain(words)}"
    iterations = metadata.get("iteration")
    return f"{method}{where}" + (f", {iterations:,} iterations" if iterations else "")


def _score(metadata: Mapping[str, Any]) -> str:
    """Returns a line on the accuracy that was measured with the export, if it was."""
    score = metadata.get("accuracy", {})
    score = score.get("uint8", {}) if isinstance(score, Mapping) else {}
    if not isinstance(score, Mapping) or "mean" not in score or "std" not in score:
        return ""
    return (
        f"Test accuracy of networks trained on them: {float(score['mean']):.2f} ± "
        f"{float(score['std']):.2f} %."
    )


def _plain(text: Any) -> str:
    """Returns a name as one line without what Markdown would take for its own."""
    return one_line(str(text)).translate(str.maketrans("", "", "`<>[]|"))
