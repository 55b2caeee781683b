"""What stands for a network: another value every day, in every room and after every start, and none that leads back."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonchat.limits import Networks, network_of
from anonchat.testing.clocks import SettableClock
from anonchat_memory import MemoryEphemeral

ADDRESS = "203.0.113.7"
DAY = 86_400


@pytest.mark.gen_test
async def test_the_key_of_networks_is_another_one_every_day_and_after_every_start() -> None:
    clock = SettableClock()
    ephemeral = MemoryEphemeral("memory://", clock)
    networks = Networks(ephemeral, clock)
    first = await networks.of(ADDRESS)
    assert (await networks.of(ADDRESS)).today == first.today  # the control: on one day it is the same
    assert (await Networks(ephemeral, clock).of(ADDRESS)).today == first.today  # on all nodes, too
    clock.advance(DAY)
    tomorrow = await networks.of(ADDRESS)
    started = await Networks(MemoryEphemeral("memory://", clock), clock).of(ADDRESS)
    assert len({first.today, tomorrow.today, started.today}) == 3
    assert len({one.mark("a device") for one in (first, tomorrow, started)}) == 3
    assert tomorrow.within("a room") == first.within("a room")  # for as long as the room lives
    assert tomorrow.within("another room") != first.within("a room")


@pytest.mark.gen_test
async def test_nothing_that_stands_for_a_network_shows_its_address() -> None:
    clock = SettableClock()
    network = await Networks(MemoryEphemeral("memory://", clock), clock).of(ADDRESS)
    assert ADDRESS not in f"{network!r} {network}"


@given(
    st.one_of(st.ip_addresses().map(str), st.text(alphabet="0123456789abcdef.:%x ", max_size=20), st.text(max_size=20))
)
def test_a_network_is_an_ipv4_address_an_ipv6_64_or_the_text(address: str) -> None:
    try:
        parsed = ip_address(address)
    except ValueError:
        assert network_of(address) == address
        return
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    around = ip_network(f"{str(parsed).partition('%')[0]}/64", strict=False) if parsed.version == 6 else parsed
    assert network_of(address) == str(around)
