# SPDX-License-Identifier: GPL-2.0-only
"""Machines under QEMU, for moving from one to another.

All of a test's machines live in a Lab: a temporary folder with their sockets
and logs.  Leaving the Lab ends everything in it.  Machines of one Lab have
the same devices in the same PCI slots, so that each can become any other.
"""

import functools
import json
import os
import re
import selectors
import shutil
import socket
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
NIC = "0000:00:04.0"
SPLAT = re.compile(r"WARNING:|BUG:|INFO: possible|INFO: task|suspicious|"
                   r"\bstall|Oops|Call Trace|general protection|"
                   r"Kernel panic|soft lockup|hung task|UBSAN|KASAN")


# For slow kernels that need much memory: test_hardened.py
PATIENCE = float(os.environ.get("PMSM_PATIENCE", 1))
MEMORY = int(os.environ.get("PMSM_MEMORY", 1))
APPEND = os.environ.get("PMSM_APPEND", "")


class Timeout(Exception):
    """Something did not happen in time."""


def wait_for(what, timeout, condition):
    """Wait until condition() is true and return what it returned."""
    end = time.monotonic() + timeout * PATIENCE
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise Timeout("%s: not in %g s" % (what, timeout))
        time.sleep(0.02)


def run_script(*words):
    """Run a script that prints a path."""
    return subprocess.run(words, check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def compiled(name, folder):
    """A C program of ours for this host, made in a folder."""
    program = os.path.join(folder, name)
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-o", program,
                    os.path.join(HERE, name + ".c")], check=True)
    return program


@functools.cache
def tsc_khz():
    """The frequency of this host's time stamp counter."""
    with tempfile.TemporaryDirectory() as folder:
        return run_script(compiled("tsc", folder))


def listening(path):
    """Whether somebody listens at a unix socket."""
    with open("/proc/net/unix") as table:
        return any(fields[3] == "00010000" and fields[-1] == path
                   for fields in map(str.split, table))


class Vm:
    """One machine."""

    def __init__(self, lab, name, memory=256, cpus=1, append="", disks=(),
                 mac=None, mtu=9000, cpu="max", kernel=None, transfer="direct",
                 ordinary=True, address=None, root=None, private=False,
                 extra=(), station=None, saved=None):
        """A disk is a path, or "nbd:" and the path of a server's socket.

        With root, a disk, the machine boots from that; private keeps what it
        writes there to itself.  Without, from the initramfs.

        The station is the last byte of its addresses.  With saved, what save()
        has written, it does not boot but goes on as that machine, which must
        have had the same settings.
        """
        self.lab, self.name, self.cpus = lab, name, cpus
        self.memory, self.append = memory * MEMORY, append
        self.disks, self.mtu, self.cpu = disks, mtu, cpu
        self.kernel = kernel or lab.kernel
        self.transfer, self.ordinary, self.address = transfer, ordinary, address
        self.mac, self.root, self.private = mac, root, private
        self.extra = list(extra)
        self.expected = []
        self.station, self.saved = station, saved
        self.process = None
        self.shell = None
        self.marks = 0
        self.buffer = b""

    def path(self, what):
        return os.path.join(self.lab.folder, self.name + "." + what)

    def transfer_netdev(self):
        if self.transfer == "direct":
            first = self.lab.first_on_wire()
            return ("stream,id=transfer,server=%s,addr.type=unix,addr.path=%s"
                    % ("on" if first else "off", self.lab.wire))
        return ("stream,id=transfer,server=off,addr.type=unix,addr.path=%s"
                % self.transfer)

    def drive(self, index, disk):
        """QEMU's words for one disk."""
        if disk.startswith("nbd:"):
            where = "nbd+unix:///?socket=" + disk[4:]
        else:
            # Several machines share it, and take turns
            where = disk + ",file.locking=off"
        private = self.private and disk == self.root
        return ["-drive", "file=%s,format=raw,if=none,id=disk%d%s"
                % (where, index, ",snapshot=on" if private else ""),
                "-device", "virtio-blk-pci,drive=disk%d,addr=%02x.0,share-rw=on"
                % (index, 5 + index)]

    def command(self):
        number = self.station or self.lab.number(self.name)
        cmd = ["qemu-system-x86_64", "-M", "q35,memory-backend=ram",
               "-accel", "tcg,thread=multi", "-cpu", self.cpu,
               "-m", str(self.memory), "-smp", str(self.cpus),
               "-object", "memory-backend-ram,id=ram,size=%dM,prealloc=on"
               % self.memory,
               "-nodefaults", "-display", "none", "-no-reboot",
               "-kernel", self.kernel]
        if not self.root:
            cmd += ["-initrd", self.lab.initrd]
        for what in ("console", "shell", "tick"):
            where = ("file,id=%s,path=%s" % (what, self.path("log"))
                     if what == "console" else
                     "socket,id=%s,server=on,wait=off,path=%s"
                     % (what, self.path(what)))
            cmd += ["-chardev", where, "-serial", "chardev:" + what]
        cmd += ["-qmp", "unix:%s,server=on,wait=off" % self.path("qmp")]
        if self.ordinary:
            mac = self.mac or "52:54:00:00:01:%02x" % number
            cmd += ["-netdev", "stream,id=lan,server=off,addr.type=unix,"
                    "addr.path=" + self.lab.hub().path
                    if self.address else "user,id=lan,restrict=on",
                    "-device", "virtio-net-pci,netdev=lan,addr=03.0,mac=" + mac]
        if self.transfer:
            cmd += ["-netdev", self.transfer_netdev(), "-device",
                    "virtio-net-pci,netdev=transfer,id=xfer,addr=04.0,"
                    "disable-legacy=on,rx_queue_size=1024,host_mtu=%d,"
                    "mac=52:54:00:00:02:%02x" % (self.mtu, number)]
        disks = ([self.root] if self.root else []) + list(self.disks)
        for index, disk in enumerate(disks):
            cmd += self.drive(index, disk)
        # On a busy host an emulator is late, and a kernel takes that for a
        # fault of its timer, or of its measurements
        line = "console=ttyS0 no_timer_check tsc_early_khz=%s " % tsc_khz()
        line += "pmsmtest.host=%s " % self.name
        if self.root:
            line += "root=/dev/vda rw "
        if self.transfer:
            line += "pmsm_virtio_net.nic=%s " % NIC
        if self.address:
            line += "pmsmtest.ip=%s " % self.address
        if self.saved:
            cmd += ["-incoming", "defer"]
        return cmd + self.extra + ["-append", " ".join((line, APPEND,
                                                        self.append))]

    def start(self):
        """Start the machine; it needs time to boot."""
        with open(self.path("err"), "w") as err:
            self.process = subprocess.Popen(self.command(), stderr=err,
                                            stdin=subprocess.DEVNULL)
        wait_for("%s: QEMU" % self.name, 20, lambda: not self.alive() or
                 listening(self.path("qmp")))
        if not self.alive():
            raise RuntimeError("%s: QEMU: %s" % (
                self.name, open(self.path("err")).read().strip()))
        if self.transfer == "direct":
            # Who comes too early does not get a second chance
            wait_for("the wire", 10, lambda: listening(self.lab.wire))
        if self.saved:
            self.load()
        return self

    def wait_migrated(self):
        """Until QEMU has saved or loaded a machine."""
        def status():
            info = self.qmp("query-migrate")
            if info.get("status") == "failed":
                raise RuntimeError("%s: QEMU: %s" % (self.name, info))
            return info.get("status") == "completed"
        wait_for("%s: QEMU's migration" % self.name, 60, status)

    def save(self, path):
        """Stop the machine for good, and write all that it is to a file."""
        self.qmp("stop")
        self.qmp("migrate-set-parameters", **{"max-bandwidth": 1 << 33})
        self.qmp("migrate", uri="exec:cat > " + path)
        self.wait_migrated()
        self.kill()

    def load(self):
        # Addresses are announced at once if at all, and not later.  Never does
        # not work: QEMU 7.2 crashes when the guest resets its NIC after that.
        self.qmp("migrate-set-parameters", **{"announce-rounds": 1,
                                              "announce-initial": 1})
        self.qmp("migrate-incoming", uri="exec:cat " + self.saved)
        self.wait_migrated()
        self.qmp("cont")

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def was_ended(self):
        """Whether QEMU was told to end, which kill() does not do."""
        with open(self.path("err")) as err:
            return "terminating on signal" in err.read()

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def wait_exit(self, timeout=20):
        """Wait until the machine has powered itself off."""
        try:
            self.process.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            raise Timeout("%s: not off in %g s" % (self.name, timeout))

    def console(self):
        try:
            with open(self.path("log"), errors="replace") as log:
                return log.read()
        except FileNotFoundError:
            return ""

    def wait_console(self, pattern, timeout=30, start=0):
        """Wait for a pattern on the console; start is an offset into it."""
        def look():
            return re.search(pattern, self.console()[start:])
        try:
            return wait_for("%s: /%s/ on the console" % (self.name, pattern),
                            timeout, look)
        except Timeout:
            if not self.alive():
                raise Timeout("%s is off, without /%s/ on its console"
                              % (self.name, pattern))
            raise

    def may_say(self, *words):
        """Lines with these words are what a test is about."""
        self.expected += words

    def splats(self):
        return [line for line in self.console().splitlines()
                if SPLAT.search(line) and
                not any(word in line for word in self.expected)]

    def wait_boot(self, timeout=60):
        self.wait_console("guest ready", timeout)
        self.adopt()
        return self

    def wait_listening(self, timeout=60):
        self.wait_console("listening for a machine", timeout)
        return self

    def adopt(self, timeout=20):
        """Start talking to the machine that runs here now."""
        if self.shell is None:
            self.shell = socket.socket(socket.AF_UNIX)
            self.shell.connect(self.path("shell"))
        self.buffer = b""
        end = time.monotonic() + timeout * PATIENCE
        while True:
            try:
                if self.run("echo hello", 2)[1] == "hello":
                    return self
            except Timeout:
                if time.monotonic() > end:
                    raise
                # Half a line may have been lost on the way
                self.shell.sendall(b"\n")

    def send(self, line):
        """Type a line without waiting for anything."""
        self.shell.sendall(line.encode() + b"\n")

    def run(self, cmd, timeout=30):
        """Run a command there; returns its exit status and what it printed."""
        self.marks += 1
        mark = "@%d@" % self.marks
        end = "" if cmd.rstrip().endswith("&") else ";"
        self.send("{ %s%s } 2>&1; echo %s$?%s" % (cmd, end, mark, mark))
        pattern = re.compile((r"%s(\d+)%s\r?\n" % (mark, mark)).encode())
        end = time.monotonic() + timeout * PATIENCE
        looked = 0
        while True:
            found = pattern.search(self.buffer, looked)
            if found:
                output = self.buffer[:found.start()].decode(errors="replace")
                self.buffer = self.buffer[found.end():]
                return int(found.group(1)), output.replace("\r", "").strip()
            # Not again and again through all of a long output
            looked = max(0, len(self.buffer) - 2 * len(mark) - 8)
            left = end - time.monotonic()
            if left <= 0:
                raise Timeout("%s: \"%s\": not done in %g s; printed %r"
                              % (self.name, cmd, timeout, self.buffer[-300:]))
            self.shell.settimeout(left)
            try:
                data = self.shell.recv(65536)
            except socket.timeout:
                continue
            if not data:
                raise Timeout("%s is off, at \"%s\"" % (self.name, cmd))
            self.buffer += data

    def must(self, cmd, timeout=30):
        """Run a command that has to succeed; returns what it printed."""
        status, output = self.run(cmd, timeout)
        if status:
            raise RuntimeError("%s: \"%s\" failed (%d): %s"
                               % (self.name, cmd, status, output))
        return output

    def program(self, line, timeout=60):
        """Start one of the guest programs and wait until it is ready."""
        status = "/tmp/status.%d" % self.marks
        self.must("%s --status %s > /tmp/out.%d 2>&1 & echo $! > %s.pid"
                  % (line, status, self.marks, status))
        self.must("n=0; while [ ! -s %s ] && [ $n -lt %d ]; do n=$((n+1)); "
                  "sleep 0.2; done; grep ^ready %s" %
                  (status, timeout * 5, status), timeout + 5)
        return status

    def verdict(self, status, timeout=60):
        """Tell a guest program to check itself; returns its verdict."""
        return self.must("kill -USR1 $(cat %s.pid); n=0; while grep -q ^ready "
                         "%s && [ $n -lt %d ]; do n=$((n+1)); sleep 0.2; done;"
                         " cat %s" % (status, status, timeout * 5, status),
                         timeout + 5)

    def qmp(self, command, **arguments):
        """Tell QEMU something; returns its answer."""
        qmp = socket.socket(socket.AF_UNIX)
        qmp.connect(self.path("qmp"))
        stream = qmp.makefile("rw")
        stream.readline()
        for words in ({"execute": "qmp_capabilities"},
                      {"execute": command, "arguments": arguments}):
            stream.write(json.dumps(words) + "\n")
            stream.flush()
            answer = {}
            while "return" not in answer:
                answer = json.loads(stream.readline())
                if "error" in answer:
                    raise RuntimeError("%s: %s: %s" % (self.name, command,
                                                       answer["error"]))
        qmp.close()
        return answer["return"]

    def unplug(self, plugged=False):
        """Pull the cable out of the transfer NIC, or put it back."""
        self.qmp("set_link", name="xfer", up=plugged)


class Hub:
    """Frames that come in at one port go out at all others."""

    def __init__(self, lab, name, options=(), log=False):
        self.path = os.path.join(lab.folder, name)
        self.log = open(self.path + ".log", "w")
        self.frame_log = self.path + ".frames"
        if log:
            options = (*options, "--log", self.frame_log)
        self.process = subprocess.Popen(
            [lab.relay_binary(), *options, self.path],
            stdin=subprocess.PIPE, stdout=self.log, stderr=self.log)
        wait_for("hub", 10, lambda: os.path.exists(self.path))

    def tell(self, word):
        """A line that relay.c takes."""
        self.process.stdin.write(word.encode() + b"\n")
        self.process.stdin.flush()

    def said(self, word):
        """What relay.c has said about something, in order."""
        with open(self.log.name) as log:
            return [line.split(None, 1)[1].strip() for line in log
                    if line.startswith(word + " ") and line.endswith("\n")]

    def kill(self):
        self.process.kill()
        self.process.wait()


class ClockProbe:
    """The clocks of a machine that runs the guest program now.

    As NTP does it: the answer that came back soonest is the best, and was made
    in the middle between question and answer.
    """

    def __init__(self, vm, tries=40):
        best = None
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(vm.path("tick"))
            line.settimeout(1)
            for _ in range(tries):
                asked = time.monotonic_ns()
                line.sendall(b"?")
                answer = self.answer(line)
                took = time.monotonic_ns() - asked
                if answer and (best is None or took < best):
                    best = took
                    self.here = asked + took // 2
                    self.real, self.mono, self.boot = answer
        if best is None:
            raise Timeout("%s does not tell the time" % vm.name)
        self.error = best / 2e6

    @staticmethod
    def answer(line):
        """Three numbers; None if the question was lost, as an early one is."""
        data = b""
        try:
            while not data.endswith(b"\n"):
                data += line.recv(4096)
        except socket.timeout:
            return None
        words = data.split()
        return tuple(map(int, words)) if len(words) == 3 else None

    def ahead(self, which, other):
        """By how many ms a clock has gained on ours since another probe."""
        return ((getattr(self, which) - self.here) -
                (getattr(other, which) - other.here)) / 1e6


class TickMeter:
    """The longest time that a process in the machine stood still.

    The guest program tick writes a byte every 2 ms to its third serial line;
    here arrivals are noted, from all machines that it runs on in turn.
    """

    def __init__(self, *vms):
        self.selector = selectors.DefaultSelector()
        self.last = None
        self.longest = 0.0
        self.count = 0
        self.running = True
        for vm in vms:
            self.add(vm)
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()

    def add(self, vm):
        """Listen to one more machine."""
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(vm.path("tick"))
        sock.setblocking(False)
        self.selector.register(sock, selectors.EVENT_READ)

    def loop(self):
        while self.running:
            for key, _ in self.selector.select(0.2):
                try:
                    data = key.fileobj.recv(4096)
                except OSError:
                    data = b""
                if not data:
                    self.selector.unregister(key.fileobj)
                    continue
                now = time.monotonic()
                if self.last is not None:
                    self.longest = max(self.longest, now - self.last)
                self.last = now
                self.count += len(data)

    def reset(self):
        self.longest = 0.0

    def stop(self):
        """Returns the longest gap in ms."""
        self.running = False
        self.thread.join()
        return self.longest * 1000


class Lab:
    """Everything that one test starts."""

    def __init__(self):
        self.tests = os.path.dirname(HERE)
        self.folder = tempfile.mkdtemp(prefix="pmsm")
        self.wire = os.path.join(self.folder, "wire")
        self.vms, self.hubs, self.the_hub, self.names = [], [], None, []
        self.relay = None

    # Made when the first machine starts: some tests need none

    @functools.cached_property
    def kernel(self):
        return os.environ.get("PMSM_KERNEL") or self.build_kernel()

    @functools.cached_property
    def initrd(self):
        return run_script(os.path.join(self.tests, "make-root"))

    def build_kernel(self, name="test", tag=""):
        """A kernel of tests/qemu; None where only the tree's own can be.

        With a tag, uname -v is another.
        """
        build = os.path.join(os.path.dirname(self.tests), "scripts",
                             "build-kernel")
        if os.path.exists(build):
            return run_script("env", "BUILD_TAG=" + tag, build, name)
        if name != "test":
            return None
        # In a kernel tree: what has been built there
        tree = os.environ.get("KBUILD_OUTPUT") or os.path.join(
            self.tests, *[".."] * 4)
        image = os.path.join(tree, "arch/x86/boot/bzImage")
        if not os.path.exists(image):
            raise RuntimeError("no kernel at %s: build one with "
                               "tests/qemu/base.config and tests/config, or "
                               "set PMSM_KERNEL" % image)
        return image

    def add_file(self, path):
        """Put a file into the root of all machines that start later."""
        whole = os.path.join(self.folder, "initrd")
        extra = subprocess.run(
            ["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], check=True,
            cwd=os.path.dirname(path), stdout=subprocess.PIPE,
            input=os.path.basename(path).encode() + b"\n").stdout
        with open(self.initrd, "rb") as old:
            start = old.read()
        # The kernel takes archives one after the other, at multiples of 4
        with open(whole, "wb") as new:
            new.write(start + b"\0" * (-len(start) % 4) + extra)
        self.initrd = whole

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for vm in self.vms:
            vm.kill()
        for hub in self.hubs:
            hub.kill()
        keep = os.environ.get("PMSM_LOGS")
        if keep:
            os.makedirs(keep, exist_ok=True)
            for name in os.listdir(self.folder):
                if name.endswith((".log", ".err")):
                    shutil.copy(os.path.join(self.folder, name), keep)
        shutil.rmtree(self.folder, ignore_errors=True)

    def number(self, name):
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name) + 1

    def first_on_wire(self):
        return not os.path.exists(self.wire)

    def relay_binary(self):
        if self.relay is None:
            self.relay = compiled("relay", self.folder)
        return self.relay

    def hub(self, log=False):
        """The ordinary network, with a switch that learns addresses."""
        if self.the_hub is None:
            self.the_hub = self.bad_wire("--switch", "1", log=log)
        return self.the_hub

    def bad_wire(self, *options, log=False):
        """A cable with a relay in it; its path is for Vm(transfer=).

        With log, lib/frames.py can tell what went over it.
        """
        hub = Hub(self, "hub%d" % len(self.hubs), options, log)
        self.hubs.append(hub)
        return hub

    def vm(self, name, **settings):
        vm = Vm(self, name, **settings)
        self.vms.append(vm)
        return vm.start()

    def pair(self, source=None, target=None, timeout=None, **settings):
        """A target that listens, and a source that has booted.

        The time-out, in seconds, is how long each is patient with the other.
        """
        target_settings = dict(settings, **(target or {}))
        source_settings = dict(settings, **(source or {}))
        append = target_settings.pop("append", "")
        listen = NIC + (",timeout=%d" % timeout if timeout else "")
        b = self.vm("b", append="pmsm.listen=%s %s" % (listen, append),
                    **target_settings)
        # It is connected to all networks now: ports are counted in that order
        wait_for("b's console", 20, b.console)
        a = self.vm("a", **source_settings)
        a.wait_boot()
        b.wait_listening()
        if timeout:
            a.must("echo %d > /sys/power/pmsm/timeout" % timeout)
        return a, b

    def disk(self, name, mib, ext4=True):
        """A disk image with an empty file system, for several machines."""
        path = os.path.join(self.folder, name)
        with open(path, "wb") as image:
            image.truncate(mib << 20)
        if ext4:
            subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", path],
                           check=True)
        return path

    def splats(self):
        return ["%s: %s" % (vm.name, line) for vm in self.vms
                for line in vm.splats()]


def move(source, target, timeout=120):
    """Move what runs on one machine to another, and go on with it there."""
    start = len(target.console())
    source.send("echo pmsm > /sys/power/state; echo moved $?")
    target.wait_console(r"moved in \d+ ms", timeout, start)
    target.adopt()
    source.wait_exit(20)
    return target.console()[start:]


def try_move(source, timeout=60):
    """Try to move; returns the shell's words about an error, "" for none."""
    return source.run("echo pmsm > /sys/power/state", timeout)[1]


def follow(vm, start, end, timeout=300):
    """Print what a console says about a move until a pattern comes."""
    seen, until = start, time.monotonic() + timeout
    while time.monotonic() < until:
        text = vm.console()[seen:]
        whole = text.rfind("\n") + 1
        for line in text[:whole].splitlines():
            if "pmsm" in line:
                print("  target | " + line.split("pmsm: ", 1)[-1], flush=True)
            if re.search(end, line):
                return
        seen += whole
        time.sleep(0.05)
    raise Timeout("%s: /%s/ on the console: not in %g s" % (vm.name, end, timeout))
