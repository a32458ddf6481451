//! The calls that the benchmark makes of the conformance guest, as an author of an Extism plugin writes them.

use extism_pdk::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

#[host_fn]
extern "ExtismHost" {
    fn host_echo(text: String) -> String;
}

#[plugin_fn]
pub fn echo_string(value: String) -> FnResult<String> {
    Ok(value)
}

#[plugin_fn]
pub fn echo_bytes(value: Vec<u8>) -> FnResult<Vec<u8>> {
    Ok(value)
}

#[plugin_fn]
pub fn echo_point(Msgpack(value): Msgpack<Point>) -> FnResult<Msgpack<Point>> {
    Ok(Msgpack(value))
}

#[plugin_fn]
pub fn via_host_echo(text: String) -> FnResult<String> {
    Ok(unsafe { host_echo(text) }?)
}
