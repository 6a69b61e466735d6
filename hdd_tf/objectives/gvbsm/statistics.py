"""Statistics of the maps that enter the layers of a network, as one vector.

A map that enters a batch norm gives the mean and the variance of each channel. A map
that enters a convolution also gives the mean and the variance of each tile of 4x4
pixels, over images and channels. All variances are biased.

Source: Shao et al., "Generalized Large-Scale Data Condensation via Various Backbone and
Statistical Matching" (G-VBSM), CVPR 2024, and its program at 1ed80b0.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from hdd_tf.networks.layer_inputs import Place

TILE = 4


class StatisticsLayout:
    """Where each statistic of a network's places stands in a vector.

    Args:
        places: The places of the network.

    Attributes:
        size: Number of values S of the vector.
        place_of_part: `[p]` number of the place of each part; a part is one statistic
            of one place.
        part_of_value: `[S]` int32 number of the part that each value belongs to.
        is_convolution: `[places]` bool, False for batch norms.
        takes_images: `[places]` bool, True for convolutions of the images themselves.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        lengths, owners = [], []
        for number, place in enumerate(places):
            height, width, channels = place.shape
            own = [channels] * 2
            if place.moving is None:
                own += [_tiles(height) * _tiles(width)] * 2
            lengths += own
            owners += [number] * len(own)
        self.size = sum(lengths)
        self.place_of_part = np.array(owners, np.int32)
        self.part_of_value = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        self.is_convolution = np.array([place.moving is None for place in places])
        self.takes_images = np.array([place.takes_images for place in places])
        self._places = tuple(places)

    def measure(self, maps: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns the statistics `[S]` of the maps of some images.

        Args:
            maps: `[n, h, w, c]` map that enters each place.
        """
        parts: list[tf.Tensor] = []
        for place, entering in zip(self._places, maps, strict=True):
            parts += channel_moments(entering)
            if place.moving is None:
                parts += tile_moments(entering)
        return tf.concat(parts, axis=0)

    def with_moving(self, measured: tf.Tensor, state: Sequence[tf.Tensor]) -> tf.Tensor:
        """Puts a network's moving statistics in the place of those of its batch norms.

        Args:
            measured: `[S]` statistics of real images.
            state: State of the network.
        """
        own = tf.split(measured, np.bincount(self.part_of_value).tolist())
        for number, place in enumerate(self._places):
            if place.moving is not None:
                (first, second) = np.flatnonzero(self.place_of_part == number)
                own[first], own[second] = (state[i] for i in place.moving)
        return tf.concat(own, axis=0)


def channel_moments(maps: tf.Tensor) -> list[tf.Tensor]:
    """Returns the mean and the variance `[c]` of each channel of `[n, h, w, c]`."""
    return list(tf.nn.moments(maps, [0, 1, 2]))


def tile_moments(maps: tf.Tensor) -> list[tf.Tensor]:
    """Returns the mean and the variance of each tile, over images and channels.

    Maps whose sides are no multiples of 4 are enlarged to the next ones, bilinearly.

    Args:
        maps: `[n, h, w, c]` float tensor.

    Returns:
        Two tensors `[tiles]`, row by row.
    """
    _, height, width, channels = maps.shape
    down, across = _tiles(height), _tiles(width)
    if height % TILE:
        maps = tf.einsum("yh,nhwc->nywc", _enlarging(height, maps.dtype), maps)
    if width % TILE:
        maps = tf.einsum("xw,nhwc->nhxc", _enlarging(width, maps.dtype), maps)
    cells = tf.reshape(maps, [-1, down, TILE, across, TILE, channels])
    return [
        tf.reshape(moment, [down * across])
        for moment in tf.nn.moments(cells, [0, 2, 4, 5])
    ]


def _tiles(side: int) -> int:
    return -(-side // TILE)


def _enlarging(side: int, dtype: tf.DType) -> tf.Tensor:
    """Returns `[wanted, side]` weights of a line's pixels, with half-pixel centres."""
    wanted = TILE * _tiles(side)
    centre = (np.arange(wanted) + 0.5) * side / wanted - 0.5
    below = np.floor(centre).astype(int)
    weights = np.zeros((wanted, side))
    for shift, share in ((0, 1 - (centre - below)), (1, centre - below)):
        pixel = np.clip(below + shift, 0, side - 1)
        np.add.at(weights, (np.arange(wanted), pixel), share)
    return tf.constant(weights, dtype)
