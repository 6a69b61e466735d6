"""Package metadata; tool settings live in pyproject.toml."""

import pathlib
import re

from setuptools import find_packages, setup

HERE = pathlib.Path(__file__).parent


def version() -> str:
    """Returns `hdd_tf.__version__`, read without importing the package."""
    text = (HERE / "hdd_tf" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)[1]


setup(
    name="hdd-tf",
    version=version(),
    description="Hyperbolic Dataset Distillation in TensorFlow 2 and Keras 3",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11,<3.14",
    # The published settings and the distilled sets are data of the package: a wheel
    # finds `--flagfile=flags/NAME.cfg` and the names of the sets as a clone does
    # (hdd_tf/arguments/flag_files.py, hdd_tf/shipped/catalogue.py).
    packages=[
        *find_packages(include=["hdd_tf", "hdd_tf.*"]),
        "hdd_tf.published_flags",
        "hdd_tf.distilled_sets",
    ],
    package_dir={
        "hdd_tf.published_flags": "flags",
        "hdd_tf.distilled_sets": "distilled",
    },
    package_data={
        "hdd_tf": ["py.typed"],
        "hdd_tf.published_flags": ["*.cfg", "*/*.cfg"],
        "hdd_tf.distilled_sets": ["*.md", "*.txt", "*/*.json", "*/*.npz"],
    },
    install_requires=[
        "absl-py>=2.1,<3",
        "filelock>=3.30,<5",
        # tensorflow-datasets imports it without declaring it (tensorflow/datasets
        # issue 11212).
        "importlib_resources>=6,<8",
        "keras>=3.11,<4",
        "matplotlib>=3.9,<4",
        "numpy>=1.26,<3",
        "pillow>=10,<14",
        "pyarrow>=18,<27",
        "scikit-learn>=1.5,<2",
        "scipy>=1.11,<2",
        "tabulate>=0.9,<0.11",
        "tensorboard>=2.18,<2.22",
        "tensorflow>=2.18,<2.22",
        "tensorflow-datasets>=4.9.7,<5",
        # tensorflow-datasets imports it. 1.21 needs protobuf 6.31 without declaring it,
        # and TensorFlow 2.18 and 2.19 need protobuf 5.
        "tensorflow-metadata>=1.17,<1.21",
        # scikit-learn needs it too.
        "threadpoolctl>=3.1,<4",
        "tqdm>=4.66,<5",
    ],
    extras_require={
        "gpu": ["tensorflow[and-cuda]>=2.18,<2.22"],
        # Stable Diffusion 3 as D4M's diffusion model, --d4m_model.
        "hub": ["keras-hub>=0.32,<1", "tensorflow-text>=2.20.1,<2.22"],
        "dev": [
            "hypothesis>=6,<7",
            "mpmath>=1.3,<2",
            "mypy>=1.13,<3",
            "onnxruntime>=1.20,<2",
            "pytest>=8.3,<10",
            "pytest-xdist>=3.6,<4",
            "pyyaml>=6,<7",
            "ruff>=0.9,<0.18",
            "tf2onnx>=1.17,<2",
            "types-tabulate>=0.9,<0.11",
            "types-tqdm>=4.66",
        ],
        "docs": [
            "furo>=2025.12.19,<2026",
            "myst-parser>=5,<6",
            "sphinx>=9,<10",
        ],
    },
    entry_points={"console_scripts": ["hdd-tf=hdd_tf.main:run"]},
)
