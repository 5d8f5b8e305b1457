#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Make inputs for a fuzzer of its seeds, which are text: seeds.py FUZZER FOLDER

Where there is an actor, a line is a record: an operation by its name in the
enum, and up to three numbers.  The first line has four numbers, which say what
the machine is like.  Elsewhere a line is hexadecimal, and "00*48" is 48 zeroes.
What follows a # is for people.
"""

import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def operations(fuzzer):
    """The names of a fuzzer's operations in their order; none for hexadecimal."""
    names = []
    for source in ("actor.h", fuzzer + ".c"):
        with open(os.path.join(HERE, source)) as text:
            found = re.findall(r"^\tOP_(\w+)(?: = \w+)?,$", text.read(), re.M)
        if not found:
            return []
        names += [name.lower() for name in found]
    return names


def record(words, names):
    """Four bytes."""
    if words[0] == "machine":
        return bytes(int(word, 0) for word in words[1:])
    numbers = [int(word, 0) & 0xff for word in words[1:]]
    return bytes(([names.index(words[0])] + numbers + [0] * 3)[:4])


def hexadecimal(words):
    """The bytes that the words say."""
    parts = [word.partition("*") for word in words]
    return b"".join(bytes.fromhex(digits) * int(times or 1)
                    for digits, _, times in parts)


def script(path, names):
    """The input that a file describes."""
    data = b""
    with open(path) as text:
        for line in text:
            words = line.split("#")[0].split()
            if words:
                data += record(words, names) if names else hexadecimal(words)
    return data


def main():
    fuzzer, folder = sys.argv[1:]
    names = operations(fuzzer)
    os.makedirs(folder, exist_ok=True)
    for path in glob.glob(os.path.join(HERE, "seeds", fuzzer, "*")):
        with open(os.path.join(folder, os.path.basename(path)), "wb") as out:
            out.write(script(path, names))


main()
