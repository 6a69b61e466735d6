"""The length of one call into the graph, which no signal interrupts."""

# Longest time that a signal should wait for the graph to return.
SECONDS_PER_CALL = 5.0


class CallLength:
    """The number of steps of one call: fewer if the steps are slow.

    Args:
        most: Largest number of steps of a call, >= 1.

    Attributes:
        steps: Number of steps of the next call, >= 1. The first call has one step,
            which shows how long a step takes.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.steps = 1

    def learn(self, steps: int, seconds: float) -> None:
        """Adapts `steps` to the duration of a call.

        Args:
            steps: Number of steps of the call.
            seconds: Duration of the call.
        """
        fit = int(SECONDS_PER_CALL * steps / max(seconds, 1e-9))
        self.steps = max(1, min(self._most, fit))
