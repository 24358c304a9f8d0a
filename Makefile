# Sallyport. `make help` lists the doors. Flavours: CC=clang, SAN=1 (ASan+UBSan), V=1 (print commands).
# Sources are found by folder: a new file needs no line here.

.DEFAULT_GOAL := all
SHELL   := /bin/bash
VERSION := 0.1.0
PREFIX  ?= /usr
DESTDIR ?=
BUILD   := build
Q       := $(if $(V),,@)

WARN   := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
CFLAGS := -std=c17 -O2 -g -D_GNU_SOURCE -DSALLYPORT_VERSION='"$(VERSION)"' $(WARN) -MMD -MP
LDFLAGS :=
include mk/harden.mk
ifneq ($(SAN),)
include mk/san.mk
endif
CFLAGS  += $(HARDEN) -I. -I$(BUILD)/gen
LDFLAGS += $(HARDEN_LD)

LIBS_COMMON := -lsodium -lmsgpackc -lseccomp -levent -lsystemd
LIBS_vaultd   := -llmdb -lcrypto
LIBS_sealer   := -lssl -lcrypto
LIBS_auditd   := -llmdb -lcrypto
LIBS_gatewayd := -levent_openssl -lssl -lcrypto -ljansson -lcyaml -lnghttp2
LIBS_ctl      := -llmdb -lssl -lcrypto -ljansson -lcyaml
LIBS_provider := -levent_openssl -lssl -lcrypto -ljansson
LIBS_ALL      := $(sort $(LIBS_vaultd) $(LIBS_sealer) $(LIBS_gatewayd) $(LIBS_ctl))

src = $(sort $(wildcard $(1)))
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))

SRC_common   := $(call src,common/*.c)
SRC_proto    := $(call src,proto/*.c)
SRC_sealer   := $(call src,vaultd/sealer_*.c vaultd/zygote_*.c)
SRC_vaultd   := $(filter-out $(SRC_sealer),$(call src,vaultd/*.c))
SRC_auditd   := $(call src,auditd/*.c)
SRC_dialect  := $(call src,dialect/*.c)
SRC_gatewayd := $(call src,gatewayd/*.c) $(SRC_dialect)
SRC_provider := $(call src,ctl/provider_*.c)
SRC_ctl      := $(filter-out $(SRC_provider),$(call src,ctl/*.c)) $(filter-out auditd/main.c,$(call src,auditd/record.c auditd/chain.c auditd/verify.c auditd/store.c))

BASE_LIBS := $(BUILD)/libproto.a $(BUILD)/libcommon.a
BIN := $(BUILD)/sallyport-vaultd $(BUILD)/sallyport-sealer $(BUILD)/sallyport-auditd \
       $(BUILD)/sallyport-gatewayd $(BUILD)/sallyport-demo-provider $(BUILD)/sallyport

.PHONY: all
all: $(BIN)

# --- policies: text beside the code, one string constant each -----------------
POLICIES := $(call src,*/*.policy)
POLICY_C := $(BUILD)/gen/policies.c
$(POLICY_C): $(POLICIES) mk/policies.sh | $(BUILD)/gen
	$(Q)bash mk/policies.sh $(BUILD)/gen $(POLICIES)
$(BUILD)/gen/policies.h: $(POLICY_C)
$(BUILD)/gen:
	$(Q)mkdir -p $@
$(BUILD)/policies.o: $(POLICY_C)
	$(Q)$(CC) $(CFLAGS) -c $< -o $@

# --- the catalogue: YAML packed into one array of frames ------------------------
CATALOGUE := $(call src,catalogue/*.yaml)
PACK_OBJ  := $(call obj,catalogue/pack_main.c ctl/catalog_file.c ctl/catalog_row.c ctl/catalog_text.c ctl/yaml_file.c ctl/cli.c $(SRC_common) $(SRC_proto)) $(BUILD)/policies.o
$(BUILD)/gen/catalogue_builtin.h: | $(BUILD)/gen
	$(Q)printf '%s\n' '// Generated. Frames of the built-in catalogue: BEGIN, rows, END (proto/msg_catalogue.h).' '#include <stddef.h>' '#include <stdint.h>' 'extern const uint8_t catalogue_builtin[];' 'extern const size_t catalogue_builtin_len;' >$@
$(BUILD)/catalogue-pack: $(PACK_OBJ)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(PACK_OBJ) -lcyaml $(LIBS_COMMON) -o $@
$(BUILD)/gen/catalogue_builtin.c: $(BUILD)/catalogue-pack $(CATALOGUE)
	$(Q)$(BUILD)/catalogue-pack $@ $(CATALOGUE)
$(BUILD)/catalogue_builtin.o: $(BUILD)/gen/catalogue_builtin.c
	$(Q)$(CC) $(CFLAGS) -c $< -o $@

# --- objects and libraries ------------------------------------------------------
$(BUILD)/%.o: %.c | $(BUILD)/gen/policies.h $(BUILD)/gen/catalogue_builtin.h
	@mkdir -p $(@D)
	@echo "  CC  $<"
	$(Q)$(CC) $(CFLAGS) -c $< -o $@

$(BUILD)/libcommon.a: $(call obj,$(SRC_common)) $(BUILD)/policies.o
	$(Q)rm -f $@ && ar rcs $@ $^
$(BUILD)/libproto.a: $(call obj,$(SRC_proto)) $(BUILD)/catalogue_builtin.o
	$(Q)rm -f $@ && ar rcs $@ $^

define program
$(BUILD)/$(1): $(call obj,$(SRC_$(2))) $(BASE_LIBS)
	@echo "  LD  $$@"
	$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) $(call obj,$(SRC_$(2))) $(BASE_LIBS) $(LIBS_$(2)) $(LIBS_COMMON) -o $$@
endef
$(eval $(call program,sallyport-vaultd,vaultd))
$(eval $(call program,sallyport-sealer,sealer))
$(eval $(call program,sallyport-auditd,auditd))
$(eval $(call program,sallyport-gatewayd,gatewayd))
$(eval $(call program,sallyport-demo-provider,provider))
$(eval $(call program,sallyport,ctl))

include mk/test.mk
include mk/install.mk

.PHONY: deps run format clean help
deps: ## install the Debian packages that are missing
	$(Q)bash mk/deps.sh build

run: ## install what is missing, build, serve the demo on 127.0.0.1:8080 and :8443
	$(Q)bash mk/deps.sh build
	$(Q)$(MAKE) --no-print-directory all
	$(BUILD)/sallyport up --demo --dir $(or $(DIR),$(BUILD)/demo) --listen $(or $(LISTEN),127.0.0.1:8080) --tls-listen $(or $(TLS_LISTEN),127.0.0.1:8443)

format: ## lay out the code by .clang-format
	$(Q)clang-format -i $(call src,*/*.c */*.h tests/*/*.c tests/*/*.h)

clean: ## remove what was built
	$(Q)rm -rf build build-san build-fuzz

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
