#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The target comes up, and only then the source gives its word.

Whatever goes wrong before that, the source runs on with its clients'
connections, and the target is gone.
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "lib"))

import faults
import frames
from ktap import check, check_in, main, say
from pmsmvm import NIC, PATIENCE, move, try_move, wait_for
from wire import COMMIT, COMMITTED, PREPARE, READY, RESET, RESUMED

BOTH = {"address": "10.0.0.2/24", "mac": "52:54:00:00:01:77"}
NOT_MOVED = "not moved, this machine goes on"
DOUBT = "halted, and asking on"
WAITS = "ready to run, but the source does not say so"


class Setting:
    """A server that is to move, and a client with two connections to it."""

    def __init__(self, lab, target="", source="", **settings):
        self.lan = lab.hub(log=True)
        self.wire = lab.bad_wire(log=True)
        both = dict(BOTH, transfer=self.wire.path)
        # Connected to the network in this order: b is port 0, a is port 1
        self.a, self.b = lab.pair(source=dict(both, append=source),
                                  target=dict(both, append=target), timeout=2,
                                  **settings)
        self.a.must("echo %d > /sys/power/pmsm/resume_timeout"
                    % (6 * PATIENCE))
        self.client = lab.vm("c", transfer=None,
                             address="10.0.0.3/24").wait_boot()
        self.server = self.a.program("tcpserver run 7777 --conns 2")
        self.clients = [
            self.client.program("tcpclient run 10.0.0.2 7777 " + how)
            for how in ("", "--stream")]

    def setting(self, name, value):
        self.a.must("echo %s > /sys/module/pmsm/parameters/%s" % (value, name))

    def start(self):
        self.a.send("echo pmsm > /sys/power/state; echo done")

    def frames(self, port):
        """What a machine has sent into the network."""
        return [f for f in frames.read(self.lan) if f.port == port]

    def netconsole(self, port):
        """Lines of its console that a machine has sent into the network."""
        return [f for f in self.frames(port) if f.udp()]

    def on_wire(self, kind):
        """Frames of that type that either has sent over the transfer NIC."""
        return [f for f in frames.read(self.wire) if f.pmsm_type == kind]

    def leave_behind(self):
        """A target that is ready, and does not hear that the source runs."""
        self.wire.tell("drop %d" % READY)
        self.start()
        wait_for("READY", 60, lambda: self.on_wire(READY))
        self.wire.tell("cut")
        self.a.wait_console(NOT_MOVED, 20)
        self.a.adopt()

    def hears(self):
        """A target that waits, and does not decide, hears that the source runs."""
        self.b.wait_console(WAITS, 10)
        time.sleep(1)
        check(self.b.alive(), "it has decided by itself")
        self.wire.tell("mend")
        self.b.wait_exit(10)
        check_in("the source has called it off", self.b.console(),
                 "the console")
        self.quiet()
        self.runs(self.a)

    def stays(self, why, timeout=30):
        """The move fails, and the clients see no more than a pause."""
        check_in(why, try_move(self.a, timeout), "the error")
        self.runs(self.a)
        self.quiet()

    def quiet(self):
        """The target has not been seen."""
        sent = self.frames(0)
        check(not sent, "the target has sent %d frames: %s"
              % (len(sent), [f.bytes[:48].hex() for f in sent[:3]]))

    def runs(self, vm):
        """All that ran before runs there."""
        self.client.must("sleep 2")
        for machine, status in [(self.client, c) for c in self.clients] + [
                (vm, self.server)]:
            verdict = machine.verdict(status)
            say(verdict)
            check(verdict.startswith("ok"), verdict)


def test_device_fails(lab):
    """A device that does not come up on the target."""
    it = Setting(lab)
    it.setting("test_restore", "fail")
    it.stays("Input/output error")
    check_in("pmsm-test pmsm-test: error -5",
             it.a.must("cat /sys/power/pmsm/last_reason"))
    it.b.wait_exit(10)
    check_in("this machine goes off", it.b.console(), "the target's console")


def test_disk_waits(lab):
    """A disk that cannot stop, since it waits for a write to another one."""
    it = Setting(lab)
    it.setting("test_freeze", "write")
    it.stays("Device or resource busy", timeout=60)
    check_in("its devices do not stop", it.a.must("cat /sys/power/pmsm/last_reason"))
    it.b.wait_console("listening again", 10)
    it.setting("test_freeze", "ok")
    move(it.a, it.b)


def test_target_panics(lab):
    it = Setting(lab, source="panic=1")
    it.b.may_say("Kernel panic", "Call Trace")
    it.setting("test_restore", "panic")
    it.stays("Connection timed out")
    check_in("did not come up with it in", it.a.console(),
             "the source's console")
    it.b.wait_exit(10)


def test_link_cut(lab):
    """The target comes up, and nobody is there."""
    it = Setting(lab)
    it.wire.tell("drop %d" % RESUMED)
    it.stays("Connection timed out")
    it.b.wait_exit(10)
    check_in("the source does not answer; this machine goes off",
             it.b.console(), "the target's console")
    check(not it.on_wire(READY), "READY without an answer to RESUMED")


def test_ready_lost(lab):
    """The source gives up.  The target waits, until it hears of that."""
    it = Setting(lab)
    it.leave_behind()
    it.hears()


def test_ready_acknowledged(lab):
    """The source has heard READY, says so, and fails; its RESET is lost."""
    it = Setting(lab)
    faults.prepare(it.a)
    faults.arm(it.a, "commit")
    # READY is repeated, and a source that hears it twice answers at once
    it.wire.tell("trap %d" % READY)
    it.start()
    wait_for("READY", 60, lambda: len(it.on_wire(READY)) > 20)
    it.wire.tell("mend\ndrop %d" % RESET)
    it.a.wait_console(NOT_MOVED, 20)
    it.a.adopt()
    heard = len(it.on_wire(READY))
    time.sleep(1)
    # Nearly always: the source has to see READY twice at once
    say("READY was %sacknowledged"
        % ("not " * (len(it.on_wire(READY)) > heard)))
    it.hears()


def test_next_attempt(lab):
    """A target that was left behind does not keep the source from moving."""
    it = Setting(lab)
    it.leave_behind()
    # The transfer NIC is taken out of the hands of what answers
    it.a.must("echo 0000:00:04.0 > "
              "/sys/bus/pci/drivers/pmsm_virtio_net/unbind; "
              "echo 0000:00:04.0 > /sys/bus/pci/drivers/pmsm_virtio_net/bind")
    it.wire.tell("mend")
    time.sleep(1)
    check(it.b.alive(), "somebody has answered")
    target = lab.vm("d", append="pmsm.listen=" + NIC, transfer=it.wire.path,
                    **BOTH).wait_listening()
    move(it.a, target)
    it.b.wait_exit(10)
    it.quiet()
    it.runs(target)


def test_commit_lost(lab):
    """Nobody runs while nobody can know, and one does once the link works."""
    it = Setting(lab)
    it.wire.tell("drop %d" % COMMIT)
    it.start()
    it.a.wait_console(DOUBT, 60)
    it.b.wait_console(WAITS, 10)
    sent = len(it.frames(1))
    time.sleep(1)
    check(NOT_MOVED not in it.a.console(), "it does not know, and runs")
    check(len(it.frames(1)) == sent, "the source has sent frames")
    it.quiet()
    it.wire.tell("mend")
    it.a.wait_exit(10)
    it.b.adopt()
    it.runs(it.b)


def test_committed_lost(lab):
    """The target runs, and the source does not."""
    it = Setting(lab)
    it.wire.tell("drop %d" % COMMITTED)
    it.start()
    it.a.wait_console(DOUBT, 60)
    it.b.adopt()
    it.runs(it.b)
    check(it.a.alive() and NOT_MOVED not in it.a.console(), "both run")
    # The target still says it
    it.wire.tell("mend")
    it.a.wait_exit(10)


def in_doubt(lab, policy):
    it = Setting(lab)
    check_in("halt", it.a.must("cat /sys/power/pmsm/in_doubt"))
    it.a.must("echo %s > /sys/power/pmsm/in_doubt" % policy)
    it.wire.tell("drop %d" % COMMITTED)
    it.start()
    return it


def test_doubt_off(lab):
    it = in_doubt(lab, "off")
    it.a.wait_exit(60)
    check_in("powering off (in_doubt=off)", it.a.console(), "the console")
    it.b.adopt()
    it.runs(it.b)


def test_doubt_run(lab):
    """The operator says that the target is dead, and sees to it."""
    it = Setting(lab)
    it.a.must("echo run > /sys/power/pmsm/in_doubt")
    it.wire.tell("drop %d" % COMMIT)
    it.start()
    it.b.wait_console(WAITS, 60)
    it.b.kill()
    it.a.wait_console(NOT_MOVED, 30)
    check_in("make sure that the target does not", it.a.console())
    it.a.adopt()
    it.runs(it.a)


def content(disk):
    with open(disk, "rb") as image:
        return image.read()


def test_gate(lab):
    """While it waits, the target is not there: neither network nor disk."""
    disk = lab.disk("disk", 64)
    # It says on its console that it waits, and that is in the network, too
    it = Setting(lab, disks=[disk], source="netconsole=@10.0.0.2/eth0,"
                 "@10.0.0.3/ff:ff:ff:ff:ff:ff")
    it.a.must("mount /dev/vda /mnt; echo 10 > /proc/sys/vm/dirty_writeback_centisecs; "
              "echo 10 > /proc/sys/vm/dirty_expire_centisecs")
    files = it.a.program("files run /mnt")
    check(it.netconsole(1), "netconsole is silent on the source")
    it.wire.tell("drop %d" % COMMIT)
    it.start()
    it.b.wait_console(WAITS, 60)
    before = content(disk)
    time.sleep(3)
    check(content(disk) == before, "the target has written to the disk")
    it.quiet()
    it.wire.tell("mend")
    it.b.adopt()
    it.runs(it.b)
    verdict = it.b.verdict(files)
    check(verdict.startswith("ok"), verdict)
    it.b.must("echo here > /dev/kmsg")
    check(it.netconsole(0), "netconsole is silent on the target")


def test_gate_queue(lab):
    """Writes that wait in the queue of a disk when devices stop."""
    disk = lab.disk("disk", 64)
    it = Setting(lab, disks=[disk])
    it.a.qmp("block_set_io_throttle", device="disk0", bps=0, bps_rd=0,
             bps_wr=1 << 20, iops=0, iops_rd=0, iops_wr=0)
    # Write-back never catches up, and waits for room in the queue
    it.a.must("mount /dev/vda /mnt; cd /sys/block/vda/queue; "
              "echo 4 > nr_requests; echo 16 > max_sectors_kb; cd /proc/sys/vm; "
              "echo 1 > dirty_background_bytes; echo 2097152 > dirty_bytes")
    it.a.must("(while :; do dd if=/dev/urandom of=/mnt/busy bs=64k count=64 "
              "conv=notrunc 2>/dev/null; done) >/dev/null 2>&1 &")
    time.sleep(1)
    it.wire.tell("drop %d" % PREPARE)
    it.start()
    wait_for("PREPARE", 60, lambda: it.on_wire(PREPARE))
    before = content(disk)
    it.wire.tell("drop %d" % COMMIT)
    it.b.wait_console(WAITS, 60)
    check(content(disk) == before, "the target has written to the disk")
    it.wire.tell("mend")
    it.b.adopt()
    it.runs(it.b)
    check(content(disk) != before, "the target does not write")


main(sys.modules[__name__])
