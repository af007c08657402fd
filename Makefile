# mailtide - see README.md. `make help` lists what can be made.
#
#   CC=clang                  the other compiler
#   SAN=address,undefined     with sanitizers (a build folder of its own)
#   WERROR=1                  warnings are errors (CI)
#   CORPORA=DIR               third-party test data; tests that need it say so when it is absent
#   FUZZ_SECONDS=60           how long `make fuzz` runs each target
#   PREFIX=/usr/local DESTDIR=   where `make install` puts things

ifeq ($(origin CC),default)
CC      := gcc
endif
SAN     ?=
WERROR  ?=
CORPORA ?= $(abspath ../shared/corpora)
FUZZ_SECONDS ?= 60
PREFIX  ?= /usr/local
VERSION := 0.1.0

comma   := ,
BUILD   := build/$(notdir $(CC))$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(FUZZER),-fuzzer)

PKGS    := libuv sqlite3 libssl libcrypto libcurl libmicrohttpd gmime-3.0 libidn2 libpsl jansson \
           libpcre2-8 libconfig ldns
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null | sed 's/-I/-isystem /g')
PKG_LIBS   = $(shell pkg-config --libs $(PKGS) 2>/dev/null)

WARN    := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
           -Wundef -Wvla -Wwrite-strings -Wpointer-arith -Wimplicit-fallthrough
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
HARDEN  := -fstack-protector-strong $(if $(SAN),,-D_FORTIFY_SOURCE=2)
FUZZFLAGS := $(if $(FUZZER),-fsanitize=fuzzer-no-link)
ALL_CFLAGS = -std=gnu17 -O2 -g -D_GNU_SOURCE -DMAILTIDE_VERSION='"$(VERSION)"' \
           -DMAILTIDE_SCHEDULES_DIR='"$(PREFIX)/share/mailtide/schedules"' -Iinclude -Isrc -Itests \
           $(WARN) $(if $(WERROR),-Werror) $(HARDEN) $(SANFLAGS) $(FUZZFLAGS) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP
ALL_LDFLAGS = $(SANFLAGS) $(LDFLAGS)
LIBS    = $(PKG_LIBS) -lpthread -lm

LIB_SRC  := $(sort $(shell find src/base src/core src/io -name '*.c') $(wildcard src/client/*.c))
LIB_OBJ  := $(patsubst %.c,$(BUILD)/%.o,$(LIB_SRC))
LIB      := $(BUILD)/libmailtide-all.a
CMD_SRC  := $(sort $(shell find src/cmd -name '*.c'))

# A program is a folder in src/cmd; what they share lies in src/cmd itself.
PROGRAMS := $(notdir $(patsubst %/,%,$(wildcard src/cmd/*/)))
PROGRAM_BIN := $(addprefix $(BUILD)/,$(PROGRAMS))
CMD_SHARED_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard src/cmd/*.c)))

CLIENT_SRC := $(sort $(wildcard src/client/*.c)) $(patsubst %,src/base/%.c,arena base64 buf err id text time) \
              src/core/proto/json.c src/core/proto/json_write.c
CLIENT_OBJ := $(patsubst %.c,$(BUILD)/pic/%.o,$(CLIENT_SRC))
CLIENT_LIBS = $(shell pkg-config --libs libcurl jansson 2>/dev/null) -lm
CLIENT_SO  := $(BUILD)/libmailtide.so.0
CLIENT_A   := $(BUILD)/libmailtide.a
CLIENT     := $(CLIENT_SO) $(CLIENT_A)

TEST_SRC := $(sort $(wildcard tests/unit/test_*.c tests/conformance/test_*.c tests/sim/test_*.c tests/e2e/test_*.c tests/link/*.c))
TEST_BIN := $(patsubst %.c,$(BUILD)/%,$(TEST_SRC))
TESTLIB  := $(BUILD)/libmailtide-test.a
TESTLIB_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/lib/*.c)))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
REPLAY_BIN := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/replay_%,$(FUZZ_SRC))
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(FUZZ_SRC))
E2E      := $(sort $(wildcard tests/e2e/*.sh tests/e2e/*.py))
BENCH_SRC := $(sort $(wildcard bench/bench_*.c))
BENCH_BIN := $(patsubst %.c,$(BUILD)/%,$(BENCH_SRC))

.PHONY: all help run demo test unit conformance bench bench-policy lint check-layers fuzz manual install uninstall deps \
        deps-test deps-clients deps-dev clean format

all: $(LIB) $(PROGRAM_BIN) $(CLIENT) ## the programs, released as they are

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

$(LIB): $(LIB_OBJ)
	@rm -f $@
	@$(AR) rcs $@ $^

$(BUILD)/%.o: %.c | deps
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC  $<";) $(CC) $(ALL_CFLAGS) -c $< -o $@

define program_rule
$(BUILD)/$(1): $(patsubst %.c,$(BUILD)/%.o,$(sort $(shell find src/cmd/$(1) -name '*.c'))) $(CMD_SHARED_OBJ) $(LIB)
	@echo "  LD  $$@"; $$(CC) $$(ALL_LDFLAGS) $$^ $$(LIBS) -o $$@
	@$(if $(SAN),,ln -sfn $(notdir $(BUILD))/$(1) build/$(1)) # build/mailtide: the one built last
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))

# libmailtide, what applications link: the client and the little that it stands on, with no names
# but tide_* to be seen from outside.
$(BUILD)/pic/%.o: %.c | deps
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC  $< (pic)";) $(CC) $(ALL_CFLAGS) -fPIC -c $< -o $@

$(CLIENT_SO): $(CLIENT_OBJ) src/client/libmailtide.map
	@echo "  LD  $@"; $(CC) -shared -Wl,-soname,$(notdir $(CLIENT_SO)) $(if $(SAN),,-Wl,-z,defs) \
	  -Wl,--version-script=src/client/libmailtide.map $(ALL_LDFLAGS) $(CLIENT_OBJ) $(CLIENT_LIBS) -o $@

$(CLIENT_A): $(CLIENT_OBJ)
	@rm -f $@; $(LD) -r $^ -o $(BUILD)/pic/libmailtide.o
	@objcopy --wildcard --keep-global-symbol='tide_*' $(BUILD)/pic/libmailtide.o
	@$(AR) rcs $@ $(BUILD)/pic/libmailtide.o

$(BUILD)/tests/fuzz/replay_%: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz/replay.o $(LIB)
	@$(CC) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(LIB)
	@$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer $^ $(LIBS) -o $@

# An archive: a test that stands in for a room takes nothing in that needs the real one.
$(TESTLIB): $(TESTLIB_OBJ)
	@rm -f $@
	@$(AR) rcs $@ $^

# Tests of the command line link it as a whole, but for its main().
CLILIB := $(BUILD)/libmailtide-cli.a
$(CLILIB): $(patsubst %.c,$(BUILD)/%.o,$(filter-out %/main.c,$(sort $(wildcard src/cmd/mailtide/*.c)))) $(CMD_SHARED_OBJ)
	@rm -f $@
	@$(AR) rcs $@ $^

$(BUILD)/tests/unit/test_cli_%: $(BUILD)/tests/unit/test_cli_%.o $(TESTLIB) $(CLILIB) $(LIB)
	@$(CC) $(ALL_LDFLAGS) $^ -lcmocka $(LIBS) -o $@

# The lab's pure pieces are tested as modules are.
LAB_OBJ := $(filter-out %/main.o,$(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard src/cmd/mailtide-lab/*.c))))
$(BUILD)/tests/unit/test_lab_%: $(BUILD)/tests/unit/test_lab_%.o $(LAB_OBJ) $(TESTLIB) $(LIB)
	@$(CC) $(ALL_LDFLAGS) $^ -lcmocka $(LIBS) -o $@

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(TESTLIB) $(LIB)
	@$(CC) $(ALL_LDFLAGS) $^ -lcmocka $(LIBS) -o $@

# A program of somebody else's: no library but those that parse, no object but those of these rooms.
ALONE_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard $(addsuffix /*.c,src/base $(addprefix \
             src/core/,record address dns verify)))))
$(BUILD)/tests/link/verify_alone.a: $(ALONE_OBJ)
	@mkdir -p $(@D); rm -f $@; $(AR) rcs $@ $^
$(BUILD)/tests/link/%: $(BUILD)/tests/link/%.o $(BUILD)/tests/link/verify_alone.a
	@$(CC) $(ALL_LDFLAGS) $^ -lldns -lidn2 -lpsl -lglib-2.0 -o $@

# libspf2 is a peer to compare with, where it is installed.
$(BUILD)/bench/bench_spf: PEER_LIBS = $(if $(wildcard /usr/include/spf2/spf.h),-lspf2)
$(BUILD)/bench/bench_https_%: $(BUILD)/bench/bench_https_%.o $(BUILD)/bench/lib/api_load.o $(LIB)
	@$(CC) $(ALL_LDFLAGS) $^ $(LIBS) -o $@
$(BUILD)/bench/%: $(BUILD)/bench/%.o $(LIB)
	@$(CC) $(ALL_LDFLAGS) $^ $(LIBS) $(PEER_LIBS) -o $@

# Templates are linked in with .incbin, which leaves no trace in .d files.
$(BUILD)/src/core/digest/builtin.o: $(wildcard src/core/digest/templates/*)

# Compiled in by .incbin, which the compiler's dependency files do not see.
$(BUILD)/src/io/store/schema.o: src/io/store/schema.sql

# Compiled anew when the place to install to has changed: the profiles' folder is in it.
$(BUILD)/src/core/config/profiles_load.o: $(BUILD)/prefix
$(BUILD)/prefix: FORCE
	@mkdir -p $(@D); echo "$(PREFIX)" | cmp -s - $@ || echo "$(PREFIX)" >$@
.PHONY: FORCE

.SECONDARY:

run: all ## builds, then mailtide on embedded defaults: SMTP on 2525, HTTP on 8025
	@build/mailtided

demo: all ## the story, with and without mailtide, side by side
	@BUILD=$(BUILD) tests/e2e/lib/demo

TEST_ENV = CORPORA="$(CORPORA)" BUILD="$(BUILD)" CC="$(CC)"

test: deps-test all $(TEST_BIN) $(REPLAY_BIN) ## every test; ends in "N passed, N failed"
	@$(TEST_ENV) tests/run $(TEST_BIN) $(REPLAY_BIN) $(E2E)

unit: $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/unit/test_*.c))) ## the unit tests alone
	@$(TEST_ENV) tests/run $^

conformance: $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/conformance/test_*.c))) ## against third-party data, with counts
	@$(TEST_ENV) VERBOSE=1 tests/run $^

fuzz: ## each fuzz target for FUZZ_SECONDS, with clang
	@$(MAKE) --no-print-directory CC=clang SAN=address,undefined FUZZER=1 run-fuzz

.PHONY: run-fuzz
run-fuzz: $(FUZZ_BIN)
	@for f in $(FUZZ_BIN); do n=$${f##*/fuzz_}; echo "  FUZZ $$n"; mkdir -p $(BUILD)/found/$$n; \
	  $$f -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -artifact_prefix=$(BUILD)/found/ \
	  $(BUILD)/found/$$n tests/fuzz/corpus/$$n >$(BUILD)/found/$$n.log 2>&1 || { tail -n 40 $(BUILD)/found/$$n.log; exit 1; }; done

bench: deps-bench all $(BENCH_BIN) ## the rows of the README's speed table, written to bench/RESULTS.md
	@BUILD=$(BUILD) bench/run

bench-policy: all $(BUILD)/bench/bench_policy ## send times and forecast on traces (TRACES=DIR), beside their targets
	@BUILD=$(BUILD) bench/policy.sh

lint: ## forbidden calls, formatting, unfinished words
	@tests/lint

check-layers: ## who may include whom
	@tests/check-layers

format: ## clang-format over all of the C
	@clang-format -i $$(git ls-files '*.c' '*.h')

deps: ## installs what building and running need
	@tests/deps build

.PHONY: deps-bench
deps-test:
	@tests/deps build test
deps-bench:
	@tests/deps build test bench
deps-clients: ## Debian's clients of ESPs (Python, Ruby, PHP), for tests that skip without them
	@tests/deps build test clients
deps-dev:
	@tests/deps build test dev

manual: all ## puts the lists of commands and keys into the man pages
	@BUILD=$(BUILD) src/cmd/manual.sh

install: all ## to DESTDIR/PREFIX
	@VERSION=$(VERSION) BUILD=$(BUILD) PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" src/cmd/install.sh install

uninstall: ## what install put there
	@VERSION=$(VERSION) BUILD=$(BUILD) PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" src/cmd/install.sh uninstall

clean: ## removes build/
	rm -rf build

-include $(LIB_OBJ:.o=.d) $(CLIENT_OBJ:.o=.d) $(patsubst %.c,$(BUILD)/%.d,$(CMD_SRC) $(TEST_SRC) $(FUZZ_SRC) $(BENCH_SRC) $(wildcard tests/lib/*.c bench/lib/*.c))
