"""What holds for every test."""

from __future__ import annotations

import signal

# Who starts the tests in the background of a script has them ignore Ctrl-C, and every command they start with them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
