# The front door. Each target installs what is missing on this machine (deps/install) before it builds.
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60

.PHONY: all deps demo test bench fuzz tsan install clean distclean

all: build/cairn

.PHONY: build/cairn
build/cairn:
	@deps/install run build
	@cmake --preset release >build/cmake.log || { cat build/cmake.log; exit 1; }
	@cmake --build build/release

# What building and running need, the engines' libraries too.
deps:
	@deps/install run build

# The whole road on real trips: from a CSV file to predictions, drift and proof.
demo: build/cairn
	@examples/taxi/demo.sh

# Unit tests, fuzz corpora and house rules, then the real clients against a running cairn, all under sanitizers.
# The last line is `N passed, N failed`.
test:
	@deps/install run build test
	@cmake --preset asan >build/cmake.log || { cat build/cmake.log; exit 1; }
	@cmake --build build/asan
	@tests/run

bench: build/cairn
	@bench/run

bench-%: build/cairn
	@bench/run $*

# Every parser of outside bytes under libFuzzer, FUZZ_SECONDS each; findings stay in build/fuzz/findings.
fuzz:
	@deps/install run build test fuzz
	@cmake --preset fuzz >build/cmake.log || { cat build/cmake.log; exit 1; }
	@cmake --build build/fuzz
	@tests/fuzz/run $(FUZZ_SECONDS)

tsan:
	@deps/install run build test
	@cmake --preset tsan >build/cmake.log || { cat build/cmake.log; exit 1; }
	@cmake --build build/tsan
	@OMP_THREAD_LIMIT=1 TSAN_OPTIONS=suppressions=$(CURDIR)/tests/tsan.supp setarch $$(uname -m) -R ctest --test-dir build/tsan --output-on-failure

install: build/cairn
	cmake --install build/release --prefix $(PREFIX)

# Keeps what deps/install brought; distclean does not.
clean:
	rm -rf build/cairn build/release build/debug build/asan build/tsan build/fuzz build/bench build/demo build/*.log

distclean: clean
	rm -rf build deps/npm/node_modules
