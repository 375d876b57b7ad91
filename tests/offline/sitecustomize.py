"""Keep tests on this machine: Python runs this file at start-up in every process that has the folder on PYTHONPATH.

An audit hook sees each connection, datagram and name look-up of the process, whichever library makes it, and cannot be
taken out again. What it stops looks like a machine without a network; FTCOURSE_BLOCKED_LOG names the file in which
conftest.py finds it afterwards, also when a library swallowed the error.
"""

import os
import sys

_CONNECTIONS = ("socket.connect", "socket.sendto", "socket.sendmsg")  # (socket, address)
_LOOK_UPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")  # (host, ...)


def is_local(host):
    """Return whether a host, an address or a name, is this machine."""
    from ipaddress import ip_address

    host = host.decode() if isinstance(host, bytes) else host
    if not host or host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def _guard(event, args):
    if event in _CONNECTIONS:
        address = args[1]
        host = address[0] if isinstance(address, tuple) else None  # the address of a Unix socket is a path
        if not isinstance(host, (str, bytes)):
            return
    elif event in _LOOK_UPS:
        host = args[0][0] if isinstance(args[0], tuple) else args[0]
        address = host
    else:
        return
    if not is_local(host):
        message = f"tests may only reach this machine, so {event} to {address!r} is blocked (see tests/offline)"
        if log := os.environ.get("FTCOURSE_BLOCKED_LOG"):
            with open(log, "a", encoding="utf-8") as file:
                file.write(f"{message}, in {' '.join(sys.orig_argv)[:200]!r}\n")
        raise ConnectionError(message)


sys.addaudithook(_guard)
# jsonschema, below nbformat, would read a grammar of web addresses for two seconds in each process.
sys.modules.setdefault("rfc3987_syntax", None)
