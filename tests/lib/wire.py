# SPDX-License-Identifier: GPL-2.0-only
"""A stranger on the wire, who speaks as much of the protocol as is needed.

See Documentation/power/pmsm-protocol.rst.
"""

import random
import socket
import struct

HEADER = struct.Struct(">6s6sHBBIHHQIIII")
MAGIC = 0x504d534d
ETHERTYPE = 0x88b5
VERSION = 2
# The types of frames, in the order of their numbers
TYPES = {name: number for number, name in enumerate((
    "HELLO", "ACCEPT", "BEGIN", "MAP", "DATA", "ZERO", "END", "VERIFIED",
    "PREPARE", "RESUMED", "READY", "COMMIT", "COMMITTED", "DEVICES", "VERDICT",
    "ACK", "REFUSE", "RESET", "DONE", "BLAST", "BLAST_END", "BLAST_REPORT"))}
(HELLO, ACCEPT, BEGIN, VERIFIED, PREPARE, RESUMED, READY, COMMIT, COMMITTED,
 DEVICES, VERDICT, ACK, REFUSE, RESET) = (TYPES[name] for name in (
     "HELLO", "ACCEPT", "BEGIN", "VERIFIED", "PREPARE", "RESUMED", "READY",
     "COMMIT", "COMMITTED", "DEVICES", "VERDICT", "ACK", "REFUSE",
     "RESET"))
# Every migration that works has these, in this order but for ACK
STEPS = ("HELLO", "ACCEPT", "DEVICES", "VERDICT", "BEGIN", "MAP", "DATA",
         "ZERO", "END", "VERIFIED", "PREPARE", "RESUMED", "READY", "COMMIT",
         "COMMITTED", "DONE", "ACK")
# Those of which there are many
BULK = ("MAP", "DATA", "ZERO", "ACK")
BROADCAST = b"\xff" * 6
MAC = b"\x52\x54\0\0\x03\x01"


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def frame(kind, payload=b"", dst=BROADCAST, session=7, seq=0, ack=0,
          version=VERSION, window=8, src=MAC, ethertype=ETHERTYPE,
          magic=MAGIC):
    def header(crc):
        return HEADER.pack(dst, src, ethertype, version, kind, magic,
                           len(payload), window, session, seq, ack, crc, 0)
    bare = header(0)
    return header(crc32c(bare[12:40] + bare[44:] + payload)) + payload


class Stranger:
    """A port of a hub."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.random = random.Random(1)

    def send(self, data):
        self.sock.sendall(struct.pack(">I", len(data)) + data)

    def garbage(self, count):
        """Noise, and noise that begins like one of our frames."""
        for number in range(count):
            data = bytearray(self.random.randbytes(
                self.random.randrange(15, 1500)))
            if number % 2:
                good = frame(self.random.randrange(20),
                             session=self.random.randrange(4))
                data[:len(good)] = good
                if number % 4 == 1:
                    data[self.random.randrange(len(good))] ^= 0x10
            self.send(bytes(data))

    def receive(self, kind, timeout=10):
        """The next frame of a kind: its header's fields and its payload."""
        self.sock.settimeout(timeout)
        while True:
            length = struct.unpack(">I", self.read(4))[0]
            data = self.read(length)
            if len(data) < HEADER.size:
                continue
            fields = HEADER.unpack(data[:HEADER.size])
            if fields[2] == ETHERTYPE and fields[4] == kind:
                return fields, data[HEADER.size:]

    def read(self, count):
        data = b""
        while len(data) < count:
            more = self.sock.recv(count - len(data))
            if not more:
                raise EOFError("the hub has gone")
            data += more
        return data
