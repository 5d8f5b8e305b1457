#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A running machine moves, and all that runs in it goes on."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "lib"))

from ktap import Skip, check, check_in, main, say
from pmsmvm import NIC, TickMeter, move


def verify(vm, *programs):
    for status in programs:
        verdict = vm.verdict(status, 120)
        check(verdict.startswith("ok"), verdict)
        say(verdict)


def fill(lab, memory, percent, **settings):
    a, b = lab.pair(memory=memory, **settings)
    filled = a.program("memfill run --percent %d --procs 3" % percent, 120)
    say(a.must("free | sed -n 2p"))
    move(a, b)
    say("\n".join(re.findall(r"pmsm: (moved.*|phase.*)", b.console())))
    verify(b, filled)


def test_memory_50(lab):
    fill(lab, 256, 50)


def test_memory_90(lab):
    fill(lab, 1024, 90)


def cached(vm):
    return int(vm.must("awk '/^Buffers:/ { print $2 }' /proc/meminfo")) >> 10


def test_caches_make_way(lab):
    """Both machines have all memory in use, but half of that is cache."""
    disk = lab.disk("disk", 120)
    wire = lab.bad_wire().path
    b = lab.vm("b", transfer=wire, disks=[disk]).wait_boot()
    a = lab.vm("a", transfer=wire, disks=[disk]).wait_boot()
    for vm in (a, b):
        # The cache of a block device goes with its last user
        vm.must("sleep 1000 < /dev/vda & cat /dev/vda > /dev/null")
        check(cached(vm) > 110, "only %d MiB of cache" % cached(vm))
    b.program("memfill run --mib 50")
    filled = a.program("memfill run --mib 50")
    b.send("echo %s > /sys/power/pmsm/listen" % NIC)
    b.wait_listening()
    move(a, b)
    left = cached(b)
    check(10 < left < 100, "%d MiB of cache left" % left)
    verify(b, filled)


def test_two_cpus(lab):
    a, b = lab.pair(cpus=2)
    programs = [a.program("cpuhog run --threads 2 --duty 50"),
                a.program("fpu run"), a.program("memfill run --mib 30")]
    move(a, b)
    check(b.must("nproc") == "2", "a CPU did not come back")
    verify(b, *programs)


def text_address(vm):
    return int(vm.must("grep ' _text$' /proc/kallsyms | cut -d ' ' -f 1"), 16)


def test_kaslr(lab):
    """Source and target kernel lie elsewhere in memory."""
    wire = lab.bad_wire().path
    a = lab.vm("a", transfer=wire).wait_boot()
    source = text_address(a)
    for number in range(5):
        b = lab.vm("b%d" % number, transfer=wire).wait_boot()
        if text_address(b) != source:
            break
        b.kill()
    check(text_address(b) != source, "five kernels lie at %#x" % source)
    filled = a.program("memfill run --mib 20")
    b.send("echo %s > /sys/power/pmsm/listen" % NIC)
    b.wait_listening()
    move(a, b)
    check(text_address(b) == source, "the moved kernel is not the source's")
    verify(b, filled)


def test_work(lab):
    a, b = lab.pair(cpus=2)
    programs = [a.program("ipc run"), a.program("clocks run"),
                a.program("memfill run --mib 20 --file /tmp/shared")]
    a.must("dd if=/dev/urandom of=/tmp/random bs=1M count=8 2>/dev/null")
    digest = a.must("md5sum < /tmp/random")
    move(a, b)
    check(b.must("md5sum < /tmp/random") == digest, "tmpfs file has changed")
    verify(b, *programs)


def test_disk(lab):
    disk = lab.disk("disk", 128)
    a, b = lab.pair(disks=[disk])
    a.must("mount /dev/vda /mnt")
    files = a.program("files run /mnt")
    move(a, b)
    verdict = b.verdict(files)
    check(verdict.startswith("ok"), verdict)
    synced = re.search(r"synced=(\d+)", verdict).group(1)
    b.must("sync; umount /mnt")
    b.must("mount /dev/vda /mnt && files check /mnt --synced %s; umount /mnt"
           % synced)
    b.kill()
    fsck = subprocess.run(["/sbin/e2fsck", "-fn", disk], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    check(fsck.returncode == 0, fsck.stdout)


def test_tcp(lab):
    """A client on a third machine keeps its connections."""
    mac = "52:54:00:00:01:77"
    both = {"address": "10.0.0.2/24", "mac": mac}
    a, b = lab.pair(source=both, target=both)
    client = lab.vm("c", transfer=None, address="10.0.0.3/24").wait_boot()
    server = a.program("tcpserver run 7777 --conns 2")
    ask = client.program("tcpclient run 10.0.0.2 7777")
    stream = client.program("tcpclient run 10.0.0.2 7777 --stream")
    move(a, b)
    client.must("sleep 3")
    verify(client, ask, stream)
    verify(b, server)


def test_ten_moves(lab):
    wire = lab.bad_wire().path
    vm = lab.vm("m0", transfer=wire).wait_boot()
    filled = vm.program("memfill run --percent 40 --procs 2")
    pid = vm.must("cat %s.pid" % filled)
    for number in range(1, 11):
        target = lab.vm("m%d" % number, transfer=wire,
                        append="pmsm.listen=" + NIC).wait_listening()
        move(vm, target)
        vm = target
        check(vm.must("cat %s.pid; kill -0 %s" % (filled, pid)) == pid,
              "the process is gone")
    verify(vm, filled)


def test_pause(lab):
    """What a process inside sees, from outside."""
    a, b = lab.pair()
    a.must("tick /dev/ttyS2 > /dev/null 2>&1 &")
    meter = TickMeter(a, b)
    a.must("sleep 1")
    move(a, b)
    b.must("sleep 1")
    check(meter.count > 100, "only %d ticks" % meter.count)
    say("longest gap %.0f ms" % meter.stop())



def take_nic(vm):
    """Load the driver where the ordinary one has the NIC already."""
    vm.must("insmod /pmsm_xfer.ko")
    vm.must("echo %s > /sys/bus/pci/drivers/virtio-pci/unbind" % NIC)
    vm.must("insmod /pmsm_virtio_net.ko nic=" + NIC)
    check_in(NIC, vm.must("cat /sys/power/pmsm/nics"), "the transfer NICs")


def test_modules(lab):
    """User space loads the driver, then listens, as an initramfs would."""
    kernel = lab.build_kernel("modules")
    if not kernel:
        raise Skip("needs a kernel with the driver as a module")
    build = os.path.join(os.path.dirname(kernel), "../../..")
    for name in ("pmsm_xfer", "pmsm_virtio_net"):
        lab.add_file(os.path.join(build, "drivers/net/pmsm_xfer",
                                  name + ".ko"))
    b = lab.vm("b", kernel=kernel).wait_boot()
    a = lab.vm("a", kernel=kernel).wait_boot()
    take_nic(a)
    take_nic(b)
    b.send("echo %s > /sys/power/pmsm/listen" % NIC)
    b.wait_console("listening for a machine")
    filled = a.program("memfill run --mib 40")
    move(a, b)
    verdict = b.verdict(filled)
    check(verdict.startswith("ok"), verdict)
    b.must("rmmod pmsm_virtio_net pmsm_xfer")


main(sys.modules[__name__])
