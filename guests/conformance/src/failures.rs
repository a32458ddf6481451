//! The ways in which a guest fails: each ends in a trap, or never ends.

use bindings::*;
use std::future::poll_fn;
use std::hint::black_box;
use std::task::Poll;

#[fp_export_impl(bindings)]
fn panic_sync(message: String, logged: bool) {
    fail(message, logged)
}

#[fp_export_impl(bindings)]
async fn panic_before_await(message: String, logged: bool) {
    fail(message, logged)
}

#[fp_export_impl(bindings)]
async fn panic_after_await(message: String, logged: bool) {
    host_void().await;
    fail(message, logged)
}

/// Wakes its own task while it is polled, which the published executor answers with the panic "already borrowed".
#[fp_export_impl(bindings)]
async fn self_wake() {
    let mut woken = false;
    poll_fn(|cx| {
        if woken {
            return Poll::Ready(());
        }
        woken = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

#[fp_export_impl(bindings)]
fn spin_forever() {
    loop {
        black_box(());
    }
}

/// Without a hook a panic of a guest says nothing: it is only the trap `unreachable`.
fn fail(message: String, logged: bool) {
    std::panic::set_hook(Box::new(move |panic| {
        if logged {
            log(panic.to_string());
        }
    }));
    panic!("{message}")
}
