//! Takes the conformance guest's protocol as it is, without its `main` and without what may stand at the head of a crate only.

use std::{env, fs, path::Path};

const PROTOCOL: &str = "../../../guests/conformance/protocol.rs";
/// Its TypeScript generator has no rule for a variant of two values. No measured function carries one.
const REFUSED: &str = "Tuple(u32, String),";

fn main() {
    println!("cargo::rerun-if-changed={PROTOCOL}");
    let source = fs::read_to_string(PROTOCOL).expect("the protocol of the conformance guest");
    let (protocol, _main) = source.split_once("fn main()").expect("the protocol ends with its main");
    let included: String = protocol
        .lines()
        .filter(|line| !line.starts_with("//!") && !line.starts_with("#![") && line.trim() != REFUSED)
        .flat_map(|line| [line, "\n"])
        .collect();
    let folder = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&folder).join("protocol.rs"), included).expect("the folder of the build");
}
