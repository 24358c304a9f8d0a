# Always on. Stack protector, fortified libc calls, full RELRO, PIE, zeroed locals, control-flow marks.
HARDEN := -fPIE -fstack-protector-strong -ftrivial-auto-var-init=zero -fcf-protection -fstack-clash-protection
ifeq ($(SAN),)
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
HARDEN_LD := -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed
