# mailtide - see README.md. `make help` lists what can be made.
#
#   CC=clang                  the other compiler
#   SAN=address,undefined     with sanitizers (a build folder of its own)
#   WERROR=1                  warnings are errors (CI)
#   CORPORA=DIR               third-party test data; tests that need it say so when it is absent

CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif
SAN     ?=
WERROR  ?=
CORPORA ?= $(abspath ../shared/corpora)
VERSION := 0.1.0

BUILD   := build/$(notdir $(CC))$(if $(SAN),-$(subst $(comma),-,$(SAN)))
comma   := ,
BUILD   := build/$(notdir $(CC))$(if $(SAN),-$(subst $(comma),-,$(SAN)))

PKGS    := libuv sqlite3 libssl libcrypto libcurl libmicrohttpd gmime-3.0 libidn2 libpsl jansson libpcre2-8 libconfig ldns
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null | sed 's/-I/-isystem /g')
PKG_LIBS   = $(shell pkg-config --libs $(PKGS) 2>/dev/null)

WARN    := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
           -Wundef -Wvla -Wwrite-strings -Wpointer-arith -Wimplicit-fallthrough
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
HARDEN  := -fstack-protector-strong $(if $(SAN),,-D_FORTIFY_SOURCE=2)
ALL_CFLAGS = -std=gnu17 -O2 -g -D_GNU_SOURCE -DMAILTIDE_VERSION='"$(VERSION)"' -Iinclude -Isrc -Itests \
           $(WARN) $(if $(WERROR),-Werror) $(HARDEN) $(SANFLAGS) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP
ALL_LDFLAGS = $(SANFLAGS) $(LDFLAGS)
LIBS    = $(PKG_LIBS) -lpthread -lm

BASE_SRC := $(sort $(shell find src/base -name '*.c'))
CORE_SRC := $(sort $(shell find src/core -name '*.c'))
IO_SRC   := $(sort $(shell find src/io -name '*.c'))
LIB_OBJ  := $(patsubst %.c,$(BUILD)/%.o,$(BASE_SRC) $(CORE_SRC) $(IO_SRC))
LIB      := $(BUILD)/libmailtide-all.a

UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(UNIT_SRC))
TESTLIB_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/lib/*.c)))

.PHONY: all
all: $(LIB)

$(LIB): $(LIB_OBJ)
	@rm -f $@
	@$(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC  $<";) $(CC) $(ALL_CFLAGS) -c $< -o $@

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(TESTLIB_OBJ) $(LIB)
	@$(CC) $(ALL_LDFLAGS) $< $(TESTLIB_OBJ) $(LIB) -lcmocka $(LIBS) -o $@

.SECONDARY:

.PHONY: unit
unit: $(UNIT_BIN)
	@CORPORA=$(CORPORA) BUILD=$(BUILD) tests/run unit $(UNIT_BIN)

.PHONY: clean
clean:
	rm -rf build

-include $(LIB_OBJ:.o=.d) $(UNIT_BIN:=.d)
