"""What a setting belongs to: the one column that every list of settings follows."""

import enum


class Scope(enum.Enum):
    """The part of a run that a setting belongs to.

    A run continues in its directory as long as its identity is the same: the values of
    all settings whose scope `is_identity`.
    """

    DATA = "which real images, and how many synthetic ones"
    SHARED = "networks and augmentation of distilled sets and of baselines alike"
    MATCHING = "how a distilled set is made; no baseline depends on it"
    MAY_GROW = "how long: a larger value extends a finished run"
    SEED = "which repetition of one experiment"
    EVALUATION = "how sets are scored"
    MEASURES = "further measures of a set, which a finished run can be asked for"
    BASELINES = "which baselines are scored beside a set"
    ANALYSIS = "how images are embedded and pictured"
    LOGGING = "what a run writes, shows and reports beside its result"
    PROCESS = "where a run computes, and where it finds and keeps its inputs"
    START = "one start of the command; a repeated run has its own"

    @property
    def is_identity(self) -> bool:
        """Whether another value makes another run."""
        return self not in (
            *(Scope.MEASURES, Scope.ANALYSIS, Scope.LOGGING),
            *(Scope.PROCESS, Scope.START),
        )

    @property
    def is_scoring(self) -> bool:
        """Whether it has a meaning for the score of a set that exists."""
        return self not in (
            *(Scope.MATCHING, Scope.MAY_GROW, Scope.ANALYSIS),
            *(Scope.LOGGING, Scope.START),
        )
