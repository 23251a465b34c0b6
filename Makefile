# The commands a developer needs; .ci/run calls the same ones.
GO        ?= go
BIN       ?= bin
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
REVISION  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS   := -s -w -X main.version=$(VERSION) -X main.revision=$(REVISION)
TOOLS     := $(CURDIR)/$(BIN)/tools

GOFUMPT_VERSION      := v0.12.0
GOLANGCI_VERSION     := v2.15.0
GOVULNCHECK_VERSION  := v1.9.0
GORELEASER_VERSION   := v2.15.1
SYFT_VERSION         := v1.57.0
VULNDB               ?=

.PHONY: all build run test race lint fmt vuln cross bench interop dashboards k8s systemd image licenses sbom snapshot fuzz endurance clean tools help

all: build

help: ## this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

build: ## the static binary, in bin/tlslift
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/tlslift ./cmd/tlslift

run: ## the proxy with its defaults
	$(GO) run ./cmd/tlslift

test: ## every test, quickly
	$(GO) test ./...

race: ## every test, under the race detector, in random order
	$(GO) test -race -shuffle=on ./...

tools: $(TOOLS)/gofumpt $(TOOLS)/golangci-lint $(TOOLS)/govulncheck ## the pinned developer tools, in bin/tools

$(TOOLS)/gofumpt:
	GOBIN=$(TOOLS) $(GO) install mvdan.cc/gofumpt@$(GOFUMPT_VERSION)

$(TOOLS)/golangci-lint:
	GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

$(TOOLS)/govulncheck:
	GOBIN=$(TOOLS) $(GO) install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)

$(TOOLS)/goreleaser:
	GOBIN=$(TOOLS) $(GO) install github.com/goreleaser/goreleaser/v2@$(GORELEASER_VERSION)

$(TOOLS)/syft:
	GOBIN=$(TOOLS) $(GO) install github.com/anchore/syft/cmd/syft@$(SYFT_VERSION)

fmt: $(TOOLS)/gofumpt ## format
	$(TOOLS)/gofumpt -w $$(git ls-files '*.go')

lint: $(TOOLS)/gofumpt $(TOOLS)/golangci-lint ## formatting, linters, tidy modules
	@out=$$($(TOOLS)/gofumpt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "gofumpt would change:"; echo "$$out"; exit 1; fi
	$(TOOLS)/golangci-lint run ./...
	$(GO) mod tidy -diff

vuln: $(TOOLS)/govulncheck ## known vulnerabilities (VULNDB=dir for an unpacked database)
	$(TOOLS)/govulncheck $(if $(VULNDB),-db file://$(VULNDB)) ./...

image: build ## a loadable image archive, without an engine: bin/tlslift.tar
	$(GO) run ./deploy/image -t tlslift:$(VERSION) -o $(BIN)/tlslift.tar -ca /etc/ssl/certs/ca-certificates.crt -legal LICENSE,docs/third-party-notices.txt -version $(VERSION) -revision $(REVISION) $(BIN)/tlslift

licenses: ## the licences of what is linked in, in docs/third-party-notices.txt
	$(GO) run ./deploy/licenses -o docs/third-party-notices.txt

sbom: image $(TOOLS)/syft ## what the image is made of: bin/tlslift.spdx.json
	SYFT_CHECK_FOR_APP_UPDATE=false $(TOOLS)/syft scan docker-archive:$(BIN)/tlslift.tar -o spdx-json=$(BIN)/tlslift.spdx.json

snapshot: $(TOOLS)/goreleaser $(TOOLS)/syft ## a release without publishing: archives, deb, rpm, SBOMs in dist/ (its tools take ten minutes to build)
	PATH=$(TOOLS):$$PATH SYFT_CHECK_FOR_APP_UPDATE=false $(TOOLS)/goreleaser release --snapshot --clean

cross: ## the other platforms compile
	GOOS=windows GOARCH=amd64 CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/tlslift
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/tlslift
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/tlslift

interop: ## real old clients through the built binary; installs them (apt, npm)
	test/install.sh $(CURDIR)/$(BIN)/clients
	TLSLIFT_INTEROP=require TLSLIFT_CLIENTS=$(CURDIR)/$(BIN)/clients TLSLIFT_TEST_NODE012=$(CURDIR)/$(BIN)/clients/node-0.12.0/bin/node $(GO) test -count=1 -v ./test/interop/

bench: build ## against HAProxy, nginx and Squid; installs them (apt)
	test/bench/run.sh

dashboards: ## every rule and panel against a real Prometheus; installs it (apt)
	test/dashboards/run.sh

k8s: ## what is shipped, on a real Kubernetes (root, Linux; the first build takes ten minutes)
	test/k8s/run.sh

systemd: ## the shipped units, on a real systemd in a container (root, Linux)
	test/systemd/run.sh

fuzz: ## every fuzz target, FUZZTIME each (default 30s)
	test/fuzz.sh $(or $(FUZZTIME),30s)

endurance: ## callers of every kind in 64 MiB, and against an upstream that misbehaves in every way: CALLS (default 100000), SEED (default the time)
	$(GO) test -count=1 -v ./test/endurance -run TestMemory -args -whole
	$(GO) test -race -count=1 -v -timeout 0 ./test/endurance -args -upgrades 10 -rate 1000 -slow 8s -calls $(or $(CALLS),100000) -seed $(or $(SEED),$$(date +%s))

clean: ## what the build made
	rm -rf $(BIN)
