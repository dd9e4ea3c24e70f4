"""Refuses connections that leave this machine, in every Python process of the tests.

Python imports this by itself where the folder is on `PYTHONPATH`. What is refused is
noted in the file that `SFCL_GUARD` names, for it may be tried in silence.
"""

import ipaddress
import os
import sys
import traceback

_NAMES = {"", "localhost", "localhost.localdomain", "ip6-localhost"}
_ASKED = {"socket.connect", "socket.sendto", "socket.sendmsg"}


def is_local(host):
    """Tells whether an address, or a name to be looked up, is of this machine."""
    if isinstance(host, bytes):
        host = host.decode("utf-8", "replace")
    if host is None or host.rstrip(".").lower() in _NAMES:
        return True
    try:
        address = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return host == os.uname().nodename  # told by /etc/hosts
    return address.is_loopback or address.is_unspecified


def _see(event, values):
    if event in _ASKED:
        address = values[1]
        host = address[0] if isinstance(address, tuple) and address else ""
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = values[0]
    else:
        return
    if not is_local(host):
        with open(os.environ["SFCL_GUARD"], "a") as file:  # noqa: PTH123
            trace = "".join(traceback.format_stack(limit=12))
            file.write(f"{event} {host!r} by {sys.argv}\n{trace}\n")
        raise PermissionError(f"A test tried to reach {host!r}.")


if "SFCL_GUARD" in os.environ:
    sys.addaudithook(_see)
