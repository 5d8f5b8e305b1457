# SPDX-License-Identifier: GPL-2.0-only
"""Reading the relay's log of frames."""

import ipaddress

from wire import COMMIT

PMSM, VLAN, ARP, IPV4, IPV6 = 0x88b5, 0x8100, 0x0806, 0x0800, 0x86dd
TCP = 6
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

    def tcp(self):
        """Window and length of payload of a TCP segment over IPv4, or None."""
        ip = self.bytes[14:]
        if self.short(12) != IPV4 or len(ip) < 40 or ip[9] != TCP:
            return None
        head = (ip[0] & 15) * 4
        segment = ip[head:]
        length = self.short(16) - head - (segment[12] >> 4) * 4
        return self.short(14 + head + 14), length

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
