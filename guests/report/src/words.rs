//! Counts words: the longest runs of alphabetic characters, lower-cased.

use bindings::WordCount;
use std::cmp::Reverse;
use std::collections::HashMap;

#[derive(Default)]
pub struct WordCounts(HashMap<String, u32>);

impl WordCounts {
    /// Bytes that are not UTF-8 separate words. A content with a zero byte is binary and has none.
    pub fn add_all(&mut self, content: &[u8]) {
        if content.contains(&0) {
            return;
        }
        for word in String::from_utf8_lossy(content).split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty())
        {
            *self.0.entry(word.to_lowercase()).or_insert(0) += 1;
        }
    }

    /// The `limit` most frequent words; words of equal count in code point order.
    pub fn most(self, limit: usize) -> Vec<WordCount> {
        let mut words: Vec<_> = self.0.into_iter().map(|(word, count)| WordCount { word, count }).collect();
        words.sort_unstable_by(|a, b| (Reverse(a.count), &a.word).cmp(&(Reverse(b.count), &b.word)));
        words.truncate(limit);
        words
    }
}
