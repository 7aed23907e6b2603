# The commands of .ci/run, one by one. `just ci` before you push.

default: test

# Everything that must hold
ci:
    .ci/run

# All tests, doctests and examples of the documentation
test *ARGS:
    cargo test --workspace {{ ARGS }}

# The quick round while you work
check:
    cargo fmt --all
    cargo clippy --workspace --all-targets -- -D warnings
    cargo test -p pyroxene --lib --test architecture

# The documentation, as published; `just doc --open` reads it
doc *ARGS:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps {{ ARGS }}

# The client alone, and every crate with the least it can have
features:
    cargo clippy -p pyroxene --no-default-features -- -D warnings
    cargo clippy -p pyroxene --no-default-features --features blocking -- -D warnings
    cargo check --no-default-features

# Three processes that find, call, fail and recover
demo:
    cargo run --release -- demo

# One example, such as `just example hello`
example NAME:
    cargo run --example {{ NAME }}

# Rewrites what we send in tests/golden/ours; the difference belongs into the changelog
golden:
    UPDATE_GOLDEN=1 cargo test --test it golden

# Rewrites what the compiler says in tests/ui
ui:
    TRYBUILD=overwrite cargo test --test ui

# Feeds one decoder with nonsense: frame, handshake, datagram, uri or value (needs nightly and cargo-fuzz)
fuzz TARGET *ARGS:
    cargo +nightly fuzz run --fuzz-dir tests/fuzz {{ TARGET }} tests/fuzz/corpus/{{ TARGET }} tests/fuzz/seeds/{{ TARGET }} {{ ARGS }}

# Ours and its peers, as a table of ratios; `just peers --only pyroxene,tarpc`, `just peers local` (a workspace of its own; its first build is long)
peers *ARGS:
    cargo run --release --manifest-path benches/peers/Cargo.toml -- {{ ARGS }}

# Instructions of the hot path, compared with the last run (needs valgrind and gungraun-runner)
instructions *ARGS:
    cargo bench --manifest-path benches/instructions/Cargo.toml -- {{ ARGS }}

# Licences, duplicates and sources of all dependencies (needs cargo-deny)
deny:
    cargo deny check
