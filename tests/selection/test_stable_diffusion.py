"""D4M with a Stable Diffusion 3 of keras-hub: a random one, from its files."""

import string
import sys
import types

import numpy as np
import pytest

from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset, LabelledImages
from hdd_tf.errors import InputError

RNG = np.random.default_rng(0)
GREY = Dataset(
    name="arrays",
    training=LabelledImages(
        RNG.integers(0, 256, [6, 12, 10, 1], np.uint8), np.arange(6) % 2
    ),
    validation=None,
    test=LabelledImages(np.zeros([0, 12, 10, 1], np.uint8), np.zeros(0, np.int64)),
    label_names=("air", "plane"),
    mean=(0.5,),
    std=(0.5,),
)
SETTINGS = {"dataset": "arrays", "objective": "d4m", "geometry": "euclidean"}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    keras_hub = pytest.importorskip("keras_hub", reason="keras-hub is not installed")
    from keras_hub.src.models.clip.clip_text_encoder import CLIPTextEncoder
    from keras_hub.src.models.vae.vae_backbone import VAEBackbone

    models = keras_hub.models
    letters = [*string.ascii_lowercase, ","]
    words = ["ai", "pl", "ne</w>", "<|endoftext|>", "<|startoftext|>"]
    words += [*letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary = {word: number for number, word in enumerate(words)}
    merges = ["a i", "p l", "n e</w>"]
    processors = [
        models.CLIPPreprocessor(models.CLIPTokenizer(vocabulary, merges, **options))
        for options in ({"pad_with_end_token": True}, {})
    ]
    encoders = [
        CLIPTextEncoder(
            len(words), width, width, 2, 2, 2 * width, activation, -2, name=name
        )
        for name, width, activation in (
            ("clip_l", 64, "quick_gelu"),
            ("clip_g", 128, "gelu"),
        )
    ]
    small = [32] * 4, [1] * 4
    backbone = models.StableDiffusion3Backbone(
        mmdit_patch_size=2,
        mmdit_hidden_dim=32,
        mmdit_num_layers=2,
        mmdit_num_heads=2,
        mmdit_position_size=192,
        mmdit_qk_norm=None,
        mmdit_dual_attention_indices=None,
        vae=VAEBackbone(*small, *small, sampler_method="mode", name="vae"),
        clip_l=encoders[0],
        clip_g=encoders[1],
        image_shape=(64, 64, 3),
    )
    place = tmp_path_factory.mktemp("model") / "sd3"
    models.StableDiffusion3ImageToImage(
        backbone, models.StableDiffusion3TextToImagePreprocessor(*processors)
    ).save_to_preset(str(place))
    return place


@pytest.mark.stress
@pytest.mark.filterwarnings("ignore")
def test_a_random_model_from_a_directory_makes_images(directory):
    from hdd_tf.selection.d4m.stable_diffusion import StableDiffusion

    config = Config(
        d4m_model=str(directory), d4m_model_size=64, d4m_steps=4, d4m_strength=0.5,
        progress=False, **SETTINGS,
    )  # fmt: skip
    model = StableDiffusion(config, GREY)
    model.prepare(generates=True, dry_run=False)
    assert model.latent_shape == (8, 8, 16)
    latents = model.sample(np.arange(6), None)
    assert latents.shape == (6, 8, 8, 16) and latents.dtype == np.float32
    steps = []
    labels = np.array([0, 0, 0, 1, 1, 1])
    found = model.generate(latents, labels, 0, steps.append)
    assert len(steps) == 2 * model.blocks(6) == 4
    assert np.isfinite(found).all() and np.abs(found - latents).max() > 0.01
    np.testing.assert_array_equal(
        found, model.generate(latents, labels, 0, steps.append)
    )
    images = model.decode(found)
    assert images.shape == (6, 12, 10, 1) and images.dtype == np.uint8


@pytest.mark.stress
@pytest.mark.filterwarnings("ignore")
def test_another_directory_is_refused_in_one_line(tmp_path):
    pytest.importorskip("keras_hub", reason="keras-hub is not installed")
    from hdd_tf.selection.d4m.stable_diffusion import StableDiffusion

    model = StableDiffusion(Config(d4m_model=str(tmp_path), **SETTINGS), GREY)
    with pytest.raises(InputError, match="no Stable Diffusion 3") as caught:
        model.prepare(generates=True, dry_run=False)
    assert "\n" not in str(caught.value)


def test_without_keras_hub_one_line_says_what_to_install(monkeypatch):
    from hdd_tf.selection.d4m.stable_diffusion import StableDiffusion

    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(InputError, match=r"pip install 'hdd-tf\[hub\]'"):
        StableDiffusion(Config(d4m_model="some_model", **SETTINGS), GREY)


def test_noise_does_not_depend_on_the_images_of_a_pass(monkeypatch):
    from hdd_tf.selection.d4m.stable_diffusion import StableDiffusion

    monkeypatch.setitem(sys.modules, "keras_hub", types.ModuleType("keras_hub"))
    backbone = types.SimpleNamespace(
        add_noise_step=lambda latents, noise, *times: latents + noise,
        denoise_step=lambda latents, *told: latents,
        encode_text_step=lambda *tokens: tokens,
    )
    reader = types.SimpleNamespace(generate_preprocess=lambda names: names)
    labels, latents = np.repeat([0, 1], 3), np.zeros([6, 2, 2, 4], np.float32)
    found = []
    for most in (1, 4):
        config = Config(d4m_model="some", max_images_per_forward=most, **SETTINGS)
        model = StableDiffusion(config, GREY)
        model._task = types.SimpleNamespace(backbone=backbone, preprocessor=reader)
        found.append(model.generate(latents, labels, 3, lambda steps: None))
    np.testing.assert_array_equal(*found)
    assert len(np.unique(found[0])) == found[0].size
