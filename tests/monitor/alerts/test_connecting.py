from __future__ import annotations

import ipaddress

import pytest

from palio.monitor.alerts.connecting import refusal

PRIVATE = [
    str(ipaddress.ip_address(number))
    for number in (0x0A000001, 0x0AFFFFFF, 0xAC100001, 0xAC1FFFFF, 0xC0A80001, 0x7F000001, 0x7FFFFFFE, 0xA9FE0001)
] + ["100.64.0.1", "100.127.255.255", "::1", "fe80::1", "fc00::1", "fdff::1"]  # fmt: skip

NEVER = [
    "0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.1", "239.1.1.1", "240.0.0.1", "192.0.0.1", "192.0.0.192",
    "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
    "169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254",
    "::", "ff02::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:a9fe:a9fe", "::127.0.0.1", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:1::1",
    "2001:db8::1", "3fff::1", "100::1", "5f00::1", "fec0::1", "4000::1", "fe80::1%eth0x", "localhost", "", "127.1",
]  # fmt: skip

PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "223.255.255.254", "100.63.255.255", "100.128.0.1", "172.32.0.1",
          "169.253.0.1", "2606:4700:4700::1111", "2a00:1450::1", "2003::1"]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_refused_unless_it_is_allowed(address: str) -> None:
    assert refusal(address, allow_private=False) == "it is on this machine or in a private network"
    assert refusal(address, allow_private=True) == ""


@pytest.mark.parametrize("address", NEVER)
def test_what_nobody_should_post_to_is_refused_always(address: str) -> None:
    assert refusal(address, allow_private=False)
    if "%" not in address:
        assert refusal(address, allow_private=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    assert refusal(address, allow_private=False) == ""


def test_no_address_outside_the_global_ranges_is_allowed() -> None:
    """Every /16 of IPv4 and every /12 of IPv6: what Python calls not global is refused."""
    blocks = [ipaddress.ip_address(number << 16 | 1) for number in range(65_536)]
    blocks += [ipaddress.ip_address(number << 116 | 1) for number in range(4096)]
    wrong = [str(one) for one in blocks if not one.is_global and refusal(str(one), allow_private=False) == ""]
    assert wrong == []
