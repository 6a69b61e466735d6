"""CAFE: Wang et al., "CAFE: Learning to Condense Dataset by Aligning Features"."""
