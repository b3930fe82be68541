# The commands of this project, the same for a person and for a machine that checks it.
#   make up      a cluster of three nodes on this machine, with a demo application
#   make down    end it; its state is kept
#   make clean   remove the state, too, and all that `make up` has installed but packages
#   make test    every check and test
#   make bench   the table of measurements

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

VENV := .venv
PYTHON := $(VENV)/bin/python
SAMPAN := $(VENV)/bin/sampan
CACHE := .cache
LINK := /usr/local/bin/sampan
KUBECTL_LINK := /usr/local/bin/kubectl
NODES ?= 3
DEMO_FOLDER := /var/lib/sampan/demo
DEMO_URL := http://127.0.0.1:30080/

# What the code uses of Debian, and the package that has it. No service of theirs is started.
PROGRAMS := crun:crun conmon:conmon nft:nftables tini-static:tini
TEST_PROGRAMS := ip:iproute2 curl:curl etcd:etcd-server node:nodejs npm:npm \
	docker-registry:docker-registry skopeo:skopeo umoci:umoci htpasswd:apache2-utils \
	qemu-system-x86_64:qemu-system-x86 mkfs.xfs:xfsprogs dockerd:docker.io
# An engine that benchmarks measure ours beside, besides Docker's.
BENCH_PROGRAMS := podman:podman
CLIENTS := tests/real/clients
CAN_MAKE_VENV := python3 -c 'import ensurepip' 2>/dev/null

.PHONY: up down clean test bench root packages install clients kubectl demo

up: root packages install kubectl
	@$(SAMPAN) up --nodes $(NODES)
	@$(MAKE) demo

down: root
	@if [ -x $(SAMPAN) ]; then $(SAMPAN) down; fi

clean: down
	rm -rf /var/lib/sampan /etc/sampan
	if [ "$$(readlink $(LINK))" = "$(CURDIR)/$(SAMPAN)" ]; then rm -f $(LINK); fi
	if [ "$$(readlink $(KUBECTL_LINK))" = "$(CURDIR)/$(VENV)/bin/kubectl" ]; then \
		rm -f $(KUBECTL_LINK); \
	fi
	rm -rf $(VENV) $(CACHE)

test: PROGRAMS += $(TEST_PROGRAMS)
test: packages $(VENV)/.development clients
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(PYTHON) -m pytest

bench: PROGRAMS += $(TEST_PROGRAMS) $(BENCH_PROGRAMS)
bench: packages $(VENV)/.development
	@$(PYTHON) -m bench

root:
	@if [ "$$(id -u)" != 0 ]; then echo "Sampan manages the machine: run make as root" >&2; exit 1; fi

packages:
	@missing=""; PATH="$$PATH:/usr/sbin:/sbin"; \
	for pair in $(PROGRAMS); do \
		command -v $${pair%%:*} >/dev/null || missing="$$missing $${pair##*:}"; \
	done; \
	$(CAN_MAKE_VENV) || missing="$$missing python3-venv"; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" != 0 ]; then \
			echo "not installed:$$missing; install them or run make as root" >&2; exit 1; \
		fi; \
		echo "installing$$missing"; \
		policy=/usr/sbin/policy-rc.d; \
		if [ ! -e $$policy ]; then \
			trap "rm -f $$policy" EXIT; \
			printf '#!/bin/sh\nexit 101\n' >$$policy; chmod 755 $$policy; \
		fi; \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
			--no-install-recommends $$missing >/dev/null; \
	fi

# Python's own installer compiles what it copies, but nothing of a project that it only points to.
install: $(VENV)/.installed
	@$(PYTHON) -m compileall -q src/sampan
	@if [ "$$(readlink $(LINK))" != "$(CURDIR)/$(SAMPAN)" ]; then \
		ln -sf $(CURDIR)/$(SAMPAN) $(LINK); \
	fi

$(PYTHON):
	@echo "making $(VENV)"
	@python3 -m venv $(VENV)

$(VENV)/.installed: pyproject.toml hatch_build.py | $(PYTHON)
	@echo "installing Sampan into $(VENV)"
	@$(PYTHON) -m pip --disable-pip-version-check install --quiet -e .
	@touch $@

$(VENV)/.development: pyproject.toml hatch_build.py | $(PYTHON)
	@echo "installing Sampan and what its tests need into $(VENV)"
	@$(PYTHON) -m pip --disable-pip-version-check install --quiet -e '.[development]'
	@touch $@ $(VENV)/.installed

# The clients that the tests try the API with, each in a place of its own.
clients: $(VENV)/.development $(CACHE)/python/.installed $(CACHE)/node/.installed
	@$(PYTHON) scripts/fetch_program.py kubectl 37 $(CACHE)/bin/kubectl-1.37
	@$(PYTHON) scripts/fetch_program.py kubectl 32 $(CACHE)/bin/kubectl-1.32
	@$(PYTHON) scripts/fetch_program.py helm 37 $(CACHE)/bin/helm
	@$(PYTHON) scripts/fetch_debian_program.py docker-buildx \
		/usr/libexec/docker/cli-plugins/docker-buildx $(CACHE)/bin/docker-buildx
	@$(PYTHON) scripts/fetch_debian_program.py docker-cli \
		/usr/bin/docker $(CACHE)/bin/docker

$(CACHE)/python/.installed: $(CLIENTS)/requirements.txt | packages
	@echo "installing client libraries into $(CACHE)/python"
	@python3 -m venv --clear $(CACHE)/python
	@$(CACHE)/python/bin/python -m pip --disable-pip-version-check install --quiet -r $<
	@touch $@

$(CACHE)/node/.installed: $(CLIENTS)/package.json | packages
	@echo "installing a client library into $(CACHE)/node"
	@rm -rf $(CACHE)/node && mkdir -p $(CACHE)/node && cp $< $(CACHE)/node/
	@npm install --prefix $(CACHE)/node --silent --ignore-scripts --no-audit --no-fund
	@touch $@

# 1.30 is the oldest kubectl that speaks to a server of 1.37 the way it wants to be spoken to.
kubectl:
	@if ! $(PYTHON) scripts/has_kubectl.py 30; then \
		echo "fetching kubectl 1.37"; \
		$(PYTHON) scripts/fetch_program.py kubectl 37 $(VENV)/bin/kubectl-1.37; \
		ln -sf kubectl-1.37 $(VENV)/bin/kubectl; \
		command -v kubectl >/dev/null || ln -sf $(CURDIR)/$(VENV)/bin/kubectl $(KUBECTL_LINK); \
	fi

demo: export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
demo:
	@/usr/bin/python3 -I -S examples/hello/gather.py $(DEMO_FOLDER)
	@sampan build --quiet -t hello:1 $(DEMO_FOLDER) >/dev/null
	@kubectl --context sampan apply -f examples/hello/app.yaml
	@kubectl --context sampan rollout status deployment/hello --timeout 60s
	@$(PYTHON) examples/hello/visit.py $(DEMO_URL) 300 3
	@echo
	@kubectl --context sampan get nodes -o wide
	@echo
	@kubectl --context sampan get pods -o wide
	@echo
	@echo "$(DEMO_URL)"
