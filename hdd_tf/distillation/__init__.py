"""The distillation: methods, class-wise matching, the synthetic set and the step."""
