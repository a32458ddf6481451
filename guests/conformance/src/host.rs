//! Values and results through the host and back.

use bindings::*;
use bytes::Bytes;

#[fp_export_impl(bindings)]
async fn fetch(request: Request) -> Result<Response, FetchError> {
    host_fetch(request).await
}

#[fp_export_impl(bindings)]
async fn via_host_async_struct(value: Everything) -> Everything {
    host_async_struct(value).await
}

#[fp_export_impl(bindings)]
async fn via_host_bytes(value: Bytes) -> Bytes {
    host_bytes(value).await
}

#[fp_export_impl(bindings)]
async fn via_host_echo(text: String) -> String {
    host_echo(text).await
}

#[fp_export_impl(bindings)]
fn via_host_mixed(flag: bool, small: i8, wide: u64, text: String, real: f32, point: Point) -> Mixed {
    host_mixed(flag, small, wide, text, real, point)
}

#[fp_export_impl(bindings)]
fn via_host_sync_result(text: String) -> Result<String, HostError> {
    host_sync_result(text)
}

#[fp_export_impl(bindings)]
fn via_host_sync_string(text: String) -> String {
    host_sync_string(text)
}

#[fp_export_impl(bindings)]
fn via_host_sync_struct(value: Everything) -> Everything {
    host_sync_struct(value)
}

#[fp_export_impl(bindings)]
async fn via_host_try(id: u32) -> Result<u32, HostError> {
    host_try(id).await
}

#[fp_export_impl(bindings)]
fn log_lines(count: u32) {
    for line in 0..count {
        log(format!("line {line}"));
    }
}

#[fp_export_impl(bindings)]
fn spin_calls(count: u32) -> u32 {
    (0..count).fold(0, |sum, _| host_add(sum, 1))
}

#[fp_export_impl(bindings)]
fn reenter_sync(depth: u32) -> u32 {
    match depth.checked_sub(1) {
        Some(rest) => host_reenter_sync(rest) + 1,
        None => 0,
    }
}

#[fp_export_impl(bindings)]
async fn reenter(depth: u32) -> u32 {
    match depth.checked_sub(1) {
        Some(rest) => host_reenter(rest).await + 1,
        None => 0,
    }
}
