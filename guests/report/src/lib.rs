//! Reads many files through the host, hashes each one, and counts lines and words.

mod words;

use bindings::*;
use join::join_at_most;
use std::cell::RefCell;
use words::WordCounts;

/// Files in flight at a time: enough to keep a pool of host threads busy, few enough to bound the guest's memory.
const FILES_AT_A_TIME: usize = 16;

/// How many words `Totals::frequent` names.
const FREQUENT: usize = 10;

#[fp_export_impl(bindings)]
async fn report(paths: Vec<String>) -> Result<Report, String> {
    if paths.is_empty() {
        return Err("nothing to report on: no paths were given".to_owned());
    }
    log(format!("reporting on {} files", paths.len()));

    let mut totals = Totals { files: 0, failed: 0, bytes: 0, lines: 0, words: 0, frequent: Vec::new() };
    let frequent = RefCell::new(WordCounts::default());
    let files = join_at_most(FILES_AT_A_TIME, paths.into_iter().map(|path| report_file(path, &frequent))).await;

    for file in &files {
        match file {
            FileReport::Ok { bytes, lines, words, .. } => {
                totals.files += 1;
                totals.bytes += bytes;
                totals.lines += lines;
                totals.words += words;
            }
            FileReport::Failed { .. } => totals.failed += 1,
        }
    }
    totals.frequent = frequent.into_inner().most(FREQUENT);
    Ok(Report { files, totals })
}

#[fp_export_impl(bindings)]
fn add(a: u32, b: u32) -> u32 {
    a.wrapping_add(b)
}

/// A file that cannot be read is an entry of the report, not its failure.
async fn report_file(path: String, frequent: &RefCell<WordCounts>) -> FileReport {
    let content = match read_file(path.clone()).await {
        Ok(content) => content,
        Err(error) => return FileReport::Failed { path, error },
    };

    frequent.borrow_mut().add_all(&content);
    let bytes = content.len() as u64;
    let lines = content.iter().filter(|byte| **byte == b'\n').count() as u32;
    let words = content.split(|byte| is_white_space(*byte)).filter(|word| !word.is_empty()).count() as u32;
    let sha256 = sha256(content).await;

    FileReport::Ok { path, bytes, lines, words, sha256 }
}

/// `u8::is_ascii_whitespace` and the vertical tab, which separates words for `wc` too.
fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}
