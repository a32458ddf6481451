//! Values travel as MessagePack: echoes of every shape, and values that the guest makes itself.

use bindings::*;
use bytes::Bytes;
use serde_bytes::ByteBuf;
use serde_json::Value;
use std::collections::BTreeMap;
use time::{Date, Month, OffsetDateTime, Time};

macro_rules! echo {
    ($($name:ident($($ty:tt)+);)*) => {$(
        #[fp_export_impl(bindings)]
        fn $name(value: $($ty)+) -> $($ty)+ {
            value
        }
    )*};
}

echo! {
    echo_string(String);
    echo_bytes(Bytes);
    echo_byte_buf(ByteBuf);
    echo_option(Option<String>);
    echo_list_u8(Vec<u8>);
    echo_list_u32(Vec<u32>);
    echo_list_u64(Vec<u64>);
    echo_list_f64(Vec<f64>);
    echo_list_bool(Vec<bool>);
    echo_list_string(Vec<String>);
    echo_list_point(Vec<Point>);
    echo_list_option(Vec<Option<u32>>);
    echo_array_u8([u8; 3]);
    echo_array_i32([i32; 2]);
    echo_array_f32([f32; 2]);
    echo_array_f64([f64; 4]);
    echo_collections(Collections);
    echo_point(Point);
    echo_empty(Empty);
    echo_newtype(Meters);
    echo_instant(Instant);
    echo_tuple(Triple);
    echo_alias(Id);
    echo_optionals(Optionals);
    echo_renamed(Renamed);
    echo_flattened(Flattened);
    echo_wide(Wide);
    echo_tree(Tree);
    echo_timestamps(Timestamps);
    echo_outcomes(Outcomes);
    echo_level(Level);
    echo_external(External);
    echo_internal(Internal);
    echo_adjacent(Adjacent);
    echo_untagged(Untagged);
    echo_page_point(Page<Point>);
    echo_page_string(Page<String>);
    echo_json(Value);
    echo_everything(Everything);
}

#[fp_export_impl(bindings)]
async fn echo_string_async(value: String) -> String {
    value
}

#[fp_export_impl(bindings)]
async fn echo_everything_async(value: Everything) -> Everything {
    value
}

#[fp_export_impl(bindings)]
fn mixed(flag: bool, small: i8, wide: u64, text: String, real: f32, point: Point) -> Mixed {
    Mixed { flag, small, wide, text, real, point }
}

#[fp_export_impl(bindings)]
async fn mixed_async(flag: bool, small: i8, wide: u64, text: String, real: f32, point: Point) -> Mixed {
    Mixed { flag, small, wide, text, real, point }
}

#[fp_export_impl(bindings)]
fn string_chars(text: String) -> Vec<u32> {
    text.chars().map(u32::from).collect()
}

#[fp_export_impl(bindings)]
fn string_from_chars(chars: Vec<u32>) -> String {
    chars.into_iter().map(|char| char::from_u32(char).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[fp_export_impl(bindings)]
fn make_bytes(len: u32) -> Bytes {
    (0..len).map(|index| index as u8).collect()
}

#[fp_export_impl(bindings)]
fn divide(a: u32, b: u32) -> Result<u32, String> {
    a.checked_div(b).ok_or_else(|| "division by zero".to_owned())
}

#[fp_export_impl(bindings)]
async fn divide_async(a: u32, b: u32) -> Result<u32, String> {
    divide(a, b)
}

#[fp_export_impl(bindings)]
fn result_unit(ok: bool) -> Result<(), HostError> {
    if ok {
        Ok(())
    } else {
        Err(HostError::Failed { message: "not ok".to_owned() })
    }
}

#[fp_export_impl(bindings)]
async fn result_unit_async(ok: bool) -> Result<(), HostError> {
    result_unit(ok)
}

#[fp_export_impl(bindings)]
fn result_unit_error(ok: bool) -> Result<u32, ()> {
    if ok {
        Ok(1)
    } else {
        Err(())
    }
}

#[fp_export_impl(bindings)]
fn extremes() -> Extremes {
    Extremes {
        i8_min: i8::MIN,
        i8_max: i8::MAX,
        i16_min: i16::MIN,
        i16_max: i16::MAX,
        i32_min: i32::MIN,
        i32_max: i32::MAX,
        i64_min: i64::MIN,
        i64_max: i64::MAX,
        u8_max: u8::MAX,
        u16_max: u16::MAX,
        u32_max: u32::MAX,
        u64_max: u64::MAX,
        f32_max: f32::MAX,
        f32_smallest: f32::from_bits(1),
        f32_infinity: f32::INFINITY,
        f32_negative_zero: -0.0,
        f64_max: f64::MAX,
        f64_smallest: f64::from_bits(1),
        f64_infinity: f64::INFINITY,
        f64_negative_infinity: f64::NEG_INFINITY,
        f64_negative_zero: -0.0,
    }
}

#[fp_export_impl(bindings)]
fn check_extremes(value: Extremes) -> bool {
    // `==` takes 0.0 for -0.0.
    value == extremes() && value.f32_negative_zero.is_sign_negative() && value.f64_negative_zero.is_sign_negative()
}

#[fp_export_impl(bindings)]
fn everything() -> Everything {
    let inner = Inner { text: None, number: Some(u64::MAX) };
    let leaf = |value| Tree { value, left: None, children: Vec::new() };
    Everything {
        flag: true,
        extremes: extremes(),
        text: "héllo \u{1f600}\0".to_owned(),
        bytes: Bytes::from_static(&[0, 1, 127, 128, 255]),
        list: vec![Point { x: 1.0, y: -2.5 }, Point { x: 0.1, y: 1e300 }],
        array: [1.0, 2.0, 3.0, 4.5],
        tuple: Triple(255, "three".to_owned(), false),
        map: BTreeMap::from([
            (
                "a".to_owned(),
                Wide {
                    unsigned: u64::MAX,
                    signed: i64::MIN,
                    list: vec![0, 1 << 53, (1 << 53) + 1],
                    optional: Some(-1),
                },
            ),
            ("b".to_owned(), Wide { unsigned: 0, signed: i64::MAX, list: Vec::new(), optional: None }),
        ]),
        optionals: Optionals {
            required: "yes".to_owned(),
            optional: None,
            nested: Some(inner),
            omitted: None,
            defaulted: 7,
        },
        renamed: Renamed { first_name: "Ada".to_owned(), kind: "person".to_owned(), id: 1 << 60 },
        flattened: Flattened {
            name: "flat".to_owned(),
            point: Point { x: 3.0, y: 4.0 },
            others: BTreeMap::from([("z".to_owned(), u64::MAX)]),
        },
        tree: Tree { value: 1, left: Some(Box::new(leaf(2))), children: vec![leaf(3), leaf(4)] },
        timestamps: Timestamps {
            at: instant(2026, 123_456_789),
            maybe: Some(Instant(instant(1969, 0))),
            list: vec![Instant(instant(2000, 500_000_000))],
        },
        outcomes: Outcomes {
            one: Ok(1),
            many: vec![Ok(2), Err("three".to_owned())],
            unit: Ok(()),
            unit_error: Err(()),
        },
        level: Level::VeryLoud,
        external: vec![
            External::Unit,
            External::Newtype(u64::MAX),
            External::Tuple(1, "one".to_owned()),
            External::Struct { id: 2, name: None },
        ],
        internal: vec![
            Internal::Unit,
            Internal::Newtype(Point { x: 5.0, y: 6.0 }),
            Internal::Struct { item_id: u64::MAX, name: Some("internal".to_owned()) },
        ],
        adjacent: vec![
            Adjacent::Unit,
            Adjacent::Newtype(u64::MAX),
            Adjacent::Tuple(1, "one".to_owned()),
            Adjacent::Struct { id: 2, name: None },
        ],
        untagged: vec![
            Untagged::Flag(false),
            Untagged::Whole(i64::MIN),
            Untagged::Real(0.5),
            Untagged::Text("text".to_owned()),
            Untagged::Point { x: 7.0, y: 8.0 },
            Untagged::List(vec![1, 2, 3]),
        ],
        page: Page { items: vec!["first".to_owned(), String::new()], total: 2, next: None },
    }
}

/// 2 January of `year` at 03:04:05 and `nanosecond`, UTC.
fn instant(year: i32, nanosecond: u32) -> OffsetDateTime {
    let date = Date::from_calendar_date(year, Month::January, 2).expect("a date");
    let time = Time::from_hms_nano(3, 4, 5, nanosecond).expect("a time");
    date.with_time(time).assume_utc()
}
