//! What must not compile, and what the user reads then: one error for each mistake, at the user's
//! own tokens.
//!
//! `ui/messages` holds our own words. `ui/types` holds words of the compiler's, which change with
//! its version: `rust-toolchain.toml` pins the one they are of.
//!
//! `TRYBUILD=overwrite cargo test -p throughline-tests --test ui` writes them anew; read the diff.

#[test]
fn mistakes_are_told_in_plain_words() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui/messages/*.rs");
    cases.compile_fail("ui/types/*.rs");
}
