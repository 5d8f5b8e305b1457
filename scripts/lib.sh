# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the scripts have in common.  To be sourced.

set -euo pipefail

# shellcheck disable=SC2034 # for those who source this
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/pmsm
J=${J:-$(($(nproc) + 1))}

die()
{
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

note()
{
	printf '%s\n' "$*" >&2
}

# A name for what belongs to this checkout and this kernel source, so that
# two checkouts do not share a tree
checkout_id()
{
	printf '%s %s' "$TOP" "${KSRC:-}" | sha256sum | cut -c1-8
}

# The tree and what was built for this checkout.  Paths from one to the other
# are the same for every checkout, so that they can share compiled objects.
OWN=$CACHE/$(checkout_id)
export CCACHE_BASEDIR=$OWN

# lock WHAT: wait for others who do the same to this file or directory
lock()
{
	mkdir -p "$(dirname "$1")"
	exec 9> "$1.lock"
	flock 9
}
