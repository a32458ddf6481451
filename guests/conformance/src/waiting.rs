//! The ways in which a task waits for the host, for another task, or not at all.
//!
//! A generated asynchronous import calls the host when its future is polled for the first time, not when it is made.

use bindings::*;
use futures_util::future::{join_all, maybe_done, select};
use join::join_at_most;
use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, Future};
use std::pin::{pin, Pin};
use std::rc::Rc;
use std::task::{Poll, Waker};

#[fp_export_impl(bindings)]
async fn early() -> u32 {
    42
}

#[fp_export_impl(bindings)]
async fn void_async() {
    host_void().await
}

#[fp_export_impl(bindings)]
fn void_sync() {}

#[fp_export_impl(bindings)]
async fn never() {
    pending().await
}

#[fp_export_impl(bindings)]
async fn sequence(count: u32) -> Vec<u32> {
    let mut answers = Vec::new();
    for id in 0..count {
        answers.push(host_delay(id).await);
    }
    answers
}

/// Traps from 31 on: `join_all` then wakes its own task, which the published executor does not bear.
#[fp_export_impl(bindings)]
async fn join(count: u32) -> Vec<u32> {
    join_all((0..count).map(host_delay)).await
}

#[fp_export_impl(bindings)]
async fn join_bounded(count: u32, limit: u32) -> Vec<u32> {
    join_at_most(limit as usize, (0..count).map(host_delay)).await
}

#[fp_export_impl(bindings)]
async fn race(a: u32, b: u32) -> u32 {
    select(pin!(host_delay(a)), pin!(host_delay(b))).await.factor_first().0
}

/// Starts `first`, waits for `second`, and only then looks at `first` again.
#[fp_export_impl(bindings)]
async fn late_poll(first: u32, second: u32) -> Vec<u32> {
    let mut started = pin!(maybe_done(host_delay(first)));
    poll_once(started.as_mut()).await;
    let second = host_delay(second).await;
    started.as_mut().await;
    vec![started.take_output().expect("it has finished"), second]
}

#[fp_export_impl(bindings)]
async fn fire_and_forget(id: u32) -> u32 {
    poll_once(pin!(host_delay(id))).await;
    id
}

#[fp_export_impl(bindings)]
async fn cleanup(id: u32) -> Result<u32, HostError> {
    let answer = host_try(id).await;
    if answer == Err(HostError::Interrupted) {
        log(format!("cleaned up {id}"));
    }
    answer
}

#[derive(Default)]
struct Waiter {
    signal: Cell<Option<u32>>,
    waker: Cell<Option<Waker>>,
}

thread_local! {
    static WAITERS: RefCell<Vec<Rc<Waiter>>> = const { RefCell::new(Vec::new()) };
}

/// Waits for `send_signal`, then asks the host with the signal's value.
#[fp_export_impl(bindings)]
async fn wait_signal() -> u32 {
    let waiter = Rc::new(Waiter::default());
    WAITERS.with_borrow_mut(|waiters| waiters.push(waiter.clone()));
    let signal = poll_fn(|cx| match waiter.signal.get() {
        Some(signal) => Poll::Ready(signal),
        None => {
            waiter.waker.set(Some(cx.waker().clone()));
            Poll::Pending
        }
    })
    .await;
    host_delay(signal).await
}

/// Wakes every call of `wait_signal`: their tasks run, and call the host, before this returns how many there were.
#[fp_export_impl(bindings)]
fn send_signal(value: u32) -> u32 {
    let waiters = WAITERS.take();
    for waiter in &waiters {
        waiter.signal.set(Some(value));
        if let Some(waker) = waiter.waker.take() {
            waker.wake();
        }
    }
    waiters.len() as u32
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) {
    poll_fn(|cx| {
        let _ = future.as_mut().poll(cx);
        Poll::Ready(())
    })
    .await
}
