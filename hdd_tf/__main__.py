"""Starts the program: `python -m hdd_tf`."""

from hdd_tf.main import run

if __name__ == "__main__":
    run()
