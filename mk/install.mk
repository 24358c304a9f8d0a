# make install DESTDIR= PREFIX=/usr: programs, units, users, folders, manual pages, licence.
# An installed configuration file is kept. After it, once: the lines that the target prints.
LIBEXEC  := $(PREFIX)/lib/sallyport
UNITDIR  := $(PREFIX)/lib/systemd/system
MAN_SRC  := $(wildcard docs/*.[1-8] docs/man/*.[1-8])
PUT      := install -D -m 644
PUT_EXEC := install -D -m 755
# Units name /usr/lib/sallyport; another PREFIX must also be executable for the daemons.
comma    := ,
UNIT_SED := s,/usr/lib/sallyport/,$(LIBEXEC)/,g$(if $(filter-out /usr,$(PREFIX)),;s$(comma)^ExecPaths=$(comma)ExecPaths=$(PREFIX)/lib $(comma))

.PHONY: install install-files uninstall
install: all ## install under DESTDIR and PREFIX
	$(Q)$(MAKE) --no-print-directory install-files

# What was built is put in place as it is.
install-files:
	$(Q)for p in sallyport-vaultd sallyport-sealer sallyport-auditd sallyport-gatewayd sallyport-demo-provider sallyport; do \
		$(PUT_EXEC) $(BUILD)/$$p $(DESTDIR)$(LIBEXEC)/$$p || exit 1; done
	$(Q)install -d $(DESTDIR)$(PREFIX)/bin
	$(Q)ln -sfn ../lib/sallyport/sallyport $(DESTDIR)$(PREFIX)/bin/sallyport
	$(Q)install -d $(DESTDIR)$(UNITDIR)
	$(Q)for u in systemd/*.service systemd/*.socket systemd/*.target; do \
		sed '$(UNIT_SED)' $$u >$(DESTDIR)$(UNITDIR)/$${u##*/} || exit 1; \
		chmod 644 $(DESTDIR)$(UNITDIR)/$${u##*/}; done
	$(Q)$(PUT) systemd/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/sallyport.conf
	$(Q)$(PUT) systemd/tmpfiles.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/sallyport.conf
	$(Q)test -e $(DESTDIR)/etc/sallyport/sallyport.yaml || install -D -m 640 systemd/sallyport.yaml $(DESTDIR)/etc/sallyport/sallyport.yaml
	$(Q)for m in $(MAN_SRC); do \
		$(PUT) $$m $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$${m##*/} || exit 1; done
	$(Q)for f in $(CATALOGUE); do \
		$(PUT) $$f $(DESTDIR)$(PREFIX)/share/sallyport/$$f || exit 1; done
	$(Q)for f in $(wildcard LICENSE README.md SECURITY.md); do \
		$(PUT) $$f $(DESTDIR)$(PREFIX)/share/doc/sallyport/$$f || exit 1; done
	$(Q)if [ -z "$(DESTDIR)" ]; then \
		echo 'Installed. Once, as root:'; \
		echo '  systemd-sysusers && systemd-tmpfiles --create sallyport.conf && systemctl daemon-reload'; \
		echo '  head -c 32 /dev/urandom | base64 | systemd-creds encrypt --name=store-key - /etc/sallyport/store-key.cred'; \
		echo '  systemctl enable --now sallyport.target'; fi

uninstall: ## remove what install put there; state, configuration and users stay
	$(Q)rm -rf $(DESTDIR)$(LIBEXEC) $(DESTDIR)$(PREFIX)/share/doc/sallyport $(DESTDIR)$(PREFIX)/share/sallyport
	$(Q)rm -f $(DESTDIR)$(PREFIX)/bin/sallyport $(DESTDIR)$(UNITDIR)/sallyport*.service \
		$(DESTDIR)$(UNITDIR)/sallyport*.socket $(DESTDIR)$(UNITDIR)/sallyport.target \
		$(DESTDIR)$(PREFIX)/lib/sysusers.d/sallyport.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/sallyport.conf \
		$(foreach m,$(MAN_SRC),$(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $(m)))/$(notdir $(m)))
