"""How long a batch of events gathers before it is sent: with a moderate load, events of a moment share a batch.

A batch takes nearly as long to send, store and fetch for one event as for ten, in the collector, in Kafka and in the
counter. The first event after a while is sent at once; those that follow within the gathering time leave together.
The time shrinks as the load grows, and a busy collector does not wait: batches fill while the one before is in flight.
Only when they have many events anyway do they wait some milliseconds for more, and no longer than until they have
enough: there a batch for each moment takes the processor from the events.

A sender that waits for each response before its next request would only be slowed down. Its next event arrives right
after a batch has ended, whereas events of independent senders arrive at any time: the time from the end of a batch to
the next event, in mean intervals between events, is far below one for the former and about one for the latter.
"""

import math

GATHER_SECONDS_MAX = 0.075
RESPONSE_SECONDS = 0.085
"""Within so long a batch is gathered and sent, even if sending takes twice as long as usual: below the 0.1 s within
which a request should be answered (deploy/prometheus/slo.py)."""
EVENTS_WANTED = 8.0
"""Events of a batch for which it is worth to wait."""
BUSY_PER_SECOND = 400.0
"""Above this rate of events no batch gathers, unless batches have many."""
MANY_EVENTS = 16.0
"""From this mean number of events on, batches of a busy collector gather."""
ENOUGH_EVENTS = 48
"""A batch that has so many does not wait for more: twice as many save little, and senders that wait for their responses
send no further ones until then."""
BUSY_GATHER_SECONDS_MAX = 0.005
"""From the begin of one batch to that of the next."""
SMOOTHING_SECONDS = 2.0
"""Over about this time the rate of events is averaged."""
SMOOTHING_BATCHES = 8
"""Over about this number of batches their events, how long they take, and the time until the next one are averaged."""
INDEPENDENT_SHARE = 0.5
"""From this share of the mean interval on, senders are independent."""


class GroupCommit:
    """The pause before a collector's next batch. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._began_at = -math.inf
        self._ended_at: float | None = None
        self._rate: float | None = None
        self._wait_share = 0.0
        self._batch_events = 0.0
        self._flight_seconds = 0.0

    def note_first_event(self, now: float) -> None:
        """Take note of the first event of a batch."""
        if self._ended_at is not None and self._rate is not None:
            share = min((now - self._ended_at) * self._rate, 2.0)
            self._wait_share += (share - self._wait_share) / SMOOTHING_BATCHES

    def note_batch(self, events: int, began_at: float, now: float) -> None:
        """Take note of a batch that was sent since `began_at`, and of its number of events."""
        seconds = began_at - self._began_at
        if 0 < seconds < math.inf:
            share = -math.expm1(-seconds / SMOOTHING_SECONDS)
            rate = events / seconds
            self._rate = rate if self._rate is None else self._rate + (rate - self._rate) * share
        self._batch_events += (events - self._batch_events) / SMOOTHING_BATCHES
        self._flight_seconds += (now - began_at - self._flight_seconds) / SMOOTHING_BATCHES
        self._began_at, self._ended_at = began_at, now

    def pause_seconds(self, now: float) -> float:
        """Return how long the next batch gathers events from now on, unless it has ENOUGH_EVENTS before."""
        rate = self._rate
        if rate and rate > BUSY_PER_SECOND:
            if self._batch_events < MANY_EVENTS:
                return 0.0
            return max(0.0, self._began_at + BUSY_GATHER_SECONDS_MAX - now)
        if not rate or self._wait_share < INDEPENDENT_SHARE:
            return 0.0
        gather_seconds = min(GATHER_SECONDS_MAX, RESPONSE_SECONDS - 2 * self._flight_seconds, EVENTS_WANTED / rate)
        return max(0.0, self._began_at + gather_seconds - now)
