"""The distillation itself: synthetic images, the step, the loop, the run."""
