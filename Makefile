# The vocabulary of this repository. `make test` is what a change must pass.

CONF ?= conf/weir.yaml
SECONDS ?= 60

.PHONY: build release test unit e2e tidy format asan tsan fuzz cover load demo run check

build:
	swift build

release:
	swift build -c release --static-swift-stdlib --product weir

test:
	Tests/run

unit:
	swift test --disable-xctest

# K=name runs the end-to-end tests whose names hold it.
e2e: release
	WEIR=$$(realpath .build/release/weir) python3 -m pytest -q --tb=short $(if $(K),-k '$(K)') Tests/EndToEnd

tidy:
	Tests/run --only style

format:
	swift format --in-place --recursive Package.swift Sources Tests

asan:
	swift test --disable-xctest --sanitize=address --scratch-path .build/asan

tsan:
	swift test --disable-xctest --sanitize=thread --scratch-path .build/tsan

# CODEC=HTTP1 fuzzes one of Tests/Fuzz; its corpus grows in .build/corpus.
fuzz:
	WEIR_FUZZ=1 swift build -c release --disable-dead-strip --scratch-path .build/fuzz --sanitize=fuzzer \
		--sanitize=address --product Fuzz$(CODEC)
	mkdir -p .build/corpus/$(CODEC)
	SWIFT_BACKTRACE=enable=no .build/fuzz/release/Fuzz$(CODEC) -max_total_time=$(SECONDS) -timeout=5 \
		.build/corpus/$(CODEC) Tests/Fuzz/$(CODEC)/corpus

cover:
	swift test --disable-xctest --enable-code-coverage
	@echo "coverage: $$(swift test --show-codecov-path)"

load:
	loadtest/run

demo:
	deploy/demo

run: release
	.build/release/weir run -c $(CONF)

check: release
	.build/release/weir check $(CONF)
