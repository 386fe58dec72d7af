# Everything people type. Only Go is needed unless a target says otherwise. Go downloads the modules
# itself.
#
# Everything is built without cgo, as the services are: with it, nearly every package would be
# compiled a second time. Only the race detector needs cgo on Linux: RACE is -race where there is a C
# compiler, otherwise empty, and `make race` says so.

MODULE := github.com/deferpay/deferpay
ASYNCAPI := specs/contract/asyncapi.yaml specs/contract/internal.asyncapi.yaml \
            specs/billing/asyncapi.yaml specs/billing/internal.asyncapi.yaml
EXAMPLE := tools/eventgen/example
# Modules of their own: the main module does not compile what only they import.
MODULES := tools/contracttest tools/contractdiff tools/composecheck tools/alerts $(EXAMPLE)
PROCESSES := ./services/e2e ./tools/slides/runs ./tools/kafka ./tools/kafka/engine
# Packages whose tests take longest and start no goroutine: the race detector has nothing to find
# there, and makes them many times slower. A test of tools/tidy holds them to it.
SEQUENTIAL := ./tools/eventgen/jsonschema ./tools/eventgen/jsonschema/internal/conformance ./tools/eventgen/corpus \
              ./tools/eventgen/generate ./tools/eventgen/avro/internal/conformance ./tools/eventgen/cli
RACE := $(shell command -v "$$(go env CC)" >/dev/null 2>&1 && echo -race)
# make lint runs go vet, whole; go test would run a part of it again.
TEST := go test -vet=off
# Selects the full form of the tests, as tools/fulltest describes.
FULL := -tags full
RACETEST := $(if $(RACE),CGO_ENABLED=1 )$(TEST) $(RACE)
export CGO_ENABLED := 0

# Compilations take a quarter less processor time without collecting their garbage, below 1 GiB, and
# without tables for debuggers. Stack traces and profiles need neither. Without inlining (-l), the
# generated package of Kafka's messages takes half of its time, which is the longest of all. What
# every target compiles is in the build cache once; a go command that is typed compiles its own.
KMSG := github.com/twmb/franz-go/pkg/kmsg
export GOFLAGS := $(shell go env GOFLAGS) -gcflags=all=-dwarf=false '-gcflags=$(KMSG)=-dwarf=false -l' '-toolexec=env GOGC=off GOMEMLIMIT=1GiB'

BROKERS ?= 1
LOG_LEVEL ?= warn
KAFKA_DATA = $(or $(DATA),build/kafka-$(BROKERS)$(if $(SECURE),-secure))
FUZZTIME ?= 10m

.DEFAULT_GOAL := gate
.PHONY: gate help generate keep-versions check lint test race demo live pictures e2e contract-test diff release-contracts compose-check bench fuzz mutate foreign-avro foreign-codes docs kafka registry foreign-test foreign-http foreign-install

gate: check lint diff compose-check race contract-test ## Everything to run before a push: check, lint, diff, compose-check, race and contract-test
	@echo "gate: all good"

help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Runs eventgen generate. A changed body of a log whose former version is not kept is a fault; this
# project's command that keeps it is named then.
define eventgen
	@mkdir -p build; go run ./tools/eventgen generate $(1) 2>build/eventgen.log; status=$$?; cat build/eventgen.log >&2; \
		! grep -q 'is not among its versions' build/eventgen.log || echo "a body of a log that changed on purpose is kept by: make keep-versions" >&2; exit $$status
endef

generate: ## Generates gen/ from specs/; a second run changes nothing
	@echo "generate: gen/ from specs/"
	$(call eventgen,-refuse-unknown -out gen -import $(MODULE)/gen $(ASYNCAPI))
	$(call eventgen,-role both -out $(EXAMPLE)/gen -import $(MODULE)/$(EXAMPLE)/gen $(EXAMPLE)/asyncapi.yaml)
	@sh tools/generatehttp.sh gen

keep-versions: ## Keeps changed log bodies as versions that stay readable, under specs/log
	@echo "keep-versions: the present bodies of the logs into specs/log/*/versions"
	@go run ./tools/eventgen versions keep $(ASYNCAPI)

check: ## Fails if gen/ is not what specs/ generate
	@echo "check: gen/ is what specs/ generate"
	$(call eventgen,-check -refuse-unknown -out gen -import $(MODULE)/gen $(ASYNCAPI))
	$(call eventgen,-check -role both -out $(EXAMPLE)/gen -import $(MODULE)/$(EXAMPLE)/gen $(EXAMPLE)/asyncapi.yaml)
	@sh tools/checkhttp.sh

lint: ## Runs gofmt, go vet and staticcheck in every module, and actionlint on the workflows
	@echo "lint: gofmt, go vet, staticcheck, actionlint"
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "not formatted, run gofmt -w on:"; echo "$$out"; exit 1; }
	@go build -modfile=tools/lint/go.mod -o build/bin/ honnef.co/go/tools/cmd/staticcheck github.com/rhysd/actionlint/cmd/actionlint
	@build/bin/actionlint
	@for m in . $(MODULES); do (cd $$m && go vet $(FULL) ./... && $(CURDIR)/build/bin/staticcheck $(FULL) ./...) || exit 1; done

# More packages at a time than two cores need, because several wait for timers most of their time.
# MODULES have dependencies of their own, which take longer to compile than their tests run.
test: ## Runs every test of the main module that needs nothing but Go, long ones in their short form
	@echo "test: go test ./... (make race also runs the long forms, and the tests of the other modules)"
	@$(TEST) -p 6 ./...

# What PROCESSES test runs in processes of its own, which have no race detector: those tests run
# without it. What they share to drive a system has goroutines of its own: one of them runs with it.
race: ## Runs the tests in their full form (DEFERPAY_FULL=1), with the race detector if there is a C compiler
	@$(if $(RACE),echo "race: go test -race where goroutines may meet and of the example of eventgen",echo "race: no C compiler, so the tests run without the race detector (install gcc for it)")
	@DEFERPAY_FULL=1 $(RACETEST) $(FULL) $$(go list ./... | grep -vxF "$$(go list $(PROCESSES) $(SEQUENTIAL))")
	@DEFERPAY_FULL=1 $(TEST) $(FULL) $(SEQUENTIAL)
	@cd tools/contractdiff && DEFERPAY_FULL=1 $(TEST) -count=1 ./... # specs/ is outside of the module, which the cache does not notice
	@cd $(EXAMPLE) && $(RACETEST) ./...
	@cd tools/alerts && $(TEST) -count=1 ./... # docs/ is outside of the module
	@DEFERPAY_FULL=1 $(TEST) $(FULL) -timeout 25m $(PROCESSES)
	@$(if $(RACE),DEFERPAY_FULL=1 $(RACETEST) -run '^TestRollingRestart$$' ./services/e2e)

demo: ## Plays the whole story and checks each step; KEEP=1 leaves it running, BROKER=kafka uses make kafka and make registry
	@go run ./tools/demo

live: ## Starts the system and serves a page that shows it, with buttons for the story and for faults; BROKER=kafka as for demo
	@go run ./tools/demo -live

pictures: ## Makes the screenshot and the recording of the README again, in docs/pictures; takes Chromium
	@mkdir -p build
	@go run ./tools/demo >build/demo.txt
	@go run ./tools/demo/recording -steps 1,5,7,9,31 <build/demo.txt >build/demo.svg && mv build/demo.svg docs/pictures/demo.svg
	@LIVE_PORTRAIT=$(CURDIR)/docs/pictures/live.png go test $(FULL) -count=1 -run '^TestPortrait$$' ./tools/live

e2e: ## Runs the system tests at their whole length; BROKER=kafka on Apache Kafka and Apicurio Registry, SEED=n repeats the choices of a run
	@echo "e2e: the system tests, on real processes"
	@go test -count=1 -timeout 60m -v ./services/e2e -e2e.full $(if $(SEED),-e2e.seed $(SEED))

contract-test: ## Checks what the services answer and publish against their OpenAPI and AsyncAPI documents
	@echo "contract-test: every answer and record of the demo's story against the contracts"
	@cd tools/contracttest && go test ./... && go run .

# The mode is for Avro: what was released reads what is written now, and the reverse, whichever was
# the release. OLD are the releases, oldest first.
RELEASED = $(shell ls -d specs/released/*/ 2>/dev/null | sort -t. -k1,1V -k2,2n -k3,3n)
DIFFMODE ?= FULL_TRANSITIVE

diff: ## Compares the contracts with every release of them (AGAINST=<git ref> for that state alone), checks their conventions, and fails if they may not be released
	@echo "diff: specs/ against $(if $(AGAINST),$(AGAINST),$(notdir $(patsubst %/,%,$(RELEASED))))"
	@mkdir -p build/bin && cd tools/contractdiff && go build -o ../../build/bin/contractdiff .
	@build/bin/contractdiff -mode $(DIFFMODE) $(if $(FORMAT),-format $(FORMAT)) $(if $(AGAINST),-against $(AGAINST) specs,$(RELEASED) specs) || { echo "change it as the hints say; or accept it in specs/contractdiff.ignore.yaml; or, for a version that was not tagged: make release-contracts VERSION=... FORCE=1"; exit 1; }
	@echo "diff: the conventions of contractdiff lint on specs/"
	@build/bin/contractdiff lint specs || { echo "docs/contractdiff-lint.md has a section for each rule; accept a finding in specs/contractdiff.ignore.yaml"; exit 1; }

release-contracts: ## Freezes specs/ under specs/released/VERSION/ (VERSION=0.1.0); FORCE=1 replaces a version that was not tagged yet
	@case "$(VERSION)" in [0-9]*.[0-9]*.[0-9]*) ;; *) echo "name the version: make release-contracts VERSION=0.2.0"; exit 1;; esac
	@[ -n "$(FORCE)" ] || [ ! -e specs/released/$(VERSION) ] || { echo "specs/released/$(VERSION) exists: a released contract does not change; FORCE=1 replaces one that was not tagged"; exit 1; }
	@! git rev-parse -q --verify "refs/tags/v$(VERSION)" >/dev/null || { echo "v$(VERSION) is tagged: a released contract does not change"; exit 1; }
	@echo "release-contracts: specs/ into specs/released/$(VERSION)"
	@rm -rf specs/released/$(VERSION) && mkdir -p specs/released/$(VERSION)
	@git ls-files specs | grep -v -e '^specs/released/' -e '\.md$$' -e '^specs/ogen.yml$$' -e 'ignore.yaml$$' | tar -cf - -T - | tar -xf - -C specs/released/$(VERSION) --strip-components=1

foreign-test: foreign-install ## Reads and writes our topics with confluent-kafka, fastavro, kafkajs and kcat; BROKER=kafka as for e2e
	@echo "foreign-test: every record of the demo's story, read by third-party clients"
	@go test $(FULL) -count=1 -timeout 15m -v ./tools/foreign -foreign

foreign-http: ## Judges the HTTP interfaces by schemathesis, redocly, Prism and a generated client (Python 3 with venv, Node 20 with npm)
	@echo "foreign-http: the HTTP interfaces, judged by third-party programs"
	@go test $(FULL) -count=1 -timeout 20m -v ./tools/foreignhttp -foreign

foreign-install: ## Installs the clients of foreign-test in the user's cache folder (Python 3 with venv, Node 20 with npm)
	@echo "foreign-install: third-party Kafka clients"
	@go run ./tools/foreign/install

compose-check: ## Checks docker-compose.yml with Compose's own library and starts our services as it says; needs no engine
	@echo "compose-check: docker-compose.yml, by Compose's own library"
	@cd tools/composecheck && go test -count=1 . && go run . ../../docker-compose.yml

bench: ## Runs the benchmarks, as tables of ratios; BROKER=kafka measures the journal on Apache Kafka
	@echo "bench: decisions per second against raw acknowledged produce, in one run"
	@go test -c -o build/bin/journal.bench ./services/journal
	@build/bin/journal.bench -test.run '^(TestThroughput|TestShared|TestContention)$$' -throughput 1s
	@echo "bench: a purchase over HTTP on its whole way, with the broker in a process of its own"
	@go test ./services/billing -run '^$$' -bench Purchase -benchtime 5000x | grep '^Benchmark'
	@echo "bench: generated Avro codecs against hamba/avro's reflection, in one run"
	@DEFERPAY_FULL=1 go test ./tools/eventgen/avro/internal/conformance -run '^TestCodecRatio$$' -count=1 -v | grep -v '^[=-]'
	@echo "bench: generated JSON codecs, which check the schema, against encoding/json and against it with a validator, in one run"
	@DEFERPAY_FULL=1 go test ./tools/eventgen/jsonschema/internal/conformance -run '^TestCodecRatio$$' -count=1 -v | grep -v '^[=-]'
	@echo "bench: eventgen itself, on our documents and on one of 1,000 messages"
	@go test ./tools/eventgen/generate -run '^$$' -bench . -benchtime 3x | grep '^Benchmark'

fuzz: ## Runs every fuzz target; FUZZTIME=1h is the time for all of them (10m)
	@echo "fuzz: $(FUZZTIME) for all targets together"
	@go run ./tools/fuzz -time $(FUZZTIME)

mutate: ## Breaks one rule at a time and expects its test to fail (tools/mutate/mutations.txt); RUN=regexp selects some
	@go run ./tools/mutate $(if $(RUN),-run '$(RUN)')

foreign-avro: ## Compares generated codecs with fastavro, confluent-kafka (Python 3) and Apache Avro (Java 17, Maven)
	@echo "foreign-avro: values, frames and resolution against other implementations"
	@mkdir -p build
	@go test -count=1 -timeout 5m -v -run '^TestForeign' ./tools/eventgen/avro/internal/foreign -foreign >build/foreign-avro.log; status=$$?; \
		go test -count=1 -timeout 5m -v -run '^TestForeign' ./tools/eventgen/avro/compat -foreign >>build/foreign-avro.log || status=1; \
		grep -E '^(---|ok|FAIL|[[:space:]]*(foreign|apache)_test)' build/foreign-avro.log; exit $$status

foreign-codes: ## Compares codes and check digits with schwifty, python-stdnum and pycountry (Python 3)
	@echo "foreign-codes: our code lists and check digits against other implementations"
	@go test -count=1 -timeout 10m -run '^TestForeign' ./services/internal/codes -foreign

docs: ## Writes contracts, documents and the presentation as pages to build/docs (its slides take npm, its PDFs Chromium)
	@echo "docs: the contracts and the presentation as pages, in build/docs"
	@go run ./tools/docsite -out build/docs

kafka: ## Runs Apache Kafka in the foreground (Java 17, Maven); BROKERS=3, SECURE=1 with TLS, logins and ACLs, LOG_LEVEL=info, DATA=folder
	@echo "kafka: Apache Kafka, $(BROKERS) broker(s), data in $(KAFKA_DATA); Ctrl-C stops it"
	@go build -o build/bin/ ./tools/kafka
	@exec build/bin/kafka broker -brokers $(BROKERS) -log-level $(LOG_LEVEL) -data $(KAFKA_DATA) $(if $(SECURE),-secure) $(ARGS)

registry: ## Runs Apicurio Registry in the foreground, with its schemas on the Kafka of make kafka; SECURE=1 for a secured one
	@echo "registry: Apicurio Registry, schemas on the Kafka of make kafka; Ctrl-C stops it"
	@go build -o build/bin/ ./tools/kafka
	@exec build/bin/kafka registry $(if $(SECURE),-kafka-user registry -kafka-password-file $(KAFKA_DATA)/security/registry.password -kafka-ca $(KAFKA_DATA)/security/ca.pem) -log-level $(LOG_LEVEL) -data build/registry $(ARGS)
