"""The published cells of RDED, written down apart from its flag files and traits."""

# (data set, images per class) -> accuracy, batch and learning rate of students.
CELLS = {
    ("cifar10", 1): (23.5, 10, 0.001),
    ("cifar10", 10): (50.2, 50, 0.001),
    ("cifar10", 50): (68.4, 100, 0.001),
    ("cifar100", 1): (19.6, 25, 0.002),
    ("cifar100", 10): (48.1, 25, 0.002),
    ("cifar100", 50): (57.0, 25, 0.002),
    ("imagewoof", 1): (18.5, 10, 0.001),
    ("imagewoof", 10): (40.6, 50, 0.001),
}
OBJECTIVE = "rded"


def stem(cell):
    """Returns the name of a cell's flag file."""
    return f"{OBJECTIVE}/{cell[0]}_ipc{cell[1]}"


def settings(cell):
    """Returns the settings of a cell's flag file."""
    _, batch, rate = CELLS[cell]
    large = cell[0] == "imagewoof"
    return {
        "dataset": cell[0], "ipc": cell[1], "objective": OBJECTIVE,
        "rded_factor": 2 if large else 1, "rded_images": 300, "rded_crops": 5,
        "rded_jpeg": False, "rded_network": "convnet_batch", "rded_epochs": 200,
        "rded_batch": 128, "depth": 5 if large else 3, "width": 128,
        "eval_networks": ("convnet_batch",), "eval_protocol": OBJECTIVE,
        "eval_epochs": 300, "eval_batch": batch, "eval_lr": rate, "num_eval": 5,
        "baselines": ("random",), "select": "last",
    }  # fmt: skip
