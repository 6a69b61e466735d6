"""How much to ask of one call into the graph, which no signal interrupts."""

# How long a signal may have to wait for the graph to return.
SECONDS_PER_CALL = 5.0


class CallLength:
    """The number of steps of one call: few where they are slow.

    Args:
        most: Never more than these.

    Attributes:
        steps: Of the next call, >= 1. One at first, to learn how long they take.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.steps = 1

    def learn(self, steps: int, seconds: float) -> None:
        """Takes note of how long a call of so many steps was."""
        fit = int(SECONDS_PER_CALL * steps / max(seconds, 1e-9))
        self.steps = max(1, min(self._most, fit))
