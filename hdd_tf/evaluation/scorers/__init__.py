"""Networks that train on the images of a set and are tested: accuracies of a set."""
