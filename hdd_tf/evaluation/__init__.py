"""How good a distilled set is: fresh networks trained on it, and baselines."""
