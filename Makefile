# What people and CI run. Longer recipes are scripts in ci/.
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
PLATFORMS = linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
# Counted, not timed: Go 1.26 may call the end of the time a failure (go.dev/issue/75804).
FUZZTIME = 10000x
FUZZFOR = 60s
ROOMS = $$(go list ./... | grep -v '/e2e$$')

.NOTPARALLEL:
.PHONY: help build test clear install ui fmt fmt-check vet lint cross race fuzz fuzz-smoke e2e e2e-race scan soak soak-short bench man dist packages

help:
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

build: ## the static binary, in bin/
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/wsbridge

test: clear install ui fmt-check vet lint build cross race http3 fuzz-smoke e2e soak-short e2e-race scan packages ## all of it, as CI does
	@ci/left-out.sh

clear:
	@rm -f bin/left-out

install: ## what the tests need: Debian and npm packages
	ci/install.sh
	ci/pebble.sh

ui: ## the pages, in web/pages/dist, for make build to embed
	ci/ui.sh

fmt: ## format every Go file
	gofmt -l -w .

fmt-check:
	@files=$$(gofmt -l .); [ -z "$$files" ] || { echo "make fmt would change: $$files"; exit 1; }

vet:
	go vet ./...
	go vet -tags http3 ./bridge ./cmd/wsbridge

lint: ## staticcheck, known vulnerabilities, the scripts
	go run $(STATICCHECK) ./...
	ci/vuln.sh
	ci/licences.sh
	ci/shellcheck.sh

cross: ## does it build elsewhere?
	for p in $(PLATFORMS); do ci/cross.sh $$p || exit; done

race: ## every room's tests under the race detector
	ci/gotest.sh race -race -timeout 30m $(ROOMS)

http3: ## what is only built with -tags http3
	ci/gotest.sh http3 -race -tags http3 -run HTTP3 ./bridge

fuzz-smoke: ## every fuzz target, a few seconds each
	ci/fuzz.sh $(FUZZTIME) $(ROOMS)

fuzz: ## every fuzz target for a minute, or FUZZFOR=10m; findings stay in testdata/fuzz
	ci/fuzz.sh $(FUZZFOR) $(ROOMS)

e2e: ## real programs through the real binary
	ci/gotest.sh e2e -count=1 -timeout 30m ./e2e

e2e-race: ## the same through a binary that looks for data races
	go build -race -o bin/wsbridge-race ./cmd/wsbridge
	E2E_WSBRIDGE=$(CURDIR)/bin/wsbridge-race GORACE=atexit_sleep_ms=0 ci/gotest.sh e2e-race -count=1 -timeout 45m ./e2e

scan: build ## testssl.sh and sslscan, on TLS as it is by default
	ci/scan.sh

dist: ui ## the release, in dist/: archives, packages, bills of materials, checksums
	ci/dist.sh
	ci/packages.sh

packages: build ## the units, the packages and the image of this machine's kind, tried and made twice
	ci/units.sh
	ci/size.sh
	ci/dist.sh linux/$$(go env GOARCH)
	ci/packages.sh
	ci/packages-test.sh
	ci/container.sh
	ci/dist-twice.sh

soak: ## 10 GB through all kinds of sessions, and every byte looked at
	go run ./soak -bytes 10G

soak-short: ## the same with 200 MB
	go run ./soak -bytes 200M

bench: ## the tables of bench/RESULTS.md
	go run ./bench -o bench/RESULTS.md

man: ## write man/wsbridge.1 and .5 anew from the option table
	mkdir -p bin
	for n in 1 5; do go run ./cmd/wsbridge man $$n >bin/wsbridge.$$n && mv bin/wsbridge.$$n man/wsbridge.$$n || exit; done
