"""A network of your own, to evaluate a distilled set with.

    python -m hdd_tf.evaluate RUN --eval_networks=convnet,own_network:small_network

in the directory of this file, or with `--eval_networks` on a run itself. A function of
the images' shape and the number of classes returns any `keras.Model`: it takes
normalised images ((x / 255 - mean) / std with the data set's mean and std), and gives
logits, not probabilities. The function is called once for each network that is
trained, each time under another seed; batch norm and dropout work as in `fit`. It is
trained as the published networks are: SGD with weight decay, the rate of --eval_lr.
"""

import keras


def small_network(image_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """Returns a convolutional network with batch norm and dropout."""
    return keras.Sequential(
        [
            keras.layers.Input(image_shape),
            keras.layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.ReLU(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(num_classes),
        ]
    )


def mobilenet(image_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """Returns MobileNetV2 without pretrained weights; images of 32 pixels or more."""
    return keras.applications.MobileNetV2(
        image_shape,
        weights=None,
        classes=num_classes,
        # Without this it would end in a softmax.
        classifier_activation=None,
    )
