# Always on. Stack protector, fortified libc calls, full RELRO, PIE, zeroed locals, control-flow marks.
HARDEN := -fPIE -fstack-protector-strong -ftrivial-auto-var-init=zero -fcf-protection -fstack-clash-protection
# Before clang 16 zero needs this confirmation; gcc does not know the flag.
ifneq ($(findstring clang,$(CC)),)
HARDEN += $(shell $(CC) -enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang -xc -c /dev/null -o /dev/null 2>/dev/null && echo -enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang)
endif
ifeq ($(SAN),)
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
HARDEN_LD := -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed
