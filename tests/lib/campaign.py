# SPDX-License-Identifier: GPL-2.0-only
"""Many moves, each with a fault at a step chosen at random.

A database server moves from machine to machine while a client watches it.  It
goes on from run to run; who runs it in the end of one is the source of the
next.  Machines that are needed again and again are not booted but loaded as
they were once: the server, and targets that listen.
"""

import collections
import csv
import os
import random
import selectors
import shutil
import socket
import time

import faults
import nbd
from database import MAC, SERVER, Database
from frames import Frame
from judge import WORD, Judge
from pmsmvm import NIC, SPLAT, Timeout, wait_for
from wire import BULK, STEPS, TYPES

MEMORY = 512
FILL = 16
PERIOD_MS = 20
# Seconds of silence that the machines put up with
TIMEOUT = 1
# Stations, as in Vm(station=): a source that has moved is one of the latter
FIRST, LISTENERS = 1, (2, 3)
RESUME_TIMEOUT = 4
# A target whose link fails does not listen
INJECT = {"source": (*faults.SOURCE, *faults.RESTORED),
          "target": faults.TARGET[1:]}
KINDS = ("kill source", "kill target", "cut", "drop", "mangle",
         *("inject " + side for side in INJECT))
# The last of each kind of frame to wait for: all of them come in every move
MANY = {"MAP": 1, "DATA": 10000, "ZERO": 5, "ACK": 200}
# Seconds until nobody is expected to run any more: with a link that is
# impaired, when all should be well, and when the machine has been killed
DOUBT, LIMIT, DEAD = 5, 20, 3
# Then both are watched for so long: a source that halts may still wait for a
# time-out to go on
WATCH, SUSPECT = 1, RESUME_TIMEOUT + 2
KEPT, PART = 10, 5
SERVER_PORT = 3306
FIN_SYN_RST = 7
# Of the ordinary network: the first to come
CLIENT_PORT = 0

# What a machine that is not well, or its QEMU, makes of what is asked
TROUBLE = (Timeout, RuntimeError, OSError, ValueError)

Plan = collections.namedtuple(
    "Plan", "run kind step nth after delay_ms seconds mangle action")
Plan.__doc__ += """

nth: of all frames of the step's type; after: that has gone its way; delay_ms:
between that and a kill; seconds: until a cut or a drop ends, None for long;
mangle: percentages, as relay.c takes them; action: what a kernel does that
fails.
"""


def percentages(rng):
    """Of frames to lose, repeat, reorder and damage: some of these."""
    chosen = rng.sample(range(4), rng.randint(1, 4))
    return tuple(rng.randint(5, 30) if number in chosen else 0
                 for number in range(4))


def plan(seed, run):
    """What happens in a run: nothing else goes into this."""
    rng = random.Random("%d/%d" % (seed, run))
    kind = KINDS[run % len(KINDS)]
    verb, _, side = kind.partition(" ")
    step = rng.choice(INJECT[side] if verb == "inject" else STEPS)
    return Plan(
        run, kind, step,
        nth=rng.randint(1, MANY[step]) if step in BULK else 1,
        after=rng.random() < 0.5,
        delay_ms=rng.choice((0, 0, 1, 5, 20, 100)),
        # None: until somebody runs, or nobody does for long
        seconds=rng.choice((0.1, 0.4, 0.8, 1.5, 3, None)),
        mangle=percentages(rng),
        # A process that hangs is not a machine that does
        action=rng.choice(("error", "error", "panic") +
                          (() if step in faults.AWAKE else ("hang",))))


def describe(p):
    """A plan in words."""
    where = "%s %s" % ("after" if p.after else "before", p.step)
    if p.step in BULK:
        where += " number %d" % p.nth
    if p.kind in ("kill source", "kill target"):
        return "%s %s, %d ms later" % (p.kind, where, p.delay_ms)
    span = "%g s" % p.seconds if p.seconds else "good"
    if p.kind == "drop":
        return "drop %s for %s" % (p.step, span)
    if p.kind == "cut":
        return "cut %s for %s" % (where, span)
    if p.kind == "mangle":
        return "mangle %s: loss %d dup %d reorder %d flip %d %%" % (
            where, *p.mangle)
    return "%s: %s at %s" % (p.kind, p.action, p.step)


class Tail:
    """What is new in a log of frames."""

    def __init__(self, hub, path):
        self.path, self.offset = path, 0
        hub.tell("log " + path)
        wait_for("a new log", 5, lambda: os.path.exists(path))

    def frames(self):
        with open(self.path) as log:
            log.seek(self.offset)
            text = log.read()
        whole = text.rfind("\n") + 1
        self.offset += whole
        return [Frame(line) for line in text[:whole].splitlines()]


class Ears:
    """Hears the machines of one run, by their lines and the two networks."""

    def __init__(self, world, run, folder):
        self.world, self.judge = world, Judge()
        self.selector = selectors.DefaultSelector()
        self.rest = {}
        for vm in (world.source, world.target):
            self.add(vm, "shell", vm.shell)
            self.add(vm, "line", vm.line)
        self.lan = Tail(world.lan, os.path.join(folder, "lan.%d.frames" % run))
        self.wire = Tail(world.wire,
                         os.path.join(folder, "wire.%d.frames" % run))
        # Frame types on the wire, and when they first came
        self.types = {}
        # By the client's port: when the server answered last, and whether it
        # was opened or closed
        self.answers, self.breaks = {}, set()
        self.connection = self.early = None

    def add(self, vm, channel, sock):
        self.selector.register(sock, selectors.EVENT_READ, (vm, channel))
        self.rest[vm, channel] = b""

    def close(self):
        self.selector.close()

    def listen(self, seconds=0.01):
        """Take in what is there, and wait for more for so long."""
        until = time.monotonic() + seconds
        while True:
            left = max(0, until - time.monotonic())
            for key, _ in self.selector.select(left):
                self.hear_line(key)
            if not left:
                break
        self.hear_frames()

    def hear_line(self, key):
        vm, channel = key.data
        try:
            data = key.fileobj.recv(4096, socket.MSG_DONTWAIT)
        except OSError:
            data = b""
        if not data:
            self.selector.unregister(key.fileobj)
            return
        data = self.rest[vm, channel] + data
        done = 0
        for word in WORD.finditer(data):
            self.judge.hear(time.time_ns(), vm.name, channel,
                            int(word.group(1)))
            done = word.end()
        self.rest[vm, channel] = data[done:][-40:]

    def hear_frames(self):
        for frame in self.wire.frames():
            if frame.pmsm_type is not None:
                self.types.setdefault(frame.pmsm_type, frame.time)
        for frame in self.lan.frames():
            self.hear_lan(frame)

    def hear_lan(self, frame):
        who = self.world.at_port(frame.port)
        if who and who is self.world.target and not self.early:
            self.early = frame.time
        flow = frame.tcp_flow()
        if flow and SERVER_PORT in flow[:2]:
            self.hear_tcp(frame.time, *flow)
        word = frame.udp() and WORD.match(frame.udp())
        if word and who:
            self.judge.hear(frame.time, who.name, "network",
                            int(word.group(1)))

    def hear_tcp(self, when, source, target, flags, length):
        port = target if source == SERVER_PORT else source
        if flags & FIN_SYN_RST:
            self.breaks.add(port)
        elif length and source == SERVER_PORT:
            # A client that had to connect again has another port
            self.connection = self.connection or port
            self.answers[port] = when

    def answered(self):
        """When the client last got an answer over its first connection."""
        return self.answers.get(self.connection, 0)

    def seen(self, name):
        """When a type of frame first came, or None."""
        return self.types.get(TYPES[name])

    def over(self):
        """Who says that the attempt is over, or None."""
        first = self.judge.first("shell")
        return first and first[1]


class World:
    """A server, its client, and a target."""

    def __init__(self, lab):
        self.lab = lab
        self.wire = lab.bad_wire(log=True)
        self.lan = lab.hub(log=True)
        for name in ("MAP", "DATA", "ZERO", "ACK"):
            self.wire.tell("quiet %d" % TYPES[name])
        self.source = self.target = None
        # Per machine: its ports of wire and lan, and its connection to the disk
        self.ports, self.users = {}, {}
        self.made = self.worlds = 0
        self.saved = {}
        self.db = Database(lab, memory=MEMORY, wire=self.wire,
                           disk=lambda path: nbd.NbdDisk(lab, path))
        self.make_saved()

    @property
    def disk(self):
        return self.db.disk

    def make_saved(self):
        """Boot each machine that is to be loaded later."""
        db = self.db
        vm = db.machine("first", station=FIRST)
        db.serve(vm, fill=FILL)
        vm.must("echo %d > /sys/power/pmsm/timeout; "
                "echo %d > /sys/power/pmsm/resume_timeout"
                % (TIMEOUT, RESUME_TIMEOUT))
        faults.prepare(vm)
        db.beacon(vm)
        self.keep(vm)
        for station in LISTENERS:
            self.keep(self.boot_listener(station))

    def boot_listener(self, station, name="listener", append=""):
        return self.db.target(
            "%s%d" % (name, station), station=station,
            append="pmsm.listen=%s,timeout=%d %s" % (NIC, TIMEOUT, append))

    def failing_listener(self, station, words):
        """One that boots, because of more words for its kernel."""
        self.made += 1
        return self.enroll(self.boot_listener(
            station, "m%d.failing" % self.made, words))

    def keep(self, vm):
        path = os.path.join(self.lab.folder, vm.name + ".saved")
        vm.save(path)
        self.saved[vm.station] = (path, vm.append)
        self.lab.vms.remove(vm)

    def load(self, station):
        """A machine that goes on as one of those saved."""
        self.made += 1
        path, append = self.saved[station]
        # QEMU announces the server's address when it loads a listener
        self.lan.tell("only %d %d" % (CLIENT_PORT, self.port_of(self.source)))
        vm = self.lab.vm("m%d" % self.made, mac=MAC, address=SERVER + "/24",
                         root=self.disk.name, memory=MEMORY,
                         transfer=self.wire.path, station=station, saved=path,
                         append=append)
        self.lan.tell("only -1 -1")
        return self.enroll(vm)

    def enroll(self, vm):
        """Know a machine that has just started by all that it says."""
        self.ports[vm] = (self.newest_port(self.wire),
                          self.newest_port(self.lan))
        self.users[vm] = self.disk.newest()
        vm.shell = self.connect(vm, "shell")
        vm.line = self.connect(vm, "tick")
        return vm

    def port_of(self, vm):
        """A machine's port on the ordinary network."""
        return self.ports[vm][1] if vm else CLIENT_PORT

    @staticmethod
    def newest_port(hub):
        return int(hub.said("port")[-1])

    @staticmethod
    def connect(vm, what):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(vm.path(what))
        return sock

    def at_port(self, number):
        """Which machine that is on the ordinary network, None for others."""
        for vm, ports in self.ports.items():
            if ports[1] == number:
                return vm
        return None

    def discard(self, vm):
        """End a machine."""
        if vm is None:
            return
        vm.kill()
        self.ports.pop(vm, None)
        self.users.pop(vm, None)
        if vm in self.lab.vms:
            self.lab.vms.remove(vm)
        for what in ("shell", "tick", "qmp", "log", "err"):
            if os.path.exists(vm.path(what)):
                os.unlink(vm.path(what))

    def forget(self):
        """Nobody serves any more, and nobody listens."""
        for vm in (self.source, self.target):
            self.discard(vm)
        self.source = self.target = None

    def renew_disk(self):
        """As it was when the server was saved."""
        self.disk.kill()
        os.unlink(self.disk.log)
        self.lab.hubs.remove(self.disk)
        self.worlds += 1
        self.db.disk = nbd.NbdDisk(self.lab, self.db.path,
                                   "nbd%d" % self.worlds, private=True)

    def reset(self):
        """Another server, as it was in the beginning, and its client."""
        self.forget()
        if self.db.status:
            self.db.abandon()
        self.renew_disk()
        self.source = self.load(FIRST)
        self.source.adopt()
        # Not the random numbers that others had who were loaded from there
        self.source.must("perl -e 'open(F, \"+<\", \"/dev/urandom\"); print F "
                         "\"%d\"; ioctl(F, 0x5207, 0)'" % time.time_ns())
        self.db.watch(load=False, period_ms=PERIOD_MS)

    def prepare(self, words=""):
        """Somebody who serves, and somebody who listens.

        With words for the latter's kernel.
        """
        if self.source is None:
            self.reset()
        if words:
            self.discard(self.target)
            self.target = None
        station = next(station for station in LISTENERS
                       if station != self.source.station)
        if words:
            self.target = self.failing_listener(station, words)
        elif self.target is None:
            self.target = self.load(station)
        self.repair()
        self.wire.tell("only %d %d" % tuple(
            self.ports[vm][0] for vm in (self.source, self.target)))

    def repair(self):
        """The link is good again, and nothing is held."""
        self.wire.tell("mangle 0 0 0 0")
        self.wire.tell("mend")

    def settle(self, runs):
        """After a run: who runs is the source of the next."""
        source, target = self.source, self.target
        if runs is target and runs is not None:
            self.discard(source)
            self.source, self.target = target, None
        elif runs is not source or runs is None:
            self.forget()
        elif not self.listens_again(target):
            self.discard(target)
            self.target = None

    def listens_again(self, vm):
        try:
            return vm.alive() and vm.wait_console(
                "listening again", 1, vm.console_start)
        except Timeout:
            return False

    def out_of_turn(self, decided, moved, since):
        """Who has written to the disk out of turn, "" for nobody."""
        source, target = (self.users.get(vm)
                          for vm in (self.source, self.target))
        for when, user in self.disk.writes(since):
            if user == target and (not decided or when < decided):
                return "the target wrote before the decision"
            if user == source and moved and when > decided:
                return "the source wrote after the decision"
        return ""


# What is known of a run in the end, a line of runs.csv
FIELDS = ("run", "kind", "step", "plan", "reached", "decided", "survivor",
          "verdict", "connection", "rolled_back", "seconds", "why")


class Run:
    """One move with its fault, from outside."""

    def __init__(self, world, p, folder):
        self.world, self.plan = world, p
        self.source, self.target = world.source, world.target
        self.watched = (self.source, self.target, world.db.client)
        for vm in self.watched:
            vm.console_start = len(vm.console())
        self.disk_start = world.disk.size()
        self.ears = Ears(world, p.run, folder)
        # Whose kernel fails by itself
        self.victim = None
        if p.kind == "inject target" or p.step in faults.RESTORED:
            self.victim = self.target
        elif p.kind == "inject source":
            self.victim = self.source
        self.before = self.sprung()
        self.start = time.time_ns()
        # When the fault was there, and when it ends by itself
        self.fault, self.mend_at = None, None
        self.killed = None
        # Who is still there in the end, and should not be
        self.stays = None

    def go(self):
        """Returns what became of it, FIELDS, and who runs in the end."""
        self.wait_well()
        self.arm()
        self.source.send("echo pmsm > /sys/power/state; echo \"#%d;\""
                         % (self.plan.run + 1))
        if self.wait_step():
            self.strike()
        self.wait_over()
        since = time.time_ns()
        self.watch()
        self.part()
        result, runs = self.conclude(since)
        if runs:
            # The shell has to answer as well
            runs.adopt()
            if self.victim:
                faults.disarm(runs)
        return result, runs

    def wait_well(self):
        """Until the machine runs and has a client, as before each fault."""
        def well():
            self.ears.listen()
            return self.ears.answered() and self.ears.judge.heard
        wait_for("the server to answer", LIMIT, well)

    def arm(self):
        p, wire = self.plan, self.world.wire
        if p.kind == "drop":
            wire.tell("drop %d" % TYPES[p.step])
        elif p.kind == "inject source":
            faults.arm(self.source, p.step, p.action)
        elif p.kind != "inject target":
            wire.tell("trap %d %d%s" % (TYPES[p.step], p.nth,
                                        " after" if p.after else ""))

    def wait_step(self):
        """Until the step comes; returns whether it does."""
        until = time.monotonic() + LIMIT
        while time.monotonic() < until and not self.ears.over():
            self.ears.listen(0.004)
            if self.sprung() > self.before:
                return True
        return False

    def sprung(self):
        """How often what was planned has come."""
        if self.victim:
            return faults.FAILING in self.victim.console()[self.victim.console_start:]
        return sum(len(self.world.wire.said(word))
                   for word in ("trapped", "dropped"))

    def strike(self):
        p, wire = self.plan, self.world.wire
        if p.kind in ("kill source", "kill target"):
            time.sleep(p.delay_ms / 1000)
            self.killed = self.source if "source" in p.kind else self.target
            self.killed.kill()
            wire.tell("mend" if p.after else "spill")
        elif p.kind == "cut":
            wire.tell("cut")
        elif self.victim and p.action != "error":
            self.killed = self.victim
        elif p.kind == "mangle":
            wire.tell("mangle %d %d %d %d" % p.mangle)
            wire.tell("mend")
        self.fault = time.time_ns()
        if p.kind in ("cut", "drop") and p.seconds:
            self.mend_at = time.monotonic() + p.seconds

    def expected(self):
        """Whether somebody has to run in the end."""
        ears = self.ears
        if self.killed is self.source:
            # It has lived on if the target knows that it may
            return bool(ears.seen("COMMITTED"))
        if self.killed is self.target:
            return not ears.seen("COMMIT")
        return True

    def wait_over(self):
        """Until somebody runs and has done with the attempt, or long after."""
        began, mended = time.monotonic(), False
        while not self.ears.over():
            now = time.monotonic()
            patience = DEAD if not self.expected() else LIMIT
            if not mended and self.fault and not self.killed:
                patience = DOUBT
            if self.mend_at and now > self.mend_at:
                self.world.wire.tell("mend")
                self.mend_at = None
            if now - began > patience:
                if mended or not self.fault or self.killed:
                    break
                self.world.repair()
                mended, began = True, now
            self.ears.listen(0.01)

    def watch(self):
        """Whether the other side comes back, as long as it can."""
        over = self.ears.over()
        moved = over == self.target.name
        until = time.monotonic() + (SUSPECT if moved else WATCH)
        while time.monotonic() < until:
            self.ears.listen(0.1)
            if moved and not self.source.alive():
                break
        # What was on its way, and the one that goes on
        self.ears.listen(0.2)

    def part(self):
        """With a good link, a side that waits finds that it need not."""
        over = self.ears.over()
        other = self.source if over == self.target.name else self.target
        # A target that has not been overwritten goes back to listening
        if not over or self.killed or (other is self.target and
                                       not self.ears.seen("RESUMED")):
            return
        self.world.repair()
        until = time.monotonic() + PART
        while other.alive() and time.monotonic() < until:
            self.ears.listen(0.1)
        self.stays = other if other.alive() else None

    def connection(self, since):
        """Whether the server goes on to answer, as on the same connection."""
        until = time.monotonic() + KEPT
        while time.monotonic() < until:
            if self.ears.connection in self.ears.breaks:
                break
            if self.ears.answered() > since:
                return "kept"
            self.ears.listen(0.05)
        return "lost"

    def conclude(self, since):
        ears, world = self.ears, self.world
        alive = ears.judge.alive(since)
        runs = next((vm for vm in (self.source, self.target)
                     if alive == {vm.name}), None)
        decided = ears.seen("COMMIT")
        moved = runs is self.target
        connection = self.connection(since) if runs else "-"
        verdict = ears.judge.verdict(since)
        why = []
        if verdict == "two":
            why.append(ears.judge.twice() or "both are alive")
        if verdict == "none" and self.expected():
            why.append("nobody runs")
        if verdict == "one" and not self.expected() and not (
                self.killed is self.source and decided):
            why.append("it has come back from a crash")
        if connection == "lost":
            why.append("the connection is lost")
        if ears.early and not (decided and decided < ears.early):
            why.append("the target used the network before the decision")
        # Without the decision, and without a crash, it has to be the source
        fault_first = bool(self.fault and self.killed is not self.source and
                           not decided)
        rolled_back = runs is self.source and connection == "kept"
        if fault_first and not rolled_back:
            why.append("not rolled back")
        if self.stays:
            why.append("%s stays, with a good link" % self.stays.name)
        turn = world.out_of_turn(decided, moved, self.disk_start)
        if turn:
            why.append(turn)
        why += self.splats()
        why += ["somebody else has ended QEMU of " + vm.name
                for vm in self.watched if vm.was_ended()]
        if runs and connection == "kept" and not why:
            checked = world.db.checked()
            if not checked.startswith("ok"):
                why.append("the client says: " + checked)
        return {
            "run": self.plan.run, "kind": self.plan.kind,
            "step": self.plan.step, "plan": describe(self.plan),
            "reached": "yes" if self.fault else "no",
            "decided": "-" if not decided else
                       "%.3f" % ((decided - self.start) / 1e9),
            "survivor": "both" if len(alive) > 1 else "none" if not runs else
                        "target" if moved else "source",
            "verdict": verdict, "connection": connection,
            "rolled_back": int(rolled_back) if fault_first else "-",
            "seconds": "%.1f" % ((time.time_ns() - self.start) / 1e9),
            "why": "; ".join(why)}, runs

    def splats(self):
        """Complaints on the consoles, in this run."""
        return ["%s: %s" % (vm.name, line)
                for vm in self.watched
                # A planned crash shows there
                if not (vm is self.victim and vm is self.killed)
                for line in vm.console()[vm.console_start:].splitlines()
                if SPLAT.search(line)]


class Campaign:
    """All runs, and what is kept of them."""

    def __init__(self, lab, seed, out=None):
        self.lab, self.seed, self.out = lab, seed, out
        self.world = World(lab)
        self.results = []

    def prepare(self, p):
        words = (faults.at_boot(p.step, p.action)
                 if p.kind == "inject target" else "")
        try:
            self.world.prepare(words)
        except TROUBLE as error:
            print("# preparing run %d: %s" % (p.run, error), flush=True)
            self.world.forget()
            self.world.prepare(words)

    def run(self, number, keep=False):
        """One run; returns what became of it."""
        world, p = self.world, plan(self.seed, number)
        if not world.db.client.alive():
            raise RuntimeError("the client has gone: was QEMU killed?")
        self.prepare(p)
        run = Run(world, p, self.lab.folder)
        runs = None
        try:
            result, runs = run.go()
        except TROUBLE as error:
            result = dict.fromkeys(FIELDS, "-")
            result.update(run=number, kind=p.kind, step=p.step,
                          plan=describe(p), reached="yes",
                          why="%s: %s" % (type(error).__name__, error))
        run.ears.close()
        if result["why"] or keep or unprovoked(result):
            self.keep(run, result)
        for tail in (run.ears.lan, run.ears.wire):
            os.unlink(tail.path)
        world.repair()
        # After anything strange, begin anew
        world.settle(None if result["why"] else runs)
        self.results.append(result)
        return result

    def keep(self, run, result):
        """Logs of a run that failed."""
        if not self.out:
            return
        folder = os.path.join(self.out, "run-%d" % run.plan.run)
        os.makedirs(folder, exist_ok=True)
        for role in ("source", "target"):
            vm = getattr(run, role)
            for what in ("log", "err"):
                if os.path.exists(vm.path(what)):
                    shutil.copy(vm.path(what),
                                os.path.join(folder, role + "." + what))
        for name, tail in (("lan", run.ears.lan), ("wire", run.ears.wire)):
            shutil.copy(tail.path, os.path.join(folder, name + ".frames"))
        with open(os.path.join(folder, "result"), "w") as out:
            for item in result.items():
                print("%s: %s" % item, file=out)


def unprovoked(result):
    """Whether it has not moved although nothing had been done to it yet."""
    return result["reached"] == "no" and result["survivor"] != "target"


def figures(results):
    """What a campaign amounts to, by name."""
    back = [r["rolled_back"] for r in results if r["rolled_back"] != "-"]
    alone = [r for r in results if r["verdict"] == "one"]

    def share(part, whole):
        return len(part) / len(whole) if whole else float("nan")

    return {
        "campaign_runs": len(results),
        "campaign_two_survivors": sum(r["verdict"] == "two" for r in results),
        "campaign_none": sum("nobody runs" in r["why"] for r in results),
        "campaign_rollback": share([b for b in back if b], back),
        "campaign_connections_kept": share(
            [r for r in alone if r["connection"] == "kept"], alone),
        "campaign_unprovoked": sum(map(unprovoked, results)),
        "campaign_failed": sum(bool(r["why"]) for r in results),
    }


def table(results):
    """Counts per kind and step."""
    rows = collections.defaultdict(collections.Counter)
    for r in results:
        for row in ((r["kind"], r["step"]), (r["kind"], ""), ("all", "")):
            rows[row]["runs"] += 1
            rows[row][r["survivor"]] += 1
            rows[row]["kept"] += r["connection"] == "kept"
            rows[row]["not reached"] += r["reached"] == "no"
            rows[row]["failed"] += bool(r["why"])
    columns = ("runs", "source", "target", "none", "both", "kept",
               "not reached", "failed")
    order = {step: number for number, step in enumerate(("", *STEPS))}
    lines = ["%-14s %-10s" % ("fault", "step") +
             "".join(" %11s" % column for column in columns)]
    for kind, step in sorted(rows, key=lambda row: (
            row[0] == "all", row[0], order.get(row[1], len(order)), row[1])):
        lines.append("%-14s %-10s" % (kind, step) + "".join(
            " %11d" % rows[kind, step][column] for column in columns))
    return "\n".join(lines)


def write(results, seed, out):
    """runs.csv, report.txt; returns the latter."""
    with open(os.path.join(out, "runs.csv"), "w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(results)
    text = "seed %d\n\n%s\n\n" % (seed, table(results))
    for r in results:
        if r["why"]:
            text += "run %d: %s: %s\n" % (r["run"], r["plan"], r["why"])
            text += "\tscripts/campaign --seed %d --run %d\n" % (
                seed, r["run"])
    with open(os.path.join(out, "report.txt"), "w") as file:
        file.write(text)
    return text
