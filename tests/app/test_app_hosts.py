"""By which names the page may be asked for, and from which pages."""

import socket

import pytest

from sfcl_tf.app.hosts import Hosts
from sfcl_tf.app.serve import PageSettings
from sfcl_tf.system.errors import UsageError

OWN = socket.gethostname().lower()


@pytest.mark.parametrize("bound", ["127.0.0.1", "localhost", "::1"])
def test_this_machine_alone_is_known_by_its_names_and_port(bound):
    hosts = Hosts(bound, 7860)
    for own in ("localhost", "LOCALHOST", "127.0.0.1", "[::1]", "[0:0:0:0:0:0:0:1]"):
        assert not hosts.refuse_host([f"{own}:7860"])
    for other in (
        "evil.com",
        "evil.com:7860",
        "localhost.evil.com:7860",
        "127.0.0.1.evil.com:7860",
        "localhost:1",
        "localhost",
        "127.0.0.2:7860",
        "10.0.0.1:7860",
        "evil.com@localhost:7860",
        "localhost:7860@evil.com",
        "localhost:7860/",
        "[::1",
        "",
    ):
        assert hosts.refuse_host([other]), other
    assert hosts.refuse_host([])
    assert hosts.refuse_host(["localhost:7860", "evil.com"])


def test_on_port_80_no_port_is_named():
    hosts = Hosts("127.0.0.1", 80)
    assert not hosts.refuse_host(["localhost"])
    assert not hosts.refuse_origin(["http://localhost"], "localhost")
    assert hosts.refuse_origin(["https://localhost"], "localhost:80")


@pytest.mark.parametrize("bound", ["0.0.0.0", "::"])  # noqa: S104
def test_on_all_addresses_any_address_is_known_but_no_other_name(bound):
    hosts = Hosts(bound, 7860)
    for own in ("192.168.1.2:7860", "10.0.0.1:80", "[fd00::1]:7860", "localhost:8000"):
        assert not hosts.refuse_host([own])
        assert not hosts.refuse_origin([f"http://{own}"], own)
    assert not hosts.refuse_host([f"{OWN}:7860"])
    for other in ("evil.com:7860", "1.2.3.4.evil.com", "0x7f.1"):
        assert hosts.refuse_host([other])
    # An address is no proof of where a page comes from.
    assert hosts.refuse_origin(["http://6.6.6.6:7860"], "192.168.1.2:7860")


def test_an_address_of_its_own_is_known_alone():
    hosts = Hosts("192.168.1.2", 7860)
    assert not hosts.refuse_host(["192.168.1.2:7860"])
    for other in ("192.168.1.3:7860", "localhost:7860", "evil.com:7860"):
        assert hosts.refuse_host([other])
    assert not Hosts("Box.lan", 7860).refuse_host(["box.lan:7860"])


def test_names_that_are_given_are_known():
    hosts = Hosts("127.0.0.1", 7860, ["clips.example.org", "localhost:9000"])
    for own in ("clips.example.org", "clips.example.org:8443", "localhost:9000"):
        assert not hosts.refuse_host([own])
    assert hosts.refuse_host(["other.example.org"])
    assert hosts.refuse_host(["localhost:9001"])
    for host in ("clips.example.org", "127.0.0.1:7860"):  # as proxies pass it on
        assert not hosts.refuse_origin(["https://clips.example.org"], host)
        assert hosts.refuse_origin(["https://clips.example.org:1"], host)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.com",
        "http://evil.com:7860",
        "http://localhost:8888",
        "http://localhost",
        "https://localhost",
        "file://",
        "chrome-extension://localhost:7860",
        "http://localhost:7860.evil.com",
        "http://evil.com/localhost:7860",
        "http://[",
        "",
    ],
)
def test_other_pages_are_refused(origin):
    hosts = Hosts("127.0.0.1", 7860)
    assert hosts.refuse_origin([origin], "localhost:7860")
    own = "http://localhost:7860"
    assert not hosts.refuse_origin([own], "localhost:7860")
    assert hosts.refuse_origin([own, origin], "localhost:7860")
    assert not hosts.refuse_origin([], "localhost:7860")


def test_a_refusal_says_what_was_expected_and_what_to_do():
    hosts = Hosts("127.0.0.1", 7860)
    told = hosts.refuse_host(["evil.com\x1b[2J"])
    assert told.startswith("Expected")
    assert "localhost:7860, 127.0.0.1:7860, [::1]:7860" in told
    assert "Received: 'evil.com\\x1b[2J'" in told
    assert "--allow-host" in told
    told = hosts.refuse_origin(["http://evil.com" + 5000 * "x"], "localhost:7860")
    assert "http://localhost:7860" in told
    assert len(told) < 400


@pytest.mark.parametrize("name", ["http://a.org", "*", "*.a.org", "a.org/b", "a b", ""])
def test_what_is_no_name_is_told_before_anything_starts(name):
    with pytest.raises(UsageError, match="--allow-host as NAME"):
        PageSettings(allowed_hosts=(name,))
