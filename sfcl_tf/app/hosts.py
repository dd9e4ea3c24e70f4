"""By which names the page may be asked for, and from which pages.

A page elsewhere can have its own name resolve to this machine (DNS rebinding), and can
send files to any address. The browser tells both: by `Host` and by `Origin`.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from sfcl_tf.system.errors import UsageError

_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^\s\[\]:/?#@,]+)(?::([0-9]{1,5}))?", re.I)
_DEFAULT_PORTS = {"http": 80, "https": 443}

Authority = tuple[str, int | None]


class Hosts:
    """Which `Host` and `Origin` headers belong to a page.

    A server on loopback is known as `localhost`, `127.0.0.1` and `[::1]`, with its
    port; on another address by that, with its port. On all addresses of a machine it
    is known by any IP address, which no DNS can point elsewhere, by `localhost` and by
    the machine's name, with any port: a container's is often mapped to another.

    Args:
        host: Address that the server listens at.
        port: Port there.
        names: Further ones, as `NAME` for any port or `NAME:PORT`, such as those that a
            proxy is asked for.

    Raises:
        UsageError: If one of `names` is no name.
    """

    def __init__(self, host: str, port: int, names: Iterable[str] = ()):
        host = _normalize(host)
        address = _address(host)
        self._any_address = bool(address and address.is_unspecified)
        self._bound: list[Authority] = [(host, port)]
        self._any_port: list[str] = []
        if self._any_address:
            self._bound = [("localhost", port)]
            self._any_port = ["localhost", socket.gethostname().lower()]
        elif host == "localhost" or (address and address.is_loopback):
            known = ("localhost", "127.0.0.1", "::1", host)
            self._bound = [(name, port) for name in dict.fromkeys(known)]
        self._given = [_parse_option(name) for name in names]

    def refuse_host(self, hosts: list[str]) -> str:
        """Tells why a request is not for this page.

        Args:
            hosts: Its `Host` headers.

        Returns:
            What is wrong and what to do, or nothing if it is for this page.
        """
        authority = _parse(hosts[0]) if len(hosts) == 1 else None
        if authority and self._knows(authority):
            return ""
        return (
            f"Expected the page's own address as Host: {self._told()}. "
            f"Received: {_shown(hosts)}. Open it there, or start it with "
            "--allow-host NAME if it has another name.\n"
        )

    def refuse_origin(self, origins: list[str], host: str) -> str:
        """Tells why a request comes from another page.

        Args:
            origins: Its `Origin` headers.
            host: Its `Host` header, which was not refused.

        Returns:
            What is wrong and what to do, or nothing if it comes from this page, or
            from no page at all.
        """
        if not origins:
            return ""
        if len(origins) == 1 and self._is_own(origins[0], host):
            return ""
        return (
            f"Expected requests of this page alone, with the Origin http://{host}. "
            f"Received: {_shown(origins)}. Open the page itself, or start it with "
            "--allow-host NAME if that is its address behind a proxy.\n"
        )

    def _knows(self, authority):
        name, port = authority
        if self._any_address and _address(name):
            return True
        if name in self._any_port or (name, None) in self._given:
            return True
        ports = [port] if port is not None else list(_DEFAULT_PORTS.values())
        return any((name, each) in self._bound + self._given for each in ports)

    def _is_own(self, origin, host):
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        default = _DEFAULT_PORTS.get(parts.scheme)
        here, there = _parse(host), _parse(parts.netloc)
        if default is None or here is None or there is None:
            return False
        there = (there[0], there[1] or default)
        if there == (here[0], here[1] or default) or there in self._bound:
            return True
        return there in [(name, port or default) for name, port in self._given]

    def _told(self):
        names = [_written(each) for each in self._bound]
        names += [_written((name, None)) for name in self._any_port[1:]]
        names += [_written(each) for each in self._given]
        return ", ".join(names) + (" or an IP address" if self._any_address else "")


def _parse(text) -> Authority | None:
    """Returns name and port of `NAME`, `NAME:PORT` or `[ADDRESS]:PORT`."""
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        return None
    name, port = found.groups()
    return _normalize(name), int(port) if port else None


def _parse_option(text):
    authority = _parse(text)
    if authority is None or "*" in text:
        raise UsageError(
            "Expected --allow-host as NAME or NAME:PORT, without http://. "
            f"Received: {text}."
        )
    return authority


def _normalize(name):
    name = name.lower().strip("[]")
    return str(_address(name) or name)


def _address(name):
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _written(authority):
    name, port = authority
    name = f"[{name}]" if ":" in name else name
    return name if port is None else f"{name}:{port}"


def _shown(values):
    return ascii(", ".join(values)[:100]) if values else "none"
