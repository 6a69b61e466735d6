"""Tests of the published numbers: looked up by cell, complete, and one with flags/."""

import pytest

from hdd_tf.methods.registry import METHODS
from hdd_tf.methods.traits import PUBLISHED_IPC, Budget
from hdd_tf.report import published
from hdd_tf.report.comparison import plain_image_lr
from tests import (
    published_cafe,
    published_features,
    published_semantics,
    published_settings,
    published_statistics,
    published_trajectories,
)


@pytest.mark.parametrize(
    ("cell", "accuracy"),
    [
        (("fashion_mnist", 1, "dm", "hyperbolic"), (72.1, 0.2)),
        (("svhn_cropped", 50, "dm", "euclidean"), (82.6, 0.3)),
        (("cifar10", 10, "idm", "hyperbolic"), (61.3, 0.1)),
        (("cifar100", 50, "idm", "euclidean"), (46.5, 0.4)),
        (("cifar10", 1, "dance", "hyperbolic"), (46.8, 0.3)),
        (("imagewoof", 10, "dance", "euclidean"), (46.2, 0.2)),
        (("imagewoof", 50, "dance", "euclidean"), None),
        (("tiny_imagenet", 1, "idm", "hyperbolic"), None),
        (("cifar10", 10, "m3d", "euclidean"), (63.5, None)),
        (("cifar100", 50, "datadam", "euclidean"), (49.4, 0.3)),
        (("cifar10", 10, "datadam", "hyperbolic"), None),
        (("cifar10", 10, "cafe", "euclidean"), (46.3, None)),
        (("cifar100", 50, "cafe_dsa", "euclidean"), (42.9, 0.2)),
        (("tiny_imagenet", 50, "mtt", "euclidean"), (28.0, 0.3)),
        (("cifar100", 10, "datm", "euclidean"), (47.2, 0.4)),
        (("cifar10", 10, "herding"), (31.6, 0.7)),
        (("cifar10", 10, "k_center", "euclidean"), (14.7, 0.7)),
        (("svhn_cropped", 1, "forgetting"), (12.1, 5.6)),
        (("fashion_mnist", 1, "forgetting"), None),
        (("cifar100", 50, "random"), (30.0, 0.4)),
        (("cifar100", 3, "random"), None),
        (("imagewoof", 7, "whole"), (67.0, 1.3)),
        (("digits", 10, "dm", "hyperbolic"), None),
        (("cifar100", 1, "gvbsm"), (16.4, 0.7)),
        (("cifar10", 50, "gvbsm", "euclidean"), (54.3, 0.3)),
        (("cifar10", 1, "gvbsm"), None),
        (("cifar10", 10, "tesla", "hyperbolic"), None),
    ],
)
def test_accuracy_of_a_cell(cell, accuracy):
    assert published.published_accuracy(*cell) == accuracy


def test_the_cells_are_those_with_published_settings():
    cells = {
        (dataset, ipc, objective, geometry)
        for objective, traits in METHODS.items()
        if not traits.is_selection
        for geometry, rows in traits.published.items()
        for dataset, row in rows.items()
        for ipc, accuracy in zip(PUBLISHED_IPC, row, strict=False)
        if accuracy
    }
    assert cells == {
        (*cell, objective, geometry)
        for objective, settings in published_settings.HYPERBOLIC.items()
        for cell in settings
        for geometry in ("hyperbolic", "euclidean")
        if cell[0] != "tiny_imagenet"
    } | {
        (*cell, objective, "euclidean")
        for table in (published_features, published_semantics)
        for objective, cells in table.IMAGE_LR.items()
        for cell in cells
    } | {
        (*cell, objective, "euclidean")
        for objective in published_cafe.EVERYWHERE
        for cell in published_cafe.CELLS
    } | {
        (*cell, objective, "euclidean")
        for objective, cells in published_trajectories.CELLS.items()
        for cell in cells
    } | {
        (*cell, objective, "euclidean")
        for objective, settings in published_settings.GRADIENTS.items()
        for cell in settings
    } | {(*cell, "gvbsm", "none") for cell in published_statistics.CELLS}
    assert all(published.published_accuracy(*cell) for cell in cells)


def test_numbers_and_budgets_of_gradient_matching():
    for objective, cells in published_settings.GRADIENTS.items():
        for cell, own in cells.items():
            accuracy = published.published_accuracy(*cell, objective, "euclidean")
            assert accuracy == (own.accuracy, None)
            assert published.accuracy_text(accuracy) == f"{own.accuracy:.1f}"
            budget = published.published_budget(*cell, objective, "euclidean")
            assert budget == (Budget(1000 * own.updates, 256, own.eval_epochs, 5, 20))
            # The twin has none.
            for find in (published.published_accuracy, published.published_budget):
                assert find(*cell, objective, "hyperbolic") is None


def test_budgets_are_those_of_the_published_settings():
    settings = published_settings
    for objective, cells in settings.HYPERBOLIC.items():
        for cell in cells:
            for geometry in ("hyperbolic", "euclidean"):
                budget = published.published_budget(*cell, objective, geometry)
                if objective == "dm":
                    dm = settings.DM[cell]
                    expected = (dm.iterations, dm.real_batch, dm.eval_epochs)
                elif objective == "idm":
                    idm, hyperbolic = settings.IDM[cell], geometry == "hyperbolic"
                    iterations = idm.iterations_hdd if hyperbolic else None
                    expected = (
                        iterations or idm.iterations_plain,
                        idm.real_batch,
                        settings.IDM_EVERYWHERE["eval_epochs"],
                    )
                else:
                    every = settings.DANCE_EVERYWHERE
                    epochs = settings.DANCE[cell].eval_epochs
                    expected = (every["iterations"], every["real_batch"], epochs)
                found = (budget.iterations, budget.real_batch, budget.eval_epochs)
                assert found == expected, (cell, objective, geometry)


def test_budgets_of_feature_matching():
    for objective, own in published_features.EVERYWHERE.items():
        for cell in published_features.CELLS:
            budget = published.published_budget(*cell, objective, "euclidean")
            found = (budget.iterations, budget.real_batch, budget.eval_epochs)
            names = ("iterations", "real_batch", "eval_epochs")
            assert found == tuple(own[name] for name in names)
            assert budget.sets is budget.networks is None


def test_budgets_of_cafe():
    shared = published_cafe.SHARED
    for objective, own in published_cafe.EVERYWHERE.items():
        for cell in published_cafe.CELLS:
            budget = published.published_budget(*cell, objective, "euclidean")
            found = (budget.iterations, budget.real_batch, budget.networks)
            assert found == tuple(
                shared[name] for name in ("iterations", "real_batch", "num_eval")
            )
            assert budget.eval_epochs == own["eval_epochs"] and budget.sets == 1
            assert plain_image_lr(*cell, objective) == shared["image_lr"]


def test_budgets_of_semantic_matching():
    for objective, own in published_semantics.EVERYWHERE.items():
        for cell in published_semantics.CELLS:
            budget = published.published_budget(*cell, objective, "euclidean")
            found = budget.iterations, budget.real_batch, budget.eval_epochs
            batch = published_semantics.real_batch(objective, cell)
            assert found == (own["iterations"], batch, own["eval_epochs"])


def test_budgets_of_statistics():
    for cell in published_statistics.CELLS:
        budget = published.published_budget(*cell, "gvbsm", "euclidean")
        own = published_statistics.settings(cell)
        assert budget.iterations == own["iterations"]
        assert budget.eval_epochs == own["eval_epochs"]
        assert plain_image_lr(*cell, "gvbsm") == own["image_lr"]
    assert published.published_budget("cifar10", 1, "gvbsm", "none") is None


def test_budgets_and_rates_of_trajectory_matching():
    for objective, cells in published_trajectories.CELLS.items():
        for cell in cells:
            own = published_trajectories.settings(objective, cell, "euclidean")
            budget = published.published_budget(*cell, objective, "euclidean")
            found = budget.iterations, budget.eval_epochs, budget.networks
            assert found == (own["iterations"], own["eval_epochs"], own["num_eval"])
            assert plain_image_lr(*cell, objective) == own["image_lr"]


def test_plain_learning_rates():
    rates = published_settings.PLAIN_IMAGE_LR | published_features.IMAGE_LR
    rates |= published_semantics.IMAGE_LR
    for objective, cells in rates.items():
        for (dataset, ipc), rate in cells.items():
            assert plain_image_lr(dataset, ipc, objective) == rate


def test_what_is_not_published_has_no_budget():
    assert published.published_budget("digits", 1, "dm", "hyperbolic") is None
    assert published.published_budget("cifar10", 2, "dm", "hyperbolic") is None
    assert published.published_budget("cifar10", 1, "random", "euclidean") is None


def test_text():
    assert published.accuracy_text((72.1, 0.2)) == "72.1 ± 0.2"
    assert published.accuracy_text((4.0, 1.0)) == "4.0 ± 1.0"
    # Our source may lack the deviation.
    assert published.accuracy_text((45.3, None)) == "45.3"
    assert published.accuracy_text(None) == "not known"
