#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| radhook_fuzz::detail(octets));
