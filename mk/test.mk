# Tests, fuzzing, benches.
UNIT_SRC := $(call src,tests/unit/test_*.c)
UNIT     := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(UNIT_SRC))
FUZZ_SRC := $(call src,tests/fuzz/fuzz_*.c)
REPLAY   := $(patsubst tests/fuzz/%.c,$(BUILD)/replay/%,$(FUZZ_SRC))

# The first line of a test says which folders, or single files, it links: "// links: vaultd ctl/spec".
# Files that hold a main() stay out.
linked = $(call obj,$(filter-out %main.c,$(foreach d,$(shell sed -n '1s,^// links:,,p' $(1)),$(wildcard $(d)/*.c $(d).c))))

.SECONDEXPANSION:
$(BUILD)/tests/%: tests/unit/%.c $$(call linked,tests/unit/$$*.c) $(BASE_LIBS)
	@mkdir -p $(@D)
	@echo "  LD  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $< $(call linked,$<) $(BASE_LIBS) $(LIBS_ALL) $(LIBS_COMMON) -lcmocka -o $@

$(BUILD)/replay/%: tests/fuzz/%.c tests/fuzz/replay_main.c $$(call linked,tests/fuzz/$$*.c) $(BASE_LIBS)
	@mkdir -p $(@D)
	@echo "  LD  $@"
	$(Q)$(CC) $(CFLAGS) -Wno-missing-prototypes $(LDFLAGS) $< tests/fuzz/replay_main.c $(call linked,$<) $(BASE_LIBS) $(LIBS_ALL) $(LIBS_COMMON) -o $@

.PHONY: tests unit check fuzz bench
tests: all $(UNIT) $(REPLAY)
unit: $(UNIT) ## build and run the unit tests
	$(Q)for t in $(UNIT); do $$t || exit 1; done

check: ## install what is missing, build, run every test; SAN=1 for sanitizers
	$(Q)bash mk/deps.sh check
	$(Q)$(MAKE) --no-print-directory tests
	$(Q)bash tests/run.sh $(BUILD)

fuzz: ## fuzz each target for SECONDS_EACH seconds (needs clang)
	$(Q)bash tests/fuzz/run.sh $(or $(SECONDS_EACH),60)

bench: all ## measure, beside direct and the peers of the same run
	$(Q)bash mk/deps.sh bench
	$(Q)bash tests/bench/run.sh $(BUILD)
