"""Facts about this machine that several parts ask for."""

import os
from ipaddress import ip_address


def num_cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_loopback(host: str | None) -> bool:
    """Say whether a host is this machine, whatever the network says.

    Args:
        host: a name or an address, without a port.
    """
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False
