#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The dry run finds all that speaks against a move, and stops nothing; what
hibernation forbids is forbidden; strangers on the wire get no more than that.
"""

import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "lib"))

import frames
from ktap import check, check_in, main, say
from pmsmvm import NIC, move, try_move
from wire import (ACCEPT, ACK, BEGIN, DEVICES, HELLO, HEADER, MAC, READY,
                  REFUSE, VERDICT, Stranger, frame)

PREFLIGHT = "/sys/power/pmsm/preflight"
EPERM = "Operation not permitted"
# Places and length in a HELLO
FLAGS, NR_DEVICES, HELLO_LEN = 320, 332, 1358
DRY_RUN = b"\0\0\0\1"


def preflight(vm, timeout=30):
    """Status and words of the write, and the lines that the file then has."""
    status, words = vm.run("echo 1 > " + PREFLIGHT, timeout)
    return status, words, vm.must("cat " + PREFLIGHT).splitlines()


def check_line(lines, pattern):
    check(any(re.search(pattern, line) for line in lines),
          "no line matches \"%s\": %s" % (pattern, "; ".join(lines)))


def check_ok(vm, warnings=0):
    status, words, lines = preflight(vm)
    check(status == 0 and lines[0] == "ok" and len(lines) == 1 + warnings,
          "not ok: %s %s" % (words, lines))
    return lines


def pmsm_types(wire):
    return [f.pmsm_type for f in frames.read(wire)]


def test_ok(lab):
    wire = lab.bad_wire(log=True)
    a, b = lab.pair(transfer=wire.path)
    check(a.must("cat " + PREFLIGHT) == "not checked", "checked already")
    status, _ = a.run("echo rubbish > " + PREFLIGHT)
    check(status != 0, "rubbish was taken")
    filled = a.program("memfill run --mib 20")
    check_ok(a)
    check_ok(a)
    b.wait_console("asks whether it could move here")
    for words in ("asks to move", "listening again", "refused", "freez"):
        check(words not in b.console(), "the target: " + words)
    check(BEGIN not in pmsm_types(wire), "the dry run was a move")
    check_in("phase", a.must("ls /sys/power/pmsm"))
    check(a.must("cat /sys/power/pmsm/phase") == "idle", "not idle")
    move(a, b)
    verdict = b.verdict(filled)
    check(verdict.startswith("ok"), verdict)


def test_all_at_once(lab):
    """Whatever is wrong is told at once, by the dry run and by the move."""
    wire = lab.bad_wire(log=True)
    a, b = lab.pair(transfer=wire.path,
                    source=dict(cpus=2, extra=["-device", "e1000e,addr=0a.0"]),
                    target=dict(memory=192, cpu="max,-aes"))
    status, words, lines = preflight(a)
    check(status != 0, "it is said that it can move")
    check_in("No space left", words)
    for pattern in (r"^memory 0xbf[0-9a-f]+-0x[0-9a-f]+ of the source is not "
                    r"memory on the target",
                    r"^only the source has the firmware's memory 0xf",
                    r"^only the target has the firmware's memory 0xb",
                    r"^the target's CPU lacks.* aes",
                    r"^2 CPUs on the source, 1 on the target",
                    r"^device 0000:00:0a.0 \(e1000e, 8086:10d3\) of the source "
                    r"is missing"):
        check_line(lines, pattern)
    b.wait_console("refused .*: the target's CPU lacks")
    a.must("dmesg -c > /dev/null")
    check_in("No space left", try_move(a), "the error")
    said = re.findall(r"this machine cannot move: (.*)",
                      a.must("dmesg | grep pmsm"))
    check(said == lines, "another reason for the move: %s" % said)
    check(a.must("cat /sys/power/pmsm/last_reason") == lines[0],
          "another last_reason")
    check(BEGIN not in pmsm_types(wire), "it has moved")


def test_no_target(lab):
    a = lab.vm("a", transfer=lab.bad_wire().path).wait_boot()
    a.must("echo 1 > /sys/power/pmsm/timeout")
    status, words, lines = preflight(a)
    check(status != 0, "it is said that it can move")
    check_in("Connection timed out", words)
    check_line(lines, "no target answers: is one listening")
    a.must("echo 0000:00:1e.7 > /sys/power/pmsm/nic")
    status, words, lines = preflight(a)
    check_in("No such device", words)
    check_line(lines, "there is no such transfer NIC")


def test_devices(lab):
    """Other devices, and some whose state does not come along."""
    card = lab.disk("card", 16)
    watchdog = ["-device", "i6300esb,addr=0b.0"]
    a, _ = lab.pair(
        source=dict(extra=["-device", "e1000e,addr=0a.0", *watchdog,
                           "-device", "sdhci-pci,addr=0c.0",
                           "-drive", "file=%s,format=raw,if=none,id=card" % card,
                           "-device", "sd-card,drive=card"]),
        target=dict(extra=["-device", "edu,addr=0a.0", *watchdog,
                           "-device", "sdhci-pci,addr=0c.0",
                           "-device", "e1000e,addr=0d.0"]))
    a.must("n=0; while [ ! -e /dev/mmcblk0 ] && [ $n -lt 50 ]; do "
           "n=$((n+1)); sleep 0.2; done; mount /dev/mmcblk0 /mnt")
    status, words, lines = preflight(a)
    check_in("No such device or address", words)
    check_line(lines, r"^device 0000:00:0a.0 \(e1000e\) is 8086:10d3 on the "
               "source, 1234:11e8 on the target")
    check_line(lines, '^mmcblk0 is in use, and stays .* "mmc": unmount it')
    check(len(lines) == 3, "more than that: %s" % lines)
    a.must("umount /mnt; echo 0000:00:0a.0 > "
           "/sys/bus/pci/drivers/e1000e/unbind")
    lines = check_ok(a, warnings=1)
    check_line(lines, r"^warning: 0000:00:0b.0: its driver i6300ESB")


def test_other_slot(lab):
    """The restored kernel would look for its transfer NIC in vain."""
    wire = lab.bad_wire(log=True)
    lab.vm("b", transfer=wire.path, append="pmsm.listen=0000:00:0a.0", extra=[
        "-netdev", "stream,id=other,server=off,addr.type=unix,addr.path="
        + wire.path, "-device", "virtio-net-pci,netdev=other,addr=0a.0"]
        ).wait_listening()
    a = lab.vm("a", transfer=wire.path).wait_boot()
    _, words, lines = preflight(a)
    check_in("No such device or address", words)
    check_line(lines, "^device 0000:00:04.0 is the transfer NIC of the source, "
               "but not that of the target")
    check(len(lines) == 1, "more than that: %s" % lines)


def test_interrupt_mode(lab):
    a, _ = lab.pair(target={"append": "nolapic"})
    _, words, lines = preflight(a)
    check_in("Operation not supported", words)
    check_line(lines, "^interrupt mode xapic on the source, pic on the target")


def test_capability(lab):
    """Opening a file is not enough."""
    vm = lab.vm("a").wait_boot()
    vm.must("nocap sh -c 'echo 7 > /sys/power/pm_freeze_timeout'")
    for name, value in (("state", "pmsm"), ("pmsm/listen", NIC),
                        ("pmsm/preflight", "1"), ("pmsm/blast", "1"),
                        ("pmsm/target", "52:54:00:00:02:01"),
                        ("pmsm/nic", NIC), ("pmsm/timeout", "3")):
        status, words = vm.run("nocap sh -c 'echo %s > /sys/power/%s'"
                               % (value, name))
        check(status != 0, "%s can be written" % name)
        check_in(EPERM, words, name)
    check(vm.must("cat /sys/power/pmsm/timeout") == "10", "it was set")
    check("pmsm: listening" not in vm.console(), "it listens")


def forbidden(vm, words):
    """Neither asking nor moving nor listening, and the reason is named."""
    for name, value in (("state", "pmsm"), ("pmsm/listen", NIC)):
        status, output = vm.run("echo %s > /sys/power/%s" % (value, name))
        check(status != 0, "%s can be written" % name)
        check_in(EPERM, output, name)
    check_in(words % "source", vm.console(), "the console")
    check_in(words % "target", vm.console(), "the console")
    status, output, lines = preflight(vm)
    check(status != 0, "it is said that it can move")
    check_in(EPERM, output)
    check_line(lines, words % "source")


def test_lockdown(lab):
    vm = lab.vm("a", transfer=lab.bad_wire().path,
                append="lockdown=integrity").wait_boot()
    vm.must("echo 1 > /sys/power/pmsm/timeout")
    check("pmsm" not in vm.must("cat /sys/power/state"), "pmsm is offered")
    forbidden(vm, "the kernel of the %s is locked down")


def test_secret_memory(lab):
    """Also of a target that listens already."""
    wire = lab.bad_wire().path
    b = lab.vm("b", transfer=wire).wait_boot()
    a = lab.vm("a", transfer=wire).wait_boot()
    a.must("echo 1 > /sys/power/pmsm/timeout")
    secret = "secret > /tmp/secret & echo $! > /tmp/secret.pid"
    ready = "while ! grep -q holding /tmp/secret; do sleep 0.1; done"
    a.must("%s; %s" % (secret, ready))
    forbidden(a, "a process on the %s has secret memory")
    a.must("kill $(cat /tmp/secret.pid); sleep 0.2")
    b.must("echo %s > /sys/power/pmsm/listen &" % NIC)
    b.wait_listening()
    check_ok(a)
    b.must("%s; %s" % (secret, ready))
    _, words, lines = preflight(a)
    check_in(EPERM, words)
    check_line(lines, "^a process on the target has secret memory")
    check_in(EPERM, try_move(a), "the error")
    b.must("kill $(cat /tmp/secret.pid); sleep 0.2")
    check_ok(a)


def hello(session, flags=bytes(4), src=MAC):
    """One that no target likes, but has to answer."""
    payload = b"?" * FLAGS + flags
    payload += bytes(HELLO_LEN - len(payload))
    return frame(HELLO, payload, session=session, src=src)


def address(vm):
    return bytes((0x52, 0x54, 0, 0, 2, vm.lab.number(vm.name)))


def answers(wire, vm):
    """The types of all frames that a machine has sent."""
    return [f.pmsm_type for f in frames.read(wire)
            if f.bytes[6:12] == address(vm)]


def test_no_answer(lab):
    """A frame without a valid header is not answered."""
    wire = lab.bad_wire(log=True)
    b = lab.vm("b", transfer=wire.path, append="pmsm.listen=" + NIC)
    b.wait_listening()
    stranger = Stranger(wire.path)
    good = hello(9)
    # The checksum does not cover the addresses before that
    for at in range(12, HEADER.size):
        bad = bytearray(good)
        bad[at] ^= 0x40
        stranger.send(bytes(bad))
    payload = good[HEADER.size:]
    for bad in (
            good[:HEADER.size], good[:HEADER.size - 1], good[:20], good[:3],
            good[:-1],
            frame(HELLO, payload, session=9, dst=b"\x52\x54\0\0\4\4"),
            frame(HELLO, payload, session=9, dst=b"\1\0\x5e\0\0\1"),
            frame(HELLO, payload, session=9, src=b"\xff" * 6),
            frame(HELLO, payload, session=9, src=bytes(6)),
            frame(HELLO, payload, session=9, ethertype=0x88b6),
            frame(HELLO, payload, session=9, magic=1),
            frame(HELLO, payload, session=9, magic=1, version=9),
            frame(HELLO, payload, session=0),
            frame(HELLO, payload[:-1], session=9),
            frame(HELLO, payload + b"x", session=9),
            frame(HELLO, b"", session=9),
            frame(REFUSE, payload[:20], session=9)):
        stranger.send(bad)
    time.sleep(1)
    check(not answers(wire, b), "answered: %s" % answers(wire, b))
    check("asks" not in b.console(), "taken for a HELLO")
    # And it does listen
    stranger.send(good)
    stranger.receive(REFUSE)


def test_few_answers(lab):
    """Two listeners of different versions do not shout at each other for ever."""
    wire = lab.bad_wire(log=True)
    b = lab.vm("b", transfer=wire.path, append="pmsm.listen=" + NIC)
    b.wait_listening()
    stranger = Stranger(wire.path)
    other = frame(HELLO, b"?" * 50, version=9)
    for _ in range(500):
        stranger.send(other)
    time.sleep(0.5)
    count = answers(wire, b).count(REFUSE)
    check(1 <= count <= 20, "%d answers to 500 frames" % count)


def description(devices):
    return (bytes(NR_DEVICES) + devices.to_bytes(2, "big")).ljust(HELLO_LEN,
                                                                   b"\0")


def answer(a, stranger, messages, old):
    """Have a machine ask, and answer it; returns what it makes of that."""
    a.send("echo 1 > " + PREFLIGHT)
    fields, _ = stranger.receive(HELLO)
    while fields[8] in old:
        # It was said again while the answer was on its way
        fields, _ = stranger.receive(HELLO)
    old.add(fields[8])
    for seq, (kind, payload) in enumerate(messages):
        stranger.send(frame(kind, payload, dst=fields[1], seq=seq, ack=1,
                            session=fields[8]))
    a.adopt()
    return a.must("cat " + PREFLIGHT).splitlines()


def test_bad_target(lab):
    """A source believes nothing that a target says."""
    a = lab.vm("a", transfer=lab.bad_wire().path).wait_boot()
    a.must("echo 2 > /sys/power/pmsm/timeout")
    # So that it listens to him whatever he says
    a.must("echo %s > /sys/power/pmsm/target" % MAC.hex(":"))
    stranger = Stranger(a.transfer)
    verdict = (VERDICT, bytes(4) + b"fine\n")
    old = set()
    for messages in (
            [(ACCEPT, description(1)[:-1])],
            [(ACCEPT, description(1) + b"\0")],
            [(ACCEPT, description(1)), (ACCEPT, description(1))],
            [(ACCEPT, description(1)), (DEVICES, bytes(2 * 12))],
            [(ACCEPT, description(1)), (DEVICES, bytes(13))],
            [(ACCEPT, description(0)), (DEVICES, b"")],
            [(ACCEPT, description(0xffff)), verdict],
            [(ACCEPT, description(0)), (VERDICT, bytes(3))],
            [(DEVICES, bytes(12))], [verdict], [(READY, b"")]):
        check_line(answer(a, stranger, messages, old), "makes no sense")
    # A word too long, and one that is no error number
    lines = answer(a, stranger, [
        (ACCEPT, description(0)),
        (VERDICT, b"\xff" * 4 + b"a\x1b[1m\n" + b"x" * 1300)], old)
    check_line(lines, r"^a\?\[1m$")
    check_line(lines, "^x{1300}$")


def free_kib(vm):
    vm.must("echo 3 > /proc/sys/vm/drop_caches")
    return int(vm.must("sed -n 's/MemFree: *//p' /proc/meminfo").split()[0])


def test_flood(lab):
    """Many who ask, and do not wait for an answer, cost nothing that stays."""
    wire = lab.bad_wire(log=True)
    b = lab.vm("b", transfer=wire.path).wait_boot()
    b.must("echo %s > /sys/power/pmsm/listen &" % NIC)
    b.wait_listening()
    stranger = Stranger(wire.path)
    stranger.send(hello(5))
    stranger.receive(REFUSE)
    before, lines = free_kib(b), len(b.console().splitlines())
    for number in range(300):
        stranger.send(hello(1000 + number))
    for number in range(100):
        stranger.send(hello(2000 + number, DRY_RUN))
        fields, _ = stranger.receive(VERDICT)
        stranger.send(frame(ACK, bytes(128), session=fields[8],
                            ack=fields[9] + 1))
        # Or both may be taken at once
        time.sleep(0.01)
    # And who does not say that he has heard it
    for number in range(100):
        stranger.send(hello(3000 + number, DRY_RUN))
    time.sleep(3)
    refused = answers(wire, b).count(REFUSE)
    check(refused >= 100, "%d were refused" % refused)
    lost = before - free_kib(b)
    say("%d KiB have gone" % lost)
    check(lost < 512, "%d KiB have gone" % lost)
    lines = len(b.console().splitlines()) - lines
    check(lines < 300, "%d lines in the log" % lines)
    a = lab.vm("a", transfer=wire.path).wait_boot()
    check_ok(a)


main(sys.modules[__name__])
