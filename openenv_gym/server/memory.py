"""How a server's process holds on to memory."""

from __future__ import annotations

import contextlib
import ctypes

# Of <malloc.h>.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_BLOCK = 32 << 20  # the most that glibc takes
_KEPT = 64 << 20


def keep_freed_memory() -> None:
    """Lets malloc keep what is freed, for the next step.

    Otherwise each batch of pictures is given back to the kernel and asked for again, page by page:
    with 64 lanes of 84 x 84 x 4 that took three quarters of a step. Where the C library is not
    glibc, nothing changes.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _LARGEST_BLOCK)
        mallopt(_TRIM_THRESHOLD, _KEPT)
