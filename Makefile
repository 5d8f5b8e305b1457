# SPDX-License-Identifier: GPL-2.0-only
# Everything starts here.  "make help" lists it.

export J V KSRC BUILD_TAG

.PHONY: help deps kernel root demo demo-db check model fuzz campaign bench lint series clean

help:
	@echo 'PMSM: physical machine state migration for Linux 6.12'
	@echo
	@echo '  make demo       move a busy machine between two QEMU machines'
	@echo '  make demo-db    the same with a MariaDB server and clients on a third host'
	@echo '  make check      run every test    (T="move failure:cut" chooses some)'
	@echo
	@echo '  make model      check the model of the hand-over, and print figures as NAME VALUE'
	@echo '  make fuzz       look for messages that break it    (T=60 seconds)'
	@echo '  make campaign   many moves, each with a fault at random    (N=40 moves, SEED=1, RUN=K only that one)'
	@echo '  make bench      measure, and print figures as NAME VALUE (N=5 runs, PART=machine|database)'
	@echo '  make lint       checkpatch, sparse, W=1, kernel-doc, shellcheck'
	@echo '  make kernel     build the test kernel and print its path'
	@echo '  make root       build the guests'\'' root and print its path'
	@echo '  make series     print the patch series for git am'
	@echo '  make deps       install the Debian packages that all this needs'
	@echo '  make clean      remove what was built for this checkout'
	@echo
	@echo '  KSRC=DIR        use this Linux 6.12 tree, not linux-source-6.12'
	@echo '  J=N             build jobs'

deps:
	@scripts/deps

kernel: deps
	@scripts/build-kernel

root: deps
	@tests/make-root

demo: deps
	@scripts/demo

demo-db: deps
	@scripts/demo-db

check: deps
	@scripts/run-tests $(T)

model: deps
	@scripts/model

fuzz: deps
	@scripts/fuzz $(or $(T),60)

campaign: deps
	@scripts/campaign --runs $(or $(N),40) --seed $(or $(SEED),1) $(if $(RUN),--run $(RUN))

bench: deps
	@scripts/bench $(or $(N),5) $(PART)

lint: deps
	@scripts/lint

series: deps
	@scripts/series

clean:
	@scripts/clean
