#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Fuzzing of the messages for ten seconds; and that it would find something."""

import os
import shutil
import sys

TESTS = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "fuzz")]

import fuzzing
from ktap import Skip, check, main, say

# Seconds for each of the fuzzers, and most that a planted bug may take
TIME = 3
PATIENCE = 30

# Bugs: which fuzzer finds it, and what of which file is replaced by what
PLANTED = {
    "a frame may say that it is longer than it is": (
        "frame", "session.c",
        "be16_to_cpu(frame->len) > len - sizeof(*frame)", "0"),
    "an early frame may be longer than its place": (
        "frame", "session.c", " || len > s->link->frame_size", ""),
    "an early frame comes from beyond the window": (
        "frame", "session.c", "ahead >= s->rx_window || ", ""),
    "what the peer has is sent again": (
        "pair", "session.c", "tx->sacked || !looks_lost(",
        "!looks_lost("),
    "more is under way than the peer allows": (
        "pair", "session.c", "min(s->tx_window, s->peer_window)",
        "s->tx_window"),
    "contents may go where no image is": (
        "target", "store.c",
        "pfn >= store->max_pfn || !test_bit(pfn, store->image)", "0"),
    "runs of zeroes may go anywhere": (
        "target", "store.c", "	if (!test_bit(pfn, store->image))\n"
        "		return -EFAULT;\n	if (test_bit(pfn, store->own)) {",
        "	if (test_bit(pfn, store->own)) {"),
    "an image that is not complete is good enough": (
        "target", "take.c", "present != sent || !pmsm_store_complete(store)",
        "present != sent"),
    "the digest does not matter": (
        "target", "take.c", "be64_to_cpu(end->digest) != target->digest", "0"),
    "a processor that lacks something is good enough": (
        "target", "compat.c", "	if (len)\n", "	if (0)\n"),
    "the restored kernel takes COMMIT before it is ready": (
        "target", "arrive.c", "!arrival->ready || ", ""),
    "a REFUSE is as long as its reasons": (
        "target", "session.c",
        "min3((unsigned int)strlen(text), room, PMSM_REFUSE_LEN - 1U)",
        "strlen(text) + 0 * room"),
    "all devices go into one frame": (
        "target", "preflight_answer.c", "min(nr, max)", "nr + 0 * max"),
    "there may be more devices than were announced": (
        "source", "preflight.c",
        "be16_to_cpu(pf->target.nr_devices) -\n				 pf->nr_devices",
        "U16_MAX"),
    "a verdict may come before the devices": (
        "source", "preflight.c", " ||\n	    pf->nr_devices != "
        "be16_to_cpu(pf->target.nr_devices)", ""),
    "words of the target go into the log as they are": (
        "source", "reasons.c", "make_printable(line, len)",
        "make_printable(line, 0)"),
    "a move begins whatever speaks against it": (
        "source", "negotiate.c", "&source->reasons);\n	if (error)\n"
        "		return error;\n	/* Warn",
        "&source->reasons);\n	/* Warn"),
    "the source takes READY before RESUMED": (
        "source", "answer.c", "take_in_turn(source->resumed, ",
        "take_in_turn(true, "),
    "the source runs on when it is in doubt": (
        "source", "handover.c", "case PMSM_DOUBT_HALT:\n		break;",
        "case PMSM_DOUBT_HALT:\n		return -ETIMEDOUT;"),
}


def need_clang():
    problem = fuzzing.why_not()
    if problem:
        raise Skip(problem)


def test_fuzz(lab):
    need_clang()
    build = os.path.join(lab.folder, "build")
    fuzzing.build(build)
    for name in fuzzing.SHARES:
        tried, crash = fuzzing.run(os.path.join(build, name),
                                   os.path.join(lab.folder, name), TIME)
        say("%s: %d inputs" % (name, tried))
        if crash:
            keep(os.path.join(lab.folder, name, "crashes"), name)
        check(not crash, "%s has found a crash: %s" % (name, crash))


def keep(crashes, name):
    """Put the inputs where the logs go, if somewhere."""
    logs = os.environ.get("PMSM_LOGS")
    if logs:
        shutil.copytree(crashes, os.path.join(logs, name), dirs_exist_ok=True)


def kernel_files():
    """Where they are, in our own tree or in a kernel tree."""
    for up in ("..", "../../../.."):
        path = os.path.join(TESTS, up, "kernel/power/pmsm")
        if os.path.isdir(path):
            return path
    raise RuntimeError("there is no kernel/power/pmsm")


def test_planted(lab):
    """Bugs that somebody might make are found, from the seeds on."""
    need_clang()
    build = os.path.join(lab.folder, "build")
    without = os.path.join(lab.folder, "without")
    source = os.path.join(lab.folder, "pmsm")
    shutil.copytree(os.environ.get("PMSM") or kernel_files(), source)
    fuzzing.build(without, pmsm=source)
    # Only what changes is compiled again
    shutil.copytree(without, build)
    for number, (name, (fuzzer, file, old, new)) in enumerate(PLANTED.items()):
        path = os.path.join(source, file)
        with open(path) as text:
            right = text.read()
        check(right.count(old) == 1, "\"%s\" is %d times in %s"
              % (old, right.count(old), file))
        with open(path, "w") as out:
            out.write(right.replace(old, new))
        fuzzing.build(build, fuzzer, pmsm=source)
        folder = os.path.join(lab.folder, str(number))
        tried, crash = fuzzing.run(os.path.join(build, fuzzer), folder,
                                   PATIENCE)
        with open(path, "w") as out:
            out.write(right)
        check(crash, "%s does not find in %d inputs that %s"
              % (fuzzer, tried, name))
        check(fuzzing.passes(os.path.join(without, fuzzer), folder),
              "what %s has found is there without the bug: %s"
              % (fuzzer, crash))
        say("%s: found by %s in %d inputs: %s"
            % (name, fuzzer, tried, crash.splitlines()[0][-100:]))
    say("%d bugs planted, all found" % len(PLANTED))


main(sys.modules[__name__])
