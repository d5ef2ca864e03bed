use super::*;

#[test]
fn placeholder() {
    let decoder = decoder_of("syntax=\"proto3\"; message A { int32 a = 1; }", &Properties::new());
    assert!(decoder.is_ok());
}
