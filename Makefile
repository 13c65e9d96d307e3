# SPDX-License-Identifier: Apache-2.0
#
# make                  build/holdfast
# make check            everything that must hold, ends in one line of totals
# make demo             holdfast at work on real commands, in a throw-away directory
# make bench BENCH=--quick   what it costs, beside the bare mechanism and others (make bench-peers installs them)
# make fuzz SECONDS=60  each fuzz target for so long
# make differential CASES=10000000   compiled policies against the naive evaluator
# make soak-races ROUNDS=200000   agents that change what a call names while it is decided on
# make soak PARTS="storm kill"   load and faults: tests/soak/soak.py, all parts without PARTS
# make soak-log ROUNDS=1000   SIGKILL of sessions at random moments: nothing of the log is lost
# make soak-broker ROUNDS=200   SIGKILL of the broker at random moments: no held action lost or answered twice
# make check-kernel     Debian's kernels in QEMU (ALL=1: more of them)
# make check-page       the web page in a headless Chromium (node, npm and Chromium; else it is skipped)
# make transparency     other people's test suites, natively and supervised: every outcome compared
# make install          PREFIX=/usr/local DESTDIR=
# make deps             what the distribution has to provide (root)
#
# DEV=1       warnings are errors                  CC=clang    another compiler
# SANITIZE=1  ASan and UBSan, in build-asan/       BUILD=dir   another place
# SANITIZE=thread   TSan, in build-tsan/           V=1         whole commands

PREFIX ?= /usr/local
DESTDIR ?=
BINDIR = $(PREFIX)/bin
LIBEXECDIR = $(PREFIX)/libexec/holdfast
SHAREDIR = $(PREFIX)/share/holdfast
MANDIR = $(PREFIX)/share/man
DOCDIR = $(PREFIX)/share/doc/holdfast
UNITDIR = $(PREFIX)/lib/systemd/user
SYSTEM_UNITDIR = $(PREFIX)/lib/systemd/system
USER_UNITS := $(wildcard tools/systemd/*.service tools/systemd/*.socket)
SYSTEM_UNITS := $(wildcard tools/systemd/system/*)

# A sanitized build at -O2 takes twice as long to make, and its runs are the shorter part.
CFLAGS ?= $(if $(SANITIZE)$(FUZZING),-O1 -g1,-O2 -g)
PKG_CONFIG ?= pkg-config
SECONDS ?= 5
CASES ?= 10000000
SEED ?= 1
VERSION := 0.1.0
BUILD ?= build$(if $(filter 1,$(SANITIZE)),-asan)$(if $(filter thread,$(SANITIZE)),-tsan)$(if $(filter 1,$(FUZZING)),-fuzz)

comma := ,
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(Q),@printf '  %-4s %s\n' '$(1)' '$@')

MANUALS = $(BUILD)/holdfast.1 $(BUILD)/holdfast-policy.5

LIBS := yaml-0.1 libpcre2-8 jansson libsodium libzstd sqlite3 ncursesw
# Of holdfast-page alone.
PAGE_LIBS := libmicrohttpd
# Of the broker's hands, one each.
HAND_LIBS := libsystemd libcurl
MISSING := $(strip $(foreach l,$(LIBS) $(PAGE_LIBS) $(HAND_LIBS) libcrypto,$(shell $(PKG_CONFIG) --exists $l 2>/dev/null || echo $l)))

# ---- flags

is_gcc := $(shell $(CC) --version 2>/dev/null | grep -q 'Free Software Foundation' && echo yes)
machine := $(shell $(CC) -dumpmachine)
is_x86 := $(filter x86_64-%,$(machine))

WARNINGS := -Wall -Wextra -Wformat=2 -Wshadow -Wundef -Wvla -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings \
	-Wimplicit-fallthrough -Wswitch-enum -Wnull-dereference -Wconversion -Wno-sign-conversion
GCC_WARNINGS := -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Walloca
HARDENING := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
	-fstack-clash-protection $(if $(is_x86),-fcf-protection=full) \
	$(if $(is_gcc),-ftrivial-auto-var-init=zero)
SANITIZERS := $(if $(filter thread,$(SANITIZE)),-fsanitize=thread,-fsanitize=address,undefined \
	-fno-sanitize-recover=undefined) -fno-omit-frame-pointer

LIB_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LIBS) 2>/dev/null)
# Of libcrypto only SHA-256 is used, and linked statically (userspace/audit/chain.h).
LDLIBS := $(shell $(PKG_CONFIG) --libs $(LIBS) 2>/dev/null) -lpthread \
	-Wl,-Bstatic -lcrypto -Wl,-Bdynamic
# `holdfast` has its libraries inside: each of a session's processes would map a dozen of them, which is a
# fifth of the CPU time that starting one takes. SHARED=1: as distributions want it.
MAIN_LDLIBS := $(if $(filter 1,$(SHARED)),$(LDLIBS),-Wl,-Bstatic $(shell $(PKG_CONFIG) --libs $(LIBS) 2>/dev/null) \
	-lcrypto -Wl,-Bdynamic -lm -lpthread)
BASE_FLAGS := -std=gnu17 -D_GNU_SOURCE -I. -Iuserspace
ALL_CFLAGS = $(BASE_FLAGS) $(WARNINGS) $(if $(is_gcc),$(GCC_WARNINGS)) \
	$(if $(filter 1,$(DEV)),-Werror) $(CPPFLAGS) $(CFLAGS) -fPIE \
	$(if $(filter 1 thread,$(SANITIZE) $(FUZZING)),$(SANITIZERS),$(HARDENING)) \
	$(if $(filter 1,$(FUZZING)),-fsanitize=fuzzer-no-link) $(LIB_CFLAGS)
ALL_LDFLAGS = $(LDFLAGS) -pie -Wl,-z,relro,-z,now,-z,noexecstack \
	$(if $(filter 1 thread,$(SANITIZE) $(FUZZING)),$(SANITIZERS))

# ---- eBPF

# holdfast-loader and what it embeds is built where clang, bpftool and libbpf are. Without them, and
# for another machine than this one, there is no loader, and `holdfast doctor` says so.
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool) $(shell command -v bpftool))
BPF_CLANG ?= clang
has_bpf := $(and $(BPFTOOL),$(shell $(PKG_CONFIG) --exists libbpf && command -v $(BPF_CLANG)),$(is_x86))
BPF_FLAGS := -target bpf -D__TARGET_ARCH_x86 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -I. \
	-idirafter /usr/include/$(machine)
BPF_SOURCES := $(wildcard bpf/*.bpf.c)
SKELETONS := $(BPF_SOURCES:%.bpf.c=$(BUILD)/%.skel.h)
LOADER_SOURCES := $(wildcard loader/bpf/*.c)

# ---- what is built from what

MAIN := userspace/cli/main.c
PAGE_MAIN := userspace/page/main.c
# One program each: holdfast-notify, holdfast-webhook, holdfast-links.
HANDS := $(wildcard userspace/hands/*.c)
HAND_PROGRAMS = $(HANDS:userspace/hands/%.c=$(BUILD)/holdfast-%)
PAGE_WEB := $(wildcard userspace/page/web/*)
SOURCES := $(filter-out $(MAIN) $(PAGE_MAIN) $(HANDS),$(wildcard userspace/*/*.c loader/*.c))
UNIT_TESTS := $(wildcard tests/unit/test_*.c)
FUZZERS := $(wildcard tests/fuzz/fuzz_*.c)
BENCHES := $(wildcard tests/bench/bench_*.c)
TOOLS := $(wildcard tools/*.c)
# What tests/compat/test_*.py ask, to compare the answers with Python's.
COMPAT := $(wildcard tests/compat/*.c)
# One program for each group of attacks; the rest of the directory is what they have in common.
ATTACKS := $(wildcard tests/attack/attack_*.c)
ATTACK_COMMON := $(filter-out $(ATTACKS),$(wildcard tests/attack/*.c))
EVERY_SOURCE := $(MAIN) $(PAGE_MAIN) $(HANDS) $(SOURCES) $(UNIT_TESTS) $(FUZZERS) $(BENCHES) $(TOOLS) $(COMPAT) $(ATTACKS) $(ATTACK_COMMON)
DEFINES = -DHOLDFAST_VERSION='"$(VERSION)"' -DHOLDFAST_POLICY_DIR='"$(SHAREDIR)/policies"'

objects = $(1:%.c=$(BUILD)/%.o)
programs = $(patsubst %.c,$(BUILD)/%,$(1))

all: $(BUILD)/holdfast $(BUILD)/holdfast-page $(HAND_PROGRAMS) $(if $(has_bpf),$(BUILD)/holdfast-loader)

$(BUILD)/holdfast: $(call objects,$(MAIN)) $(BUILD)/libholdfast.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(MAIN_LDLIBS)

$(BUILD)/%.bpf.o: %.bpf.c $(wildcard bpf/*.h)
	$(call say,BPF)
	@mkdir -p $(@D)
	$(Q)$(BPF_CLANG) $(BPF_FLAGS) -c -o $@ $<

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(call say,SKEL)
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst -,_,$(*F))_bpf > $@

# libbpf and the skeletons, whose headers are not ours to warn about, are needed here alone.
$(call objects,$(LOADER_SOURCES)): private CPPFLAGS += -isystem $(BUILD)
$(call objects,$(LOADER_SOURCES)): $(SKELETONS)
$(BUILD)/holdfast-loader: $(call objects,$(LOADER_SOURCES)) $(BUILD)/libholdfast.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lbpf

# It speaks HTTP, and shares no process with what supervises.
$(BUILD)/holdfast-page: $(call objects,$(PAGE_MAIN)) $(BUILD)/libholdfast.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS) $(shell $(PKG_CONFIG) --libs $(PAGE_LIBS))

# What carries answers speaks D-Bus or HTTP, and likewise.
$(BUILD)/holdfast-notify: private HAND_LDLIBS = $(shell $(PKG_CONFIG) --libs libsystemd)
$(BUILD)/holdfast-webhook: private HAND_LDLIBS = $(shell $(PKG_CONFIG) --libs libcurl)
$(BUILD)/holdfast-links: private HAND_LDLIBS = $(shell $(PKG_CONFIG) --libs libmicrohttpd)
$(HAND_PROGRAMS): $(BUILD)/holdfast-%: $(BUILD)/userspace/hands/%.o $(BUILD)/libholdfast.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS) $(HAND_LDLIBS)

# The page's files are in the object.
$(BUILD)/userspace/page/assets.o: $(PAGE_WEB)

# Made afresh: an archive that is updated keeps the members of deleted sources.
$(BUILD)/libholdfast.a: $(call objects,$(SOURCES)) $(BUILD)/.sources
	$(call say,AR)
	@rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)

$(BUILD)/%.o: %.c $(BUILD)/.flags | have-libraries
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Only cli/ may know where it is installed, so a change of PREFIX rebuilds no more than that.
$(BUILD)/userspace/cli/%.o: private CPPFLAGS += $(DEFINES)
$(call objects,$(wildcard userspace/cli/*.c)): $(BUILD)/.prefix

# One program for each unit test, comparison, benchmark of a part and fuzz target. Tools stand alone.
$(call programs,$(UNIT_TESTS) $(COMPAT) $(BENCHES) $(FUZZERS)): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libholdfast.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)
$(call programs,$(UNIT_TESTS)): private LDLIBS += -lcmocka -lseccomp
# It is the kernel for what it measures, and stands between the parts.
$(BUILD)/tests/bench/bench_notified: private LDFLAGS += $(addprefix -Wl$(comma)--wrap=,ioctl syscall clock_monotonic_ns \
	action_decode engine_decide redact_record audit_append behalf_perform)
$(call programs,$(FUZZERS)): private LDLIBS += -fsanitize=fuzzer

$(call programs,$(TOOLS)): $(BUILD)/%: $(BUILD)/%.o
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lpthread

# They know of Holdfast no more than userspace/base, and start fast without its libraries.
$(call programs,$(ATTACKS)): $(BUILD)/%: $(BUILD)/%.o $(call objects,$(ATTACK_COMMON)) $(BUILD)/libholdfast.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -ljansson -lpthread

attacks: $(call programs,$(ATTACKS))
unit-tests: $(call programs,$(UNIT_TESTS) $(COMPAT))
benches: $(call programs,$(BENCHES))
tools: $(call programs,$(TOOLS))
fuzzers: $(call programs,$(FUZZERS))

# A stamp changes its time only when its content changes.
define stamp
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(1))' | cmp -s - $@ || echo '$(subst ','\'',$(1))' > $@
endef
$(BUILD)/.flags: FORCE
	$(call stamp,$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS))
$(BUILD)/.prefix: FORCE
	$(call stamp,$(VERSION) $(SHAREDIR))
$(BUILD)/.sources: FORCE
	$(call stamp,$(SOURCES))

have-libraries:
ifneq ($(MISSING),)
	@echo 'Missing libraries: $(MISSING). Install them with: sudo make deps' >&2; exit 1
endif

$(MANUALS): $(BUILD)/%: docs/%.scd
	$(call say,MAN)
	@mkdir -p $(@D)
	$(Q)scdoc < $< > $@

docs/syscalls.md: loader/syscalls.def userspace/cli/cmd_syscalls.c | $(BUILD)/holdfast
	$(call say,GEN)
	$(Q)$(BUILD)/holdfast syscalls --markdown > $@

# ---- what people run

deps:
	tools/install-deps

demo:
	tools/demo

check:
	tools/run-tests

# gcc's analyzer: worth reading from time to time, too often wrong to be a check.
analyze: ALL_CFLAGS += -fanalyzer
analyze:
	@for f in $(MAIN) $(SOURCES); do $(CC) $(ALL_CFLAGS) $(DEFINES) -c -o /dev/null $$f; done

# `make check` also builds with sanitizers, by clang and with the same warnings: for it the rest is enough.
CLANG_SANITIZED := $(MAIN) $(SOURCES) $(UNIT_TESTS) $(FUZZERS)
check-clang: check-clang-rest $(CLANG_SANITIZED:%.c=$(BUILD)/clang/%.o)
check-clang-rest: $(patsubst %.c,$(BUILD)/clang/%.o,$(filter-out $(CLANG_SANITIZED),$(EVERY_SOURCE)) $(if $(has_bpf),$(LOADER_SOURCES)))
$(LOADER_SOURCES:%.c=$(BUILD)/clang/%.o): private BASE_FLAGS += -isystem $(BUILD)
$(LOADER_SOURCES:%.c=$(BUILD)/clang/%.o): $(SKELETONS)
$(BUILD)/clang/%.o: %.c $(BUILD)/.flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)clang $(BASE_FLAGS) $(WARNINGS) $(DEFINES) -Werror -MMD -MP -MT $@ -MF $(@:.o=.d) -fsyntax-only $<
	@touch $@

# The libraries' headers do not depend on the machine, but the C library's do: those of the cross
# compiler must come first. -O0: what the optimizer warns of, the build for this machine has shown.
check-aarch64: $(patsubst %.c,$(BUILD)/aarch64/%.o,$(MAIN) $(PAGE_MAIN) $(HANDS) $(SOURCES) $(TOOLS))
$(BUILD)/aarch64/%.o: %.c $(BUILD)/.flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)aarch64-linux-gnu-gcc $(BASE_FLAGS) $(WARNINGS) $(GCC_WARNINGS) $(DEFINES) -Werror \
		-idirafter /usr/include -idirafter /usr/include/$(machine) -MMD -MP -O0 -c -o $@ $<

check-layers:
	tools/check-layers

check-size:
	tools/check-size

# BENCH="--quick --document": tools/bench says what there is.
bench: all benches tools
	BUILD=$(BUILD) HOLDFAST=$(abspath $(BUILD)/holdfast) tools/bench $(BENCH)

bench-peers:
	tools/install-peers

fuzz:
	+$(MAKE) FUZZING=1 CC=clang fuzzers
	tools/run-fuzz $(SECONDS)

differential: $(BUILD)/tests/unit/test_policy_differential
	CASES=$(CASES) SEED=$(SEED) $<

check-page: all
	BUILD=$(BUILD) tools/check-page

check-kernel: all attacks unit-tests
	BUILD=$(BUILD) tools/check-kernel

# SUITE="git tools" picks some, AS=both runs them as root as well (make has an AS of its own: the assembler).
transparency: $(BUILD)/holdfast
	$(Q)/usr/bin/python3 tests/transparency/run.py $(patsubst %,--suite %,$(SUITE)) $(if $(filter-out default,$(origin AS)),--as $(AS))

ROUNDS ?= 1000
soak-races: all
	RACE_ROUNDS=$(ROUNDS) bats -f '^race|flips|exchanges' $(addprefix tests/e2e/,open.bats changes.bats exec.bats network.bats)

# MINUTES=5: a shorter part `million`.
soak: all
	tests/soak/soak.py $(abspath $(BUILD)/holdfast) $(PARTS)

soak-log: all
	tests/soak/log_kill.py $(BUILD)/holdfast $(ROUNDS)

soak-broker: all
	tests/soak/broker_kill.py $(abspath $(BUILD)/holdfast) $(ROUNDS)

format:
	clang-format -i $(wildcard bpf/*.[ch] userspace/*/*.[ch] loader/*.[ch] loader/*/*.[ch] tools/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch])

define install_units
install -d $(DESTDIR)$(2)
	for unit in $(1); do to="$(DESTDIR)$(2)/$${unit##*/}"; \
		sed 's|@BINDIR@|$(BINDIR)|; s|@LIBEXECDIR@|$(LIBEXECDIR)|' "$$unit" >"$$to" && chmod 644 "$$to" || exit 1; done
endef

install: all $(MANUALS)
	install -D -m 755 $(BUILD)/holdfast $(DESTDIR)$(BINDIR)/holdfast
	$(if $(has_bpf),install -D -m 755 $(BUILD)/holdfast-loader $(DESTDIR)$(LIBEXECDIR)/holdfast-loader)
	install -D -m 755 -t $(DESTDIR)$(LIBEXECDIR) $(BUILD)/holdfast-page $(HAND_PROGRAMS)
	install -D -m 644 -t $(DESTDIR)$(SHAREDIR)/policies policies/*.yaml
	install -D -m 644 -t $(DESTDIR)$(SHAREDIR)/policies/templates policies/templates/*.yaml
	install -D -m 644 -t $(DESTDIR)$(SHAREDIR) docs/policy.schema.json
	install -D -m 644 tools/completions/holdfast.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/holdfast
	$(call install_units,$(USER_UNITS),$(UNITDIR))
	$(if $(has_bpf),$(call install_units,$(SYSTEM_UNITS),$(SYSTEM_UNITDIR)))
	install -D -m 644 $(BUILD)/holdfast.1 $(DESTDIR)$(MANDIR)/man1/holdfast.1
	install -D -m 644 $(BUILD)/holdfast-policy.5 $(DESTDIR)$(MANDIR)/man5/holdfast-policy.5
	install -D -m 644 -t $(DESTDIR)$(DOCDIR) README.md LICENSE NEWS.md docs/*.md docs/performance.json
	install -D -m 644 -t $(DESTDIR)$(DOCDIR)/plots docs/plots/*.svg

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/holdfast $(DESTDIR)$(MANDIR)/man1/holdfast.1 \
		$(DESTDIR)$(MANDIR)/man5/holdfast-policy.5
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/holdfast
	rm -f $(addprefix $(DESTDIR)$(UNITDIR)/,$(notdir $(USER_UNITS))) $(addprefix $(DESTDIR)$(SYSTEM_UNITDIR)/,$(notdir $(SYSTEM_UNITS)))
	rm -rf $(DESTDIR)$(SHAREDIR) $(DESTDIR)$(DOCDIR) $(DESTDIR)$(LIBEXECDIR)

clean:
	rm -rf build build-asan build-tsan build-fuzz

.PHONY: all attacks unit-tests benches tools fuzzers have-libraries deps demo check analyze \
	check-clang check-clang-rest check-aarch64 check-layers check-size check-kernel check-page bench bench-peers fuzz differential soak soak-broker soak-log soak-races transparency format install uninstall \
	clean FORCE
.DELETE_ON_ERROR:
.SECONDARY:

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
