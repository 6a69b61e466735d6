"""Gives Keras its own defaults; the examples here import this file before Keras.

A keras.json of the user, or KERAS_BACKEND, may ask for another backend, precision or
order of an image's axes; the networks here would then be others, or none. TensorFlow
looks for Keras too when it is imported, so this comes first of all.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.pop("TF_USE_LEGACY_KERAS", None)

try:
    import keras
except ImportError:
    raise  # Keras or TensorFlow is missing: no matter of settings.
except Exception as error:  # A damaged keras.json raises whatever Python does.
    place = os.path.join(os.environ.get("KERAS_HOME", "~/.keras"), "keras.json")
    reason, program = " ".join(str(error).split()), os.path.basename(sys.argv[0])
    line = f"{program}: Keras cannot be imported ({reason}): mend {place}"
    print(line, file=sys.stderr)
    sys.exit(2)

keras.config.set_floatx("float32")
keras.config.set_epsilon(1e-7)
keras.config.set_image_data_format("channels_last")
