// SPDX-License-Identifier: Apache-2.0
// `sallyport audit tail|verify|export`: reads the audit log through the daemon's query
// socket, or verifies a copied directory without a daemon. May touch: that socket, or
// the directory read-only.
#ifndef CTL_AUDIT_H
#define CTL_AUDIT_H

// argv[0] is "audit". dir is the stack's directory, or NULL for the installed service.
// Returns the exit code: verify has its own (auditd/verify.h), the others 0 or 3.
int audit_main(int argc, char **argv, const char *dir);

#endif
