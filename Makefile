# Names for commands. Cargo's output goes outside the work tree unless CARGO_TARGET_DIR says where.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/landfall/target
export PATH := $(HOME)/.cargo/bin:$(PATH)

# Java's transforms, to run over files of cases. JARS="…:…" has more jars than those of Kafka and Debezium.
CACHE = $(or $(LANDFALL_TEST_CACHE),$(HOME)/.cache/landfall)
TRANSFORM_HARNESS = java -cp "$(CACHE)/java-worker/*:$(CACHE)/debezium/postgres/*:$(JARS)" tests/support/transforms/TransformHarness.java
# Java's assignors, over clusters made up by chance.
ASSIGN_HARNESS = java -cp "$(CACHE)/java-worker/*" tests/support/assign/AssignHarness.java

.NOTPARALLEL:
.PHONY: setup test test-long model soak lint run reference openapi transforms-golden converters-golden avro-golden assign-golden rest-golden bench bench-backlog bench-check bench-commit bench-convert bench-scale bench-latency release image sbom deny security book

# Everything that building and testing need.
setup:
	scripts/setup.sh

# What has to be green before a change goes in. Black-box tests wait for processes more than they compute: one more than cores.
test: export RUST_TEST_THREADS ?= $(shell expr $$(nproc) + 1)
test: setup lint
	cargo test --workspace --features failpoints

# What takes too long for every change: files of gigabytes, thousands of new records and schemas, Spark. RECORDS and SEED say how many
# records each class of transform gets, and which.
test-long: setup
	scripts/setup.sh long
	cargo test --profile demo --test long
	set -e; cases=$$(mktemp -d); trap 'rm -rf "$$cases"' EXIT; \
	python3 tests/support/transforms/generate.py "$$cases" $(or $(RECORDS),10000) $(SEED); \
	$(TRANSFORM_HARNESS) "$$cases"/*.json; \
	LANDFALL_TRANSFORM_CASES=$$cases cargo test --lib transform::golden::transforms_make; \
	$(ASSIGN_HARNESS) $(or $(SEED),$$(date +%s)) $(or $(SCENARIOS),30000) > "$$cases"/assign.txt; \
	LANDFALL_ASSIGN_CASES=$$cases/assign.txt cargo test --lib herder::assign::tests::answers_as_java_does

# The commit protocol's model within larger bounds than those of `make test`: a table of what holds, or the shortest way to what does not.
model:
	LANDFALL_MODEL=large cargo test --profile demo -p landfall-lake --lib commit::owner::model -- --nocapture --test-threads=1

# Everything that can go wrong, by chance, for so many minutes; what it prints as SEED repeats the choices.
soak: setup
	MINUTES=$(or $(MINUTES),30) SEED=$(SEED) cargo test --profile demo --test long -- --exact soak --nocapture

lint:
	cargo fmt --all --check
	python3 -B -m doctest scripts/bench_check.py
	cargo clippy --workspace --all-targets --features failpoints -- -D warnings

# See it work: a bank's change events land as Parquet in ./landing, until Ctrl-C. ARGS="--help" tells what can be said.
run:
	scripts/setup.sh build
	cargo run --profile demo --bin landfall -- demo $(ARGS)

# The pages of docs/reference anew, from the configuration keys as the code declares them, the help of commands in docs/cli.md, and the
# sizing table in docs/tuning.md.
reference:
	UPDATE=1 cargo test --test it reference
	UPDATE=1 cargo test --test it cli::the_page
	UPDATE=1 cargo test --test it estimate::the_sizing

# The description of the REST API anew, from src/rest/openapi.
openapi:
	UPDATE=1 cargo test --lib rest::openapi

# What Kafka's own converters make of the records in tests/data/converters, anew.
converters-golden: setup
	UPDATE=1 cargo test --test it converters_make

# What Java's worker answers to the requests in tests/rest/scenarios, anew.
rest-golden: setup
	mvn -q -B -f tests/support/rest_cases/pom.xml dependency:copy-dependencies -DoutputDirectory=$(CARGO_TARGET_DIR)/rest-golden
	UPDATE=1 REST_JARS=$(CARGO_TARGET_DIR)/rest-golden cargo test --test it rest_cases::

# Landfall beside the least work that does the same job: usual records, and with WORST=yes those that make the most work; with JAVA=yes
# beside Java's worker too. RECORDS and RUNS make it smaller or longer.
bench: setup
	$(if $(JAVA),scripts/setup.sh java)
	cargo bench --bench end_to_end -- compare --records $(or $(RECORDS),2000000) --runs $(or $(RUNS),5) $(if $(WORST),--worst) $(if $(JAVA),--java)

# How a backlog of many partitions is caught up with, by one task and by more.
bench-backlog: setup
	cargo bench --bench end_to_end -- backlog --records $(or $(RECORDS),10000000)

# Counts the instructions of each step of a record's path now and at commit BASE (where this branch left origin/main), and fails where
# one takes over 5 % more. KERNELS="json encode" does some of them.
bench-check:
	scripts/setup.sh bench
	scripts/bench_check.py $(KERNELS)

# What the commit protocol costs, in a directory.
bench-commit:
	scripts/setup.sh build
	cargo bench --bench commit

# The steps of a record's path alone, and bad records, beside libraries that read the same rows; fails where a step allocates for each
# record, or bad records cost three times their limit.
bench-convert:
	scripts/setup.sh build
	cargo run --profile bench --manifest-path benches/convert/Cargo.toml

# What grows with topics, open files and connectors, and the picture of it in docs. LARGEST=200 makes it smaller.
bench-scale: setup
	cargo bench --bench scale -- many --largest $(or $(LARGEST),1000) | tee $(CARGO_TARGET_DIR)/scale.md
	python3 benches/scale/picture.py < $(CARGO_TARGET_DIR)/scale.md > docs/scale.svg

# How soon a record's row is visible.
bench-latency: setup
	cargo bench --bench scale -- latency

# The binary, and beside it what it is made of.
release: sbom
	scripts/setup.sh build
	cargo build --release --locked --bin landfall
	ldd $(CARGO_TARGET_DIR)/release/landfall

# The file system of the container image, in a folder, and how large it is.
image: release
	rm -rf $(CARGO_TARGET_DIR)/rootfs
	container/build.sh $(CARGO_TARGET_DIR)/release/landfall $(CARGO_TARGET_DIR)/rootfs

# The bill of materials (CycloneDX) of the binary.
sbom:
	mkdir -p $(CARGO_TARGET_DIR)/release
	cargo metadata --format-version 1 --locked --filter-platform $$(rustc -vV | sed -n 's/^host: //p') \
		| python3 scripts/sbom.py > $(CARGO_TARGET_DIR)/release/landfall.cdx.json

# Whether dependencies are what deny.toml allows, and whether something is known against them: the database of advisories is fetched, unless
# ADVISORIES=no.
deny:
	cargo deny --version >/dev/null 2>&1 || cargo install --locked cargo-deny
	cargo deny --locked check licenses bans sources $(if $(filter no,$(ADVISORIES)),,advisories)

# The documentation as a site, in landing/book. What leads out of docs leads to the files of this repository.
book:
	mdbook --version >/dev/null 2>&1 || cargo install --locked mdbook
	mdbook build docs
	sed -i -E -e 's#href="\.\./([^"]*)\.html"#href="../../\1.md"#g' -e 's#href="\.\./([^".][^"]*)"#href="../../\1"#g' landing/book/*.html

# The tables of docs/security.md anew, from what the tests try.
security: setup
	UPDATE=1 cargo test --test it reach::

# What Java's transforms make of the records in tests/data/transforms anew, and the list of differences. FILES="…" does some of them,
# JARS="…:…" has more jars than those of Kafka and Debezium.
transforms-golden: setup
	$(TRANSFORM_HARNESS) $(or $(FILES),$(wildcard tests/data/transforms/*.json))
	UPDATE=1 cargo test --lib transform::golden

# What Java makes of the Avro in tests/data/avro anew, by Avro's library and Apicurio's copy of Confluent's AvroData.
avro-golden: setup
	mvn -q -B -f tests/support/avro/pom.xml dependency:copy-dependencies -DoutputDirectory=$(CARGO_TARGET_DIR)/avro-golden
	-UPDATE=1 cargo test --lib avro::tests::java
	cache=$${LANDFALL_TEST_CACHE:-$$HOME/.cache/landfall}; java -cp "$$cache/java-worker/*:$(CARGO_TARGET_DIR)/avro-golden/*" tests/support/avro/AvroHarness.java tests/data/avro/cases.jsonl tests/data/avro/java.jsonl
	cargo test --lib avro::tests::java

# What Java's assignors answer in the clusters of tests/data/assign anew.
assign-golden: setup
	$(ASSIGN_HARNESS) 1 600 > tests/data/assign/java.txt
	cargo test --lib herder::assign
