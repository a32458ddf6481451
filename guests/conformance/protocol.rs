//! The protocol of the `conformance` guest. Run it to write the `bindings` crate: `conformance <folder>`.
#![allow(dead_code)]

use bytes::Bytes;
use fp_bindgen::prelude::*;
use serde_bytes::ByteBuf;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use time::OffsetDateTime;

fp_import! {
    type Id = u32;

    fn log(message: String);

    // Primitives, through the host and back.
    fn host_bool(value: bool) -> bool;
    fn host_i8(value: i8) -> i8;
    fn host_i16(value: i16) -> i16;
    fn host_i32(value: i32) -> i32;
    fn host_i64(value: i64) -> i64;
    fn host_u8(value: u8) -> u8;
    fn host_u16(value: u16) -> u16;
    fn host_u32(value: u32) -> u32;
    fn host_u64(value: u64) -> u64;
    fn host_f32(value: f32) -> f32;
    fn host_f64(value: f64) -> f64;
    async fn host_bool_async(value: bool) -> bool;
    async fn host_i8_async(value: i8) -> i8;
    async fn host_i64_async(value: i64) -> i64;
    async fn host_u64_async(value: u64) -> u64;
    async fn host_f32_async(value: f32) -> f32;
    async fn host_f64_async(value: f64) -> f64;

    // Synchronous calls of other shapes.
    fn host_add(a: u32, b: u32) -> u32;
    fn host_mixed(flag: bool, small: i8, wide: u64, text: String, real: f32, point: Point) -> Mixed;
    fn host_reenter_sync(depth: u32) -> u32;
    fn host_sync_result(text: String) -> Result<String, HostError>;
    fn host_sync_string(text: String) -> String;
    fn host_sync_struct(value: Everything) -> Everything;

    // Asynchronous calls of other shapes.
    async fn host_async_struct(value: Everything) -> Everything;
    async fn host_bytes(value: Bytes) -> Bytes;
    async fn host_delay(id: u32) -> u32;
    async fn host_echo(text: String) -> String;
    async fn host_fetch(request: Request) -> Result<Response, FetchError>;
    async fn host_reenter(depth: u32) -> u32;
    async fn host_try(id: u32) -> Result<u32, HostError>;
    async fn host_void();

    // Declared, and used by no function of the guest: absent from the module.
    fn host_unused(value: u32) -> u32;
}

fp_export! {
    // Primitives.
    fn echo_bool(value: bool) -> bool;
    async fn echo_bool_async(value: bool) -> bool;
    fn via_host_bool(value: bool) -> bool;
    fn echo_i8(value: i8) -> i8;
    async fn echo_i8_async(value: i8) -> i8;
    fn via_host_i8(value: i8) -> i8;
    fn echo_i16(value: i16) -> i16;
    async fn echo_i16_async(value: i16) -> i16;
    fn via_host_i16(value: i16) -> i16;
    fn echo_i32(value: i32) -> i32;
    async fn echo_i32_async(value: i32) -> i32;
    fn via_host_i32(value: i32) -> i32;
    fn echo_i64(value: i64) -> i64;
    async fn echo_i64_async(value: i64) -> i64;
    fn via_host_i64(value: i64) -> i64;
    fn echo_u8(value: u8) -> u8;
    async fn echo_u8_async(value: u8) -> u8;
    fn via_host_u8(value: u8) -> u8;
    fn echo_u16(value: u16) -> u16;
    async fn echo_u16_async(value: u16) -> u16;
    fn via_host_u16(value: u16) -> u16;
    fn echo_u32(value: u32) -> u32;
    async fn echo_u32_async(value: u32) -> u32;
    fn via_host_u32(value: u32) -> u32;
    fn echo_u64(value: u64) -> u64;
    async fn echo_u64_async(value: u64) -> u64;
    fn via_host_u64(value: u64) -> u64;
    fn echo_f32(value: f32) -> f32;
    async fn echo_f32_async(value: f32) -> f32;
    fn via_host_f32(value: f32) -> f32;
    fn echo_f64(value: f64) -> f64;
    async fn echo_f64_async(value: f64) -> f64;
    fn via_host_f64(value: f64) -> f64;
    async fn via_host_bool_async(value: bool) -> bool;
    async fn via_host_i8_async(value: i8) -> i8;
    async fn via_host_i64_async(value: i64) -> i64;
    async fn via_host_u64_async(value: u64) -> u64;
    async fn via_host_f32_async(value: f32) -> f32;
    async fn via_host_f64_async(value: f64) -> f64;
    fn check_extremes(value: Extremes) -> bool;
    fn extremes() -> Extremes;

    // Values.
    fn echo_string(value: String) -> String;
    fn echo_bytes(value: Bytes) -> Bytes;
    fn echo_byte_buf(value: ByteBuf) -> ByteBuf;
    fn echo_option(value: Option<String>) -> Option<String>;
    fn echo_list_u8(value: Vec<u8>) -> Vec<u8>;
    fn echo_list_u32(value: Vec<u32>) -> Vec<u32>;
    fn echo_list_u64(value: Vec<u64>) -> Vec<u64>;
    fn echo_list_f64(value: Vec<f64>) -> Vec<f64>;
    fn echo_list_bool(value: Vec<bool>) -> Vec<bool>;
    fn echo_list_string(value: Vec<String>) -> Vec<String>;
    fn echo_list_point(value: Vec<Point>) -> Vec<Point>;
    fn echo_list_option(value: Vec<Option<u32>>) -> Vec<Option<u32>>;
    fn echo_array_u8(value: [u8; 3]) -> [u8; 3];
    fn echo_array_i32(value: [i32; 2]) -> [i32; 2];
    fn echo_array_f32(value: [f32; 2]) -> [f32; 2];
    fn echo_array_f64(value: [f64; 4]) -> [f64; 4];
    fn echo_collections(value: Collections) -> Collections;
    fn echo_point(value: Point) -> Point;
    fn echo_empty(value: Empty) -> Empty;
    fn echo_newtype(value: Meters) -> Meters;
    fn echo_instant(value: Instant) -> Instant;
    fn echo_tuple(value: Triple) -> Triple;
    fn echo_alias(value: Id) -> Id;
    fn echo_optionals(value: Optionals) -> Optionals;
    fn echo_renamed(value: Renamed) -> Renamed;
    fn echo_flattened(value: Flattened) -> Flattened;
    fn echo_wide(value: Wide) -> Wide;
    fn echo_tree(value: Tree) -> Tree;
    fn echo_timestamps(value: Timestamps) -> Timestamps;
    fn echo_outcomes(value: Outcomes) -> Outcomes;
    fn echo_level(value: Level) -> Level;
    fn echo_external(value: External) -> External;
    fn echo_internal(value: Internal) -> Internal;
    fn echo_adjacent(value: Adjacent) -> Adjacent;
    fn echo_untagged(value: Untagged) -> Untagged;
    fn echo_page_point(value: Page<Point>) -> Page<Point>;
    fn echo_page_string(value: Page<String>) -> Page<String>;
    fn echo_json(value: Value) -> Value;
    fn echo_everything(value: Everything) -> Everything;
    async fn echo_everything_async(value: Everything) -> Everything;
    async fn echo_string_async(value: String) -> String;
    fn everything() -> Everything;
    fn make_bytes(len: u32) -> Bytes;
    fn mixed(flag: bool, small: i8, wide: u64, text: String, real: f32, point: Point) -> Mixed;
    async fn mixed_async(flag: bool, small: i8, wide: u64, text: String, real: f32, point: Point) -> Mixed;
    fn string_chars(text: String) -> Vec<u32>;
    fn string_from_chars(chars: Vec<u32>) -> String;

    // Results.
    fn divide(a: u32, b: u32) -> Result<u32, String>;
    async fn divide_async(a: u32, b: u32) -> Result<u32, String>;
    fn result_unit(ok: bool) -> Result<(), HostError>;
    async fn result_unit_async(ok: bool) -> Result<(), HostError>;
    fn result_unit_error(ok: bool) -> Result<u32, ()>;

    // Through the host.
    async fn fetch(request: Request) -> Result<Response, FetchError>;
    async fn via_host_async_struct(value: Everything) -> Everything;
    async fn via_host_bytes(value: Bytes) -> Bytes;
    async fn via_host_echo(text: String) -> String;
    fn via_host_mixed(flag: bool, small: i8, wide: u64, text: String, real: f32, point: Point) -> Mixed;
    fn via_host_sync_result(text: String) -> Result<String, HostError>;
    fn via_host_sync_string(text: String) -> String;
    fn via_host_sync_struct(value: Everything) -> Everything;
    async fn via_host_try(id: u32) -> Result<u32, HostError>;

    // Ways to wait.
    async fn cleanup(id: u32) -> Result<u32, HostError>;
    async fn early() -> u32;
    async fn fire_and_forget(id: u32) -> u32;
    async fn join(count: u32) -> Vec<u32>;
    async fn join_bounded(count: u32, limit: u32) -> Vec<u32>;
    async fn late_poll(first: u32, second: u32) -> Vec<u32>;
    async fn never();
    async fn race(a: u32, b: u32) -> u32;
    async fn reenter(depth: u32) -> u32;
    fn reenter_sync(depth: u32) -> u32;
    fn send_signal(value: u32) -> u32;
    async fn sequence(count: u32) -> Vec<u32>;
    async fn void_async();
    fn void_sync();
    async fn wait_signal() -> u32;

    // Work.
    fn log_lines(count: u32);
    fn spin_calls(count: u32) -> u32;
    fn spin_forever();

    // Memory.
    fn exhaust();
    fn grow(mib: u32) -> u32;
    async fn grow_between(text: String, mib: u32) -> String;
    fn grow_sync(text: String, mib: u32) -> String;

    // Failures.
    async fn panic_after_await(message: String, logged: bool);
    async fn panic_before_await(message: String, logged: bool);
    fn panic_sync(message: String, logged: bool);
    async fn self_wake();

    // Declared, and left out by the guest.
    async fn left_out_async() -> String;
    fn left_out_sync(value: u32) -> u32;
}

/// A name for a primitive: fp-bindgen knows primitives by name, so it travels as a value, not raw.
pub type Id = u32;

#[derive(Serializable)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

#[derive(Serializable)]
pub struct Empty {}

#[derive(Serializable)]
pub struct Meters(pub f64);

#[derive(Serializable)]
pub struct Triple(pub u8, pub String, pub bool);

/// The bounds of every number type, and the floats that are easily lost.
#[derive(Serializable)]
pub struct Extremes {
    pub i8_min: i8,
    pub i8_max: i8,
    pub i16_min: i16,
    pub i16_max: i16,
    pub i32_min: i32,
    pub i32_max: i32,
    pub i64_min: i64,
    pub i64_max: i64,
    pub u8_max: u8,
    pub u16_max: u16,
    pub u32_max: u32,
    pub u64_max: u64,
    pub f32_max: f32,
    pub f32_smallest: f32,
    pub f32_infinity: f32,
    pub f32_negative_zero: f32,
    pub f64_max: f64,
    pub f64_smallest: f64,
    pub f64_infinity: f64,
    pub f64_negative_infinity: f64,
    pub f64_negative_zero: f64,
}

#[derive(Serializable)]
pub struct Mixed {
    pub flag: bool,
    pub small: i8,
    pub wide: u64,
    pub text: String,
    pub real: f32,
    pub point: Point,
}

#[derive(Serializable)]
pub struct Inner {
    pub text: Option<String>,
    pub number: Option<u64>,
}

#[derive(Serializable)]
pub struct Optionals {
    pub required: String,
    pub optional: Option<String>,
    pub nested: Option<Inner>,
    #[fp(skip_serializing_if = "Option::is_none")]
    pub omitted: Option<String>,
    #[fp(default)]
    pub defaulted: u32,
}

#[derive(Serializable)]
#[fp(rename_all = "camelCase")]
pub struct Renamed {
    pub first_name: String,
    #[fp(rename = "type")]
    pub kind: String,
    #[fp(rename = "$id")]
    pub id: u64,
}

#[derive(Serializable)]
pub struct Flattened {
    pub name: String,
    #[fp(flatten)]
    pub point: Point,
    /// Every other field of the map.
    #[fp(flatten)]
    pub others: BTreeMap<String, u64>,
}

#[derive(Serializable)]
pub struct Wide {
    pub unsigned: u64,
    pub signed: i64,
    pub list: Vec<u64>,
    pub optional: Option<i64>,
}

/// fp-bindgen knows maps and sets as fields only, not as arguments or results.
#[derive(Serializable)]
pub struct Collections {
    pub by_name: BTreeMap<String, u32>,
    pub by_number: BTreeMap<u32, String>,
    pub hashed: HashMap<String, u32>,
    pub set: BTreeSet<String>,
}

#[derive(Serializable)]
pub struct Tree {
    pub value: u32,
    pub left: Option<Box<Tree>>,
    pub children: Vec<Tree>,
}

#[derive(Serializable)]
pub struct Timestamps {
    pub at: OffsetDateTime,
    pub maybe: Option<Instant>,
    pub list: Vec<Instant>,
}

/// fp-bindgen writes RFC 3339 for fields only, so a date-time elsewhere is a field of a newtype.
#[derive(Serializable)]
pub struct Instant(pub OffsetDateTime);

#[derive(Serializable)]
pub struct Outcomes {
    pub one: Result<u32, String>,
    pub many: Vec<Result<u32, String>>,
    pub unit: Result<(), String>,
    pub unit_error: Result<u32, ()>,
}

#[derive(Serializable)]
#[fp(rename_all = "snake_case")]
pub enum Level {
    Debug,
    VeryLoud,
    #[fp(rename = "WARNING")]
    Warn,
}

#[derive(Serializable)]
pub enum External {
    Unit,
    Newtype(u64),
    Tuple(u32, String),
    Struct { id: u32, name: Option<String> },
}

#[derive(Serializable)]
#[fp(tag = "type", rename_all = "snake_case")]
pub enum Internal {
    Unit,
    Newtype(Point),
    #[fp(rename_all = "camelCase")]
    Struct {
        item_id: u64,
        name: Option<String>,
    },
}

#[derive(Serializable)]
#[fp(tag = "type", content = "value")]
pub enum Adjacent {
    Unit,
    Newtype(u64),
    Tuple(u32, String),
    Struct { id: u32, name: Option<String> },
}

/// Read as the first variant that fits.
#[derive(Serializable)]
#[fp(untagged)]
pub enum Untagged {
    Flag(bool),
    Whole(i64),
    Real(f64),
    Text(String),
    Point { x: f64, y: f64 },
    List(Vec<u32>),
}

#[derive(Serializable)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub total: u64,
    pub next: Option<String>,
}

/// One value that holds every kind of value.
#[derive(Serializable)]
pub struct Everything {
    pub flag: bool,
    pub extremes: Extremes,
    pub text: String,
    pub bytes: Bytes,
    pub list: Vec<Point>,
    pub array: [f64; 4],
    pub tuple: Triple,
    pub map: BTreeMap<String, Wide>,
    pub optionals: Optionals,
    pub renamed: Renamed,
    pub flattened: Flattened,
    pub tree: Tree,
    pub timestamps: Timestamps,
    pub outcomes: Outcomes,
    pub level: Level,
    pub external: Vec<External>,
    pub internal: Vec<Internal>,
    pub adjacent: Vec<Adjacent>,
    pub untagged: Vec<Untagged>,
    pub page: Page<String>,
}

#[derive(Serializable)]
#[fp(tag = "_tag")]
pub enum HostError {
    Failed {
        message: String,
    },
    /// The host stopped the work.
    Interrupted,
}

#[derive(Serializable)]
#[fp(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Method {
    Get,
    Post,
}

#[derive(Serializable)]
pub struct Request {
    pub method: Method,
    pub url: String,
    pub headers: BTreeMap<String, String>,
    pub body: Option<ByteBuf>,
}

#[derive(Serializable)]
#[fp(rename_all = "camelCase")]
pub struct Response {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: ByteBuf,
    pub took_nanos: u64,
}

#[derive(Serializable)]
#[fp(tag = "_tag")]
pub enum FetchError {
    Refused {
        url: String,
        reason: String,
    },
    #[fp(rename_all = "camelCase")]
    Timeout {
        after_millis: u64,
    },
    Interrupted,
}

fn main() {
    let path = std::env::args().nth(1).expect("usage: conformance <folder for the bindings>");
    let config = RustPluginConfig::builder().name("conformance-bindings").version("0.0.0").build();
    fp_bindgen!(BindingConfig { bindings_type: BindingsType::RustPlugin(config), path: &path });
}
