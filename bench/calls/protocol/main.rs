//! Writes fp-bindgen's TypeScript host for the conformance guest: `fp-bindgen-host <folder>`.
#![allow(dead_code)]

include!(concat!(env!("OUT_DIR"), "/protocol.rs"));

fn main() {
    let path = std::env::args().nth(1).expect("usage: fp-bindgen-host <folder for the host>");
    let config = TsRuntimeConfig::new().without_streaming_instantiation();
    fp_bindgen!(BindingConfig { bindings_type: BindingsType::TsRuntime(config), path: &path });
}
