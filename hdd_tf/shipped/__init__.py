"""The distilled sets that come with hdd_tf: what there is, and where they lie."""
