"""Signals that are kept back until a block has ended."""

import os
import signal
import threading

import pytest

from pipeline.interrupts import interrupts_held


@pytest.fixture
def handled():
    """SIGTERM is handled as Ctrl-C is, as in the commands."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_comes_after_the_block(handled, number):
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_held():
        os.kill(os.getpid(), number)
        done.append(True)
    assert done
    assert signal.getsignal(number) is signal.default_int_handler


def test_a_second_signal_comes_at_once(handled):
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_held():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        done.append(True)
    assert not done


def test_an_error_is_raised_in_place_of_a_signal(handled):
    with pytest.raises(ZeroDivisionError), interrupts_held():
        os.kill(os.getpid(), signal.SIGINT)
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_a_signal_and_in_another_thread_nothing_happens():
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    seen = []

    def block():
        with interrupts_held():
            seen.append(signal.getsignal(signal.SIGTERM))

    block()
    thread = threading.Thread(target=block)
    thread.start()
    thread.join()
    signal.signal(signal.SIGTERM, before)
    assert seen == [signal.SIG_DFL, signal.SIG_DFL]  # not handled, and stays so
