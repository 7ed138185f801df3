//! Evidence cannot be forged, copied or used twice: each of these is refused by the compiler, and for
//! the reason that stands beside it.

#[test]
fn evidence_cannot_be_forged() {
    trybuild::TestCases::new().compile_fail("tests/it/forged/*.rs");
}
