//! The protocol of the `report` guest. Run it to write the `bindings` crate: `report <folder>`.
#![allow(dead_code)]

use fp_bindgen::prelude::*;
use serde_bytes::ByteBuf;

/// Why a file could not be read.
#[derive(Serializable)]
#[fp(tag = "_tag")]
pub enum FileError {
    NotFound {
        path: String,
    },
    Unreadable {
        path: String,
        message: String,
    },
    /// The host stopped the work before the file was read.
    Interrupted,
}

/// What became of one path.
#[derive(Serializable)]
#[fp(tag = "status", rename_all = "snake_case")]
pub enum FileReport {
    Ok {
        path: String,
        bytes: u64,
        /// Line feeds, as `wc -l` counts them.
        lines: u32,
        /// Runs of bytes that are not ASCII white space: what `wc -w` counts in a text.
        words: u32,
        sha256: String,
    },
    Failed {
        path: String,
        error: FileError,
    },
}

#[derive(Serializable)]
pub struct WordCount {
    pub word: String,
    pub count: u32,
}

#[derive(Serializable)]
pub struct Totals {
    /// Files that could be read; all other fields but `failed` are sums over these.
    pub files: u32,
    pub failed: u32,
    pub bytes: u64,
    pub lines: u32,
    pub words: u32,
    /// At most ten, the most frequent first, words of equal count in code point order.
    pub frequent: Vec<WordCount>,
}

#[derive(Serializable)]
pub struct Report {
    /// One entry for each path, in the order of the paths.
    pub files: Vec<FileReport>,
    pub totals: Totals,
}

fp_import! {
    fn log(message: String);
    async fn read_file(path: String) -> Result<ByteBuf, FileError>;
    /// The SHA-256 of `bytes`, as the host writes it (lower-case hexadecimal).
    async fn sha256(bytes: ByteBuf) -> String;
}

fp_export! {
    fn add(a: u32, b: u32) -> u32;
    async fn report(paths: Vec<String>) -> Result<Report, String>;
}

fn main() {
    let path = std::env::args().nth(1).expect("usage: report <folder for the bindings>");
    let config = RustPluginConfig::builder().name("report-bindings").version("0.0.0").build();
    fp_bindgen!(BindingConfig { bindings_type: BindingsType::RustPlugin(config), path: &path });
}
