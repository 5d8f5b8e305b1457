#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What belongs to the machine follows it: network, disk, time, and its story."""

import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "lib"))

import frames
from ktap import check, check_in, main, say
from nbd import NbdDisk
from pmsmvm import NIC, ClockProbe, move, try_move

MAC = "52:54:00:00:01:77"
# CLOCK_REALTIME after a move, in ms
TIME_ERROR = 20


def tell_time(vm):
    vm.must("now /dev/ttyS2 > /dev/null 2>&1 &")


def test_time(lab):
    """The clocks go on, whatever the target's real-time clock says."""
    a, b = lab.pair(target={"extra": ["-rtc", "base=2021-05-05T10:00:00"]})
    programs = [a.program("clocks run"), a.program("overdue run --late 400")]
    tell_time(a)
    before = ClockProbe(a)
    move(a, b)
    after = ClockProbe(b)
    real, boot = after.ahead("real", before), after.ahead("boot", before)
    pause = -after.ahead("mono", before)
    say("REALTIME %+.2f ms, BOOTTIME %+.2f ms, MONOTONIC stood still for "
        "%.0f ms, each known to %.2f ms"
        % (real, boot, pause, before.error + after.error))
    check(abs(real) < TIME_ERROR, "REALTIME is off by %.1f ms" % real)
    check(abs(boot) < TIME_ERROR, "BOOTTIME is off by %.1f ms" % boot)
    check(after.mono > before.mono, "MONOTONIC went back")
    check(pause > 50, "MONOTONIC did not stand still: was there a move?")
    for status in programs:
        verdict = b.verdict(status)
        say(verdict)
        check(verdict.startswith("ok"), verdict)
    overdue = int(re.search(r"overdue=(\d+)", b.must("cat " + programs[1]))
                  .group(1))
    check(overdue > 0, "no timer fell due in the pause")


def test_time_after_failure(lab):
    """A source that stays keeps its clocks right as well."""
    wire = lab.bad_wire()
    a, _b = lab.pair(transfer=wire.path, timeout=3)
    tell_time(a)
    before = ClockProbe(a)
    wire.tell("cut 400")
    check_in("timed out", try_move(a))
    after = ClockProbe(a)
    real = after.ahead("real", before)
    say("REALTIME %+.2f ms" % real)
    check(abs(real) < TIME_ERROR, "REALTIME is off by %.1f ms" % real)


def test_network(lab):
    """No frame leaves the wrong machine; all interfaces are announced."""
    lan = lab.hub(log=True)
    wire = lab.bad_wire(log=True)
    both = {"address": "10.0.0.2/24", "mac": MAC, "transfer": wire.path}
    a, b = lab.pair(source=both, target=both)
    # In the order in which they came: b, a, c
    c = lab.vm("c", transfer=None, address="10.0.0.3/24").wait_boot()
    a.must("echo 0 > /proc/sys/net/ipv6/conf/all/disable_ipv6; "
           "echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6")
    a.must("ip -6 address add fd00::2/64 dev eth0; "
           "ip link add link eth0 name eth0.5 type vlan id 5; "
           "ip address add 10.5.0.2/24 dev eth0.5; ip link set eth0.5 up; "
           "ip link add name br0 type bridge; "
           "ip link add link eth0 name eth0.6 type vlan id 6; "
           "ip link set eth0.6 master br0; ip link set eth0.6 up; "
           "ip address add 10.6.0.2/24 dev br0; ip link set br0 up")
    a.must("ip link add name idle0 type dummy; "
           "ip address add 10.7.0.2/24 dev idle0")
    c.must("ping -c 3 -w 20 10.0.0.2")
    a.must("ping 10.0.0.3 > /dev/null 2>&1 &")
    time.sleep(2)
    move(a, b)
    c.must("ping -c 3 -w 20 10.0.0.2")
    time.sleep(1)

    commit = [f for f in frames.read(wire) if f.pmsm_type == frames.COMMIT]
    check(commit, "no COMMIT on the wire")
    target, source = [[f for f in frames.read(lan) if f.port == port]
                      for port in (0, 1)]
    check(source and target, "no frames")
    say("last frame of the source %.1f ms before the decision, first of the "
        "target %.1f ms after it"
        % ((commit[0].time - source[-1].time) / 1e6,
           (target[0].time - commit[-1].time) / 1e6))
    check(source[-1].time < commit[0].time,
          "the source sent a frame after the decision")
    check(target[0].time > commit[0].time,
          "the target sent a frame before the decision")

    told = {f.announces() for f in target}
    for what in ("10.0.0.2", "fd00::2", "vlan 5 10.5.0.2", "vlan 6 10.6.0.2"):
        check(what in told, "%s was not announced, but %s" % (what, told))
    check(not any("10.7.0.2" in what for what in told if what),
          "an interface that is down was announced")
    check("::1" not in told, "the loopback address was announced")
    check("advertised our address" not in b.console(), "it heard itself")
    first = min(f.time for f in target if f.announces())
    say("announced %.1f ms after the target's first frame"
        % ((first - target[0].time) / 1e6))


def test_tcp_peer(lab):
    """A peer holds its data back, and goes on as soon as the machine does."""
    lan, wire = lab.hub(log=True), lab.bad_wire(log=True)
    both = {"address": "10.0.0.2/24", "mac": MAC, "transfer": wire.path}
    a, b = lab.pair(source=both, target=both)
    client = lab.vm("c", transfer=None, address="10.0.0.3/24").wait_boot()
    server = a.program("tcpserver run 7777 --conns 1")
    ask = client.program("tcpclient run 10.0.0.2 7777 --period 2")
    a.program("memfill run --mib 60")
    time.sleep(1)
    move(a, b)
    client.must("sleep 1")
    for vm, status in ((client, ask), (b, server)):
        verdict = vm.verdict(status)
        check(verdict.startswith("ok"), verdict)
    decided = frames.decisions(wire)[0]
    target, source, peer = [[f for f in frames.read(lan) if f.port == port
                             and f.tcp()] for port in (0, 1, 2)]
    check(any(f.tcp()[0] == 0 for f in source), "no window was closed")
    check(max(f.time for f in source) < decided, "a segment too late")
    went_on = min(f.time for f in target)
    asked = min(f.time for f in peer if f.time > went_on and f.tcp()[1])
    say("the peer went on %.1f ms after the machine, which had stood still "
        "for %.0f ms" % ((asked - went_on) / 1e6,
                         (went_on - source[-1].time) / 1e6))
    check(asked - went_on < 100e6, "the peer waited for its own timer")


def test_disk_order(lab):
    """Each machine writes to the shared disk when it is its turn only."""
    disk = NbdDisk(lab, lab.disk("disk", 128))
    wire = lab.bad_wire(log=True)
    number, moves = 0, 5
    vm = lab.vm("m0", disks=[disk.name], transfer=wire.path).wait_boot()
    vm.must("mount /dev/vda /mnt")
    files = vm.program("files run /mnt")
    for number in range(1, moves + 1):
        target = lab.vm("m%d" % number, disks=[disk.name], transfer=wire.path,
                        append="pmsm.listen=" + NIC).wait_listening()
        move(vm, target)
        vm = target
    time.sleep(1)
    verdict = vm.verdict(files)
    check(verdict.startswith("ok"), verdict)
    synced = re.search(r"synced=(\d+)", verdict).group(1)
    vm.must("sync; umount /mnt")
    vm.must("mount /dev/vda /mnt && files check /mnt --synced %s; umount /mnt"
            % synced)
    vm.kill()
    commits = frames.decisions(wire)
    check(len(commits) == moves, "%d decisions" % len(commits))
    say(disk.check_turns(commits))
    fsck = subprocess.run(["/sbin/e2fsck", "-fn", disk.path], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    check(fsck.returncode == 0, fsck.stdout)


def value(vm, name):
    return vm.must("cat /sys/power/pmsm/" + name)


def test_statistics(lab):
    """The moved machine tells of its move, in sysfs, log and trace."""
    a, b = lab.pair()
    check(value(a, "phase") == "idle", "phase of an idle machine")
    check(value(a, "moves") == "0", "moves before any")
    a.must("mount -t tracefs tracefs /sys/kernel/tracing; "
           "echo 1 > /sys/kernel/tracing/events/pmsm/enable")
    a.program("memfill run --mib 30")
    start = time.monotonic()
    move(a, b)
    took = (time.monotonic() - start) * 1e6
    check(value(b, "phase") == "idle", "phase after the move")
    check(value(b, "progress") == "100", "progress after the move")
    check(value(b, "moves") == "1", "moves after one")
    check(value(b, "last_result") == "0", "result")
    check(value(b, "stats/remaining_bytes") == "0", "remaining")
    b.wait_console("settled after")
    down, total, setup = [int(value(b, "stats/%s_us" % what))
                          for what in ("downtime", "total_time", "setup")]
    check(abs(total - setup - down) <= 2,
          "%d + %d is not %d" % (setup, down, total))
    check(0 < total < took, "%d us in %d" % (total, took))
    names = b.must("cd /sys/power/pmsm/phases && ls").split()
    phases = {name: int(value(b, "phases/" + name)) for name in names}
    check(len(phases) == 12, "phases: %s" % names)
    settle = phases.pop("settle_us")
    check(0 < settle < 5000000, "settled after %d us" % settle)
    check(abs(sum(phases.values()) - total) < 10, "phases do not add up")
    pages = int(value(b, "stats/normal_pages"))
    sent = int(value(b, "stats/transferred_bytes"))
    check(sent == pages * 4096 and sent > 30 << 20, "%d bytes" % sent)
    check(int(value(b, "stats/duplicate_pages")) > 0, "no zero pages")
    rate = int(value(b, "stats/throughput"))
    check(abs(rate - sent * 1e6 / phases["stream_us"]) < rate / 50,
          "throughput %d" % rate)
    began = int(value(b, "stats/began_ns"))
    check(abs(began / 1e9 - time.time()) < 60, "began at %d" % began)
    many = b.must("for f in $(find /sys/power/pmsm -type f -perm -400); do "
                  "n=$(wc -l < $f); [ $n -le 1 ] || echo $f; done")
    check(many in ("", "/sys/power/pmsm/nics"),
          "more than one value: " + many)
    trace = b.must("cat /sys/kernel/tracing/trace")
    for name in names:
        check_in("name=" + name[:-3], trace, "the trace")
    check_in("pmsm_moved: normal=%d" % pages, trace, "the trace")


def test_statistics_of_failure(lab):
    a, b = lab.pair(target={"memory": 192})
    a.must("mount -t tracefs tracefs /sys/kernel/tracing; "
           "echo 1 > /sys/kernel/tracing/events/pmsm/enable")
    check_in("No space left", try_move(a))
    check(value(a, "last_result") == "-28", value(a, "last_result"))
    check_in("is not memory on the target", value(a, "last_reason"))
    check(value(a, "moves") == "0", "moves after a failure")
    check_in("pmsm_failed: side=source error=-28",
             a.must("cat /sys/kernel/tracing/trace"), "the trace")
    check(b.alive(), "the target is gone")


def test_random(lab):
    """What comes out of the random number generator is not in the image."""
    a, b = lab.pair()
    start = len(b.console())
    move(a, b)
    check_in("crng reseeded due to virtual machine fork",
             b.console()[start:], "the console")


main(sys.modules[__name__])
