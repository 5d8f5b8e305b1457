#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Whatever goes wrong, exactly one machine runs the work afterwards."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "lib"))

from ktap import Skip, check, check_in, main
from pmsmvm import NIC, move, try_move
from wire import ACCEPT, HELLO, REFUSE, VERSION, Stranger, frame

TIMED_OUT = "Connection timed out"
# Frames after which a stream is under way, and not over
IN_STREAM = 2000
NOT_MOVED = "not moved, this machine goes on"


def survives(source, filled, log):
    """The source runs, and has said what was wrong."""
    check_in(log, source.console(), "the source's console")
    words_said = source.must("dmesg | grep pmsm | tail -n 5")
    check_in("pmsm", words_said)
    if filled:
        verdict = source.verdict(filled)
        check(verdict.startswith("ok"), verdict)


def failing(lab, words, log, target_log, target=None, source=None, **settings):
    a, b = lab.pair(target=target, source=source, **settings)
    filled = a.program("memfill run --mib 20")
    check_in(words, try_move(a), "the error")
    b.wait_console(target_log, 20)
    survives(a, filled, log)


def test_no_target(lab):
    a = lab.vm("a", transfer=lab.bad_wire().path).wait_boot()
    filled = a.program("memfill run --mib 20")
    a.must("echo 2 > /sys/power/pmsm/timeout")
    check_in(TIMED_OUT, try_move(a), "the error")
    survives(a, filled, "no target answers")


def test_other_kernel(lab):
    other = lab.build_kernel("other")
    if not other:
        raise Skip("needs a second kernel")
    failing(lab, "Exec format error", "kernel release",
            "refused .*kernel release", target={"kernel": other})


def test_other_build(lab):
    """The same release and configuration, but not the same kernel."""
    rebuilt = lab.build_kernel("rebuilt", tag="2")
    if not rebuilt:
        raise Skip("needs a second kernel")
    failing(lab, "Exec format error", "kernel build",
            "refused .*kernel build", target={"kernel": rebuilt})


def test_little_memory(lab):
    failing(lab, "No space left", "is not memory on the target",
            "refused .*is not memory on the target", target={"memory": 192})


def test_full_target(lab):
    """The target is as large, but somebody uses its memory."""
    wire = lab.bad_wire().path
    b = lab.vm("b", transfer=wire).wait_boot()
    a = lab.vm("a", transfer=wire).wait_boot()
    kept = b.program("memfill run --percent 70")
    filled = a.program("memfill run --percent 50")
    b.send("echo %s > /sys/power/pmsm/listen" % NIC)
    b.wait_console("listening for")
    check_in("No space left", try_move(a), "the error")
    b.wait_console("listening again")
    survives(a, filled, "but room for")
    check(b.alive(), "the target is gone")
    check(kept, "")


def test_few_features(lab):
    failing(lab, "Operation not supported", "CPU lacks",
            "refused .*CPU lacks .*aes", target={"cpu": "max,-aes"})


def test_few_cpus(lab):
    failing(lab, "Operation not supported", "2 CPUs on the source, 1 on the",
            "refused .*2 CPUs on the source", source={"cpus": 2})


def test_pm_test(lab):
    """A debugging aid of hibernation, or a wakeup event, is not a move."""
    a, b = lab.pair()
    filled = a.program("memfill run --mib 20")
    for level in ("freezer", "core"):
        start = len(b.console())
        a.must("echo %s > /sys/power/pm_test" % level)
        check_in("resource busy", try_move(a), "the error")
        b.wait_console("listening again", 20, start)
        survives(a, filled if level == "core" else None,
                 "a wakeup event or pm_test ended it")
        check(a.must("cat /sys/power/pmsm/moves") == "0", "it has moved")
    a.must("echo none > /sys/power/pm_test")
    move(a, b)


def test_unplugged(lab):
    a, b = lab.pair()
    a.unplug()
    check_in("Link has been severed", try_move(a), "the error")
    survives(a, None, "is the cable plugged in")
    a.unplug(plugged=True)
    move(a, b)


def test_unplugged_target(lab):
    """A target whose cable is out at boot says so and goes on booting."""
    wire = lab.bad_wire()
    b = lab.vm("b", transfer=wire.path).wait_boot()
    b.unplug()
    status, output = b.run("echo %s > /sys/power/pmsm/listen" % NIC)
    check(status != 0, "listening without a cable worked")
    check_in("Link has been severed", output)


def cut_at(lab, frames):
    wire = lab.bad_wire()
    a, b = lab.pair(transfer=wire.path, timeout=3)
    filled = a.program("memfill run --mib 30")
    wire.tell("cut %d" % frames)
    check_in(TIMED_OUT, try_move(a, 120), "the error")
    b.wait_console("listening again", 120)
    survives(a, None, "has fallen silent")
    wire.tell("mend")
    time.sleep(0.5)
    move(a, b)
    verdict = b.verdict(filled)
    check(verdict.startswith("ok"), verdict)


def test_cut_in_stream(lab):
    cut_at(lab, IN_STREAM)


def test_cut_in_map(lab):
    cut_at(lab, 16)


def killed(lab, when, on_source=False):
    wire = lab.bad_wire()
    a, b = lab.pair(transfer=wire.path, timeout=3)
    filled = a.program("memfill run --mib 100")
    wire.tell("cut %d" % IN_STREAM)
    a.send("echo pmsm > /sys/power/state; echo done")
    (a if on_source else b).wait_console(when)
    b.kill()
    a.wait_console(NOT_MOVED, 60)
    a.adopt()
    survives(a, filled, "has fallen silent")


def test_target_killed_in_freeze(lab):
    # Not before the source has heard that it may go
    killed(lab, r"target \S+ accepts", on_source=True)


def test_target_killed_in_stream(lab):
    killed(lab, r"receiving: +\d+%")


def test_source_killed(lab):
    """The target goes back to listening, and takes the next one."""
    wire = lab.bad_wire()
    a, b = lab.pair(transfer=wire.path, timeout=3)
    a.program("memfill run --mib 100")
    # So that it has not moved before it is killed
    wire.tell("cut %d" % IN_STREAM)
    a.send("echo pmsm > /sys/power/state")
    b.wait_console(r"receiving: +\d+%")
    a.kill()
    b.wait_console("has fallen silent", 30)
    b.wait_console("listening again", 30)
    wire.tell("mend")
    c = lab.vm("c", transfer=wire.path).wait_boot()
    filled = c.program("memfill run --mib 20")
    move(c, b)
    verdict = b.verdict(filled)
    check(verdict.startswith("ok"), verdict)


def bad_listen(lab, text, words):
    vm = lab.vm("a", append="pmsm.listen=" + text).wait_boot()
    check_in(words, vm.console(), "the console")


def test_listen_nonsense(lab):
    bad_listen(lab, "nonsense", "nonsense")


def test_listen_unknown_setting(lab):
    bad_listen(lab, NIC + ",colour=red", 'unknown setting "colour=red"')


def test_listen_bad_number(lab):
    bad_listen(lab, NIC + ",timeout=soon", "timeout=soon is not a number")


def test_listen_no_such_nic(lab):
    bad_listen(lab, "0000:00:1e.7", "there is no NIC 0000:00:1e.7")


def test_listen_wait(lab):
    vm = lab.vm("a", append="pmsm.listen=%s,wait=2" % NIC).wait_boot()
    check_in("nobody came in 2000 ms", vm.console(), "the console")


def test_listen_bound_nic(lab):
    vm = lab.vm("a").wait_boot()
    status, output = vm.run("echo 0000:00:03.0 > /sys/power/pmsm/listen")
    check(status != 0, "listening on a NIC of another driver worked")
    check_in("is bound to the driver virtio-pci", vm.console(), "the console")


def test_driver_override(lab):
    """Giving a NIC to the driver, and back, while the machine runs."""
    vm = lab.vm("a").wait_boot()
    nic = "/sys/bus/pci/devices/0000:00:03.0"
    vm.must("echo pmsm_virtio_net > %s/driver_override" % nic)
    vm.must("echo 0000:00:03.0 > /sys/bus/pci/drivers/virtio-pci/unbind")
    vm.must("echo 0000:00:03.0 > /sys/bus/pci/drivers_probe")
    check_in("0000:00:03.0", vm.must("cat /sys/power/pmsm/nics"), "nics")
    status, _ = vm.run("echo pmsm > /sys/power/state")
    check(status != 0, "moved with two NICs to choose from")
    check_in("there are several transfer NICs", vm.console(), "the console")
    vm.must("echo 0000:00:03.0 > /sys/bus/pci/drivers/pmsm_virtio_net/unbind")
    vm.must("echo > %s/driver_override; echo 0000:00:03.0 > "
            "/sys/bus/pci/drivers_probe" % nic)
    check(vm.must("ls /sys/class/net | grep -c eth") == "1", "no eth0 again")


def test_bad_settings(lab):
    vm = lab.vm("a").wait_boot()
    for name, value in (("target", "rubbish"), ("timeout", "0"),
                        ("timeout", "-3"), ("target", "00:00:00:00:00:00")):
        status, output = vm.run("echo %s > /sys/power/pmsm/%s" % (value, name))
        check(status != 0, "%s=%s was accepted" % (name, value))
        check_in("Invalid argument", output)


def test_nohibernate(lab):
    vm = lab.vm("a", append="nohibernate").wait_boot()
    check("pmsm" not in vm.must("cat /sys/power/state"), "pmsm is offered")
    check_in("Operation not permitted", try_move(vm), "the error")


def test_garbage_frames(lab):
    wire = lab.bad_wire().path
    a, b = lab.pair(transfer=wire)
    stranger = Stranger(wire)
    stranger.garbage(2000)
    time.sleep(1)
    check("asks to move" not in b.console(), "garbage was taken for a HELLO")
    move(a, b)


def test_other_version(lab):
    wire = lab.bad_wire().path
    b = lab.vm("b", transfer=wire, append="pmsm.listen=" + NIC)
    b.wait_listening()
    stranger = Stranger(wire)
    stranger.send(frame(HELLO, b"?" * 100, version=9))
    _, payload = stranger.receive(REFUSE)
    check_in("protocol version 9 there, %d here" % VERSION, payload.decode("latin-1"))
    b.wait_console("protocol version 9 there, %d here" % VERSION)
    # And a source that meets such a target
    a = lab.vm("a", transfer=lab.bad_wire().path).wait_boot()
    stranger = Stranger(a.transfer)
    a.send("echo pmsm > /sys/power/state")
    fields, _ = stranger.receive(HELLO)
    stranger.send(frame(ACCEPT, dst=fields[1], session=fields[8], version=9))
    a.wait_console("speaks another protocol version", 10)
    a.adopt()


main(sys.modules[__name__])
