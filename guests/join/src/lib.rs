//! Waiting for many futures at once inside one task.
//!
//! The executor of `fp-bindgen-support` 3.0.0 panics with "already borrowed" when a task is woken while it is polled.
//! `futures::future::join_all` does that as soon as it holds more than 30 futures, so it cannot carry a thousand.
//! `join_at_most` never wakes anything: the host's answer wakes the task, and the task polls what is in flight.

use std::future::{poll_fn, Future};
use std::pin::Pin;
use std::task::Poll;

/// Runs `futures` with at most `limit` of them in flight; the outputs come in the order of the futures.
///
/// A future is polled for the first time, and so makes its host call, as soon as there is room for it.
pub async fn join_at_most<F: Future>(limit: usize, futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut waiting = futures.into_iter().enumerate();
    let mut in_flight: Vec<(usize, Pin<Box<F>>)> = Vec::new();
    let mut outputs: Vec<Option<F::Output>> = Vec::new();

    poll_fn(|cx| loop {
        while in_flight.len() < limit.max(1) {
            let Some((index, future)) = waiting.next() else { break };
            outputs.push(None);
            in_flight.push((index, Box::pin(future)));
        }

        let before = in_flight.len();
        in_flight.retain_mut(|(index, future)| match future.as_mut().poll(cx) {
            Poll::Ready(output) => {
                outputs[*index] = Some(output);
                false
            }
            Poll::Pending => true,
        });

        if in_flight.is_empty() && before == 0 {
            return Poll::Ready(());
        }
        if in_flight.len() == before {
            return Poll::Pending;
        }
    })
    .await;

    outputs.into_iter().flatten().collect()
}
