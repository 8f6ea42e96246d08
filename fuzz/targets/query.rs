#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cargo_msvc_fuzz::parse("queries/all.sql", bytes));
