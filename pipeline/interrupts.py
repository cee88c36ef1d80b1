"""Signals that end a command, kept back where a library does not survive them."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Keep back Ctrl-C, and SIGTERM where it is handled, until the block has ended.

    A cluster of Dask that is interrupted while it starts its workers cannot be closed any more.
    A second signal is not kept back. In threads other than the main one, where no signal arrives,
    nothing is done.

    Raises
    ------
    KeyboardInterrupt
        After the block, if a signal came that raises it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    handled = {number: handler for number, handler in before.items() if callable(handler)}
    came: list[int] = []

    def release():
        for number, handler in handled.items():
            signal.signal(number, handler)

    def keep(number: int, _):
        came.append(number)
        release()

    for number in handled:
        signal.signal(number, keep)
    try:
        yield
    finally:
        release()
    if came:
        handled[signal.Signals(came[0])](came[0], None)
