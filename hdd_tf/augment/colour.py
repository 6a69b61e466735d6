"""Brightness, saturation and contrast of images, in one step."""

import tensorflow as tf


def adjust_colour(
    images: tf.Tensor, brightness: tf.Tensor, saturation: tf.Tensor, contrast: tf.Tensor
) -> tf.Tensor:
    """Adds the brightness b, then scales saturation by s, then contrast by k.

    With m the input's mean over the channels and M its mean over the image, the three
    steps are k s x + k (1 - s) m + (1 - k) M + b: saturation keeps both means, and
    neither saturation nor contrast changes the added brightness. The operations are
    elementwise because a GPU would round a product with a 3x3 matrix to
    TensorFloat-32.

    Args:
        images: `[g, n, h, w, c]` float tensor, n images per group.
        brightness: `[g]` floats b, added to every value.
        saturation: `[g]` floats s, factors of the channels' distance from their mean.
            Images of one channel are their own mean, whatever the factor.
        contrast: `[g]` floats k, factors of the values' distance from the image's mean.

    Returns:
        `[g, n, h, w, c]` tensor of `images`' dtype.
    """
    brightness, saturation, contrast = (
        tf.cast(tf.reshape(field, [-1, 1, 1, 1, 1]), images.dtype)
        for field in (brightness, saturation, contrast)
    )
    if images.shape[-1] == 1:
        # One channel is its own mean.
        saturation = tf.ones_like(saturation)
    gray = tf.reduce_mean(images, axis=4, keepdims=True)
    constant = (1 - contrast) * tf.reduce_mean(gray, axis=[2, 3], keepdims=True)
    gray_part = contrast * (1 - saturation) * gray + (constant + brightness)
    return contrast * saturation * images + gray_part
