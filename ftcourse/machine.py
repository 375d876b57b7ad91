"""Facts about this machine that several parts ask for, and which addresses are on it."""

import os
from ipaddress import ip_address

from .errors import CourseError


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


def check_address(base_url: str, allow_host: str | None = None) -> bool:
    """Say whether a service is on this machine, and refuse one elsewhere unless its machine is named.

    Args:
        base_url: address of the service, such as ``http://127.0.0.1:8321/v1``.
        allow_host: name of another machine that data may go to; None allows this machine alone.

    Raises:
        CourseError: if the service is on another machine that isn't allowed, or the address is none.
    """
    import httpx2

    try:
        url = httpx2.URL(base_url)  # as the openai package's client will read the address
    except httpx2.InvalidURL as error:
        raise CourseError(f"{base_url!r} is no address ({error}): write it like http://127.0.0.1:8321/v1.") from error
    if url.scheme not in ("http", "https") or not url.host:
        example = f"http://{base_url}" if "://" not in base_url and "/" in base_url else "http://127.0.0.1:8321/v1"
        raise CourseError(f"{base_url!r} is no address of a service: begin it with http:// or https://, as {example}.")
    if is_loopback(url.host):
        return True
    if url.host != allow_host:
        raise CourseError(
            f"The service at {base_url} is not on this machine: your key and your data would go to {url.host}. "
            f"If you mean it, say allow_host={url.host!r}; else set OPENAI_BASE_URL to a service of yours."
        )
    return False
