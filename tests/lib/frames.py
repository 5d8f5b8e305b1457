# SPDX-License-Identifier: GPL-2.0-only
"""Reading the relay's log of frames."""

import ipaddress

from wire import COMMIT

PMSM, VLAN, ARP, IPV4, IPV6 = 0x88b5, 0x8100, 0x0806, 0x0800, 0x86dd
TCP, UDP = 6, 17
ICMPV6, NEIGHBOUR_ADVERTISEMENT = 58, 136


class Frame:
    """One line of it: time is CLOCK_REALTIME in ns, port in order of arrival."""

    def __init__(self, line):
        when, port, data = line.split()
        self.time, self.port = int(when), int(port)
        self.bytes = bytes.fromhex(data)

    def short(self, offset):
        return int.from_bytes(self.bytes[offset:offset + 2], "big")

    @property
    def pmsm_type(self):
        return self.bytes[15] if self.short(12) == PMSM else None

    @property
    def session(self):
        return self.bytes[24:32]

    def over_ipv4(self, protocol, size):
        """Where in the frame a packet's payload begins, or None."""
        head = (self.bytes[14] & 15) * 4
        if (self.short(12) != IPV4 or len(self.bytes) < 14 + head + size or
                self.bytes[23] != protocol):
            return None
        return 14 + head

    def tcp_flow(self):
        """Ports, flags and length of payload of a TCP segment, or None."""
        at = self.over_ipv4(TCP, 20)
        if at is None:
            return None
        length = self.short(16) - (at - 14) - (self.bytes[at + 12] >> 4) * 4
        return self.short(at), self.short(at + 2), self.bytes[at + 13], length

    def tcp(self):
        """Window and length of payload of a TCP segment over IPv4, or None."""
        flow = self.tcp_flow()
        if flow is None:
            return None
        return self.short(self.over_ipv4(TCP, 20) + 14), flow[3]

    def udp(self):
        """Payload of a datagram, or None."""
        at = self.over_ipv4(UDP, 8)
        return None if at is None else self.bytes[at + 8:]

    def announces(self):
        """The address that it tells everybody about, or None."""
        offset, where = 12, ""
        if self.short(12) == VLAN:
            offset, where = 16, "vlan %d " % (self.short(14) & 0xfff)
        kind, rest = self.short(offset), self.bytes[offset + 2:]
        if kind == ARP and rest[14:18] == rest[24:28]:
            return where + str(ipaddress.ip_address(rest[14:18]))
        if (kind == IPV6 and len(rest) >= 64 and rest[6] == ICMPV6 and
                rest[40] == NEIGHBOUR_ADVERTISEMENT):
            return where + str(ipaddress.ip_address(rest[48:64]))
        return None


def read(hub):
    """All frames that a hub with a log has seen, but a half last line."""
    with open(hub.frame_log) as log:
        return [Frame(line) for line in log if line.endswith("\n")]


def decisions(hub):
    """When each migration over a wire was decided, first word of it, in ns."""
    first = {}
    for frame in read(hub):
        if frame.pmsm_type == COMMIT:
            first.setdefault(frame.session, frame.time)
    return sorted(first.values())
