//! Primitives travel raw: through the guest, through one of its tasks, and through the host and back.

use bindings::*;

macro_rules! primitives {
    ($($ty:ident $echo:ident $echo_async:ident $via_host:ident $host:ident;)*) => {$(
        #[fp_export_impl(bindings)]
        fn $echo(value: $ty) -> $ty {
            value
        }

        #[fp_export_impl(bindings)]
        async fn $echo_async(value: $ty) -> $ty {
            value
        }

        #[fp_export_impl(bindings)]
        fn $via_host(value: $ty) -> $ty {
            $host(value)
        }
    )*};
}

macro_rules! via_host_async {
    ($($ty:ident $via_host:ident $host:ident;)*) => {$(
        #[fp_export_impl(bindings)]
        async fn $via_host(value: $ty) -> $ty {
            $host(value).await
        }
    )*};
}

primitives! {
    bool echo_bool echo_bool_async via_host_bool host_bool;
    i8 echo_i8 echo_i8_async via_host_i8 host_i8;
    i16 echo_i16 echo_i16_async via_host_i16 host_i16;
    i32 echo_i32 echo_i32_async via_host_i32 host_i32;
    i64 echo_i64 echo_i64_async via_host_i64 host_i64;
    u8 echo_u8 echo_u8_async via_host_u8 host_u8;
    u16 echo_u16 echo_u16_async via_host_u16 host_u16;
    u32 echo_u32 echo_u32_async via_host_u32 host_u32;
    u64 echo_u64 echo_u64_async via_host_u64 host_u64;
    f32 echo_f32 echo_f32_async via_host_f32 host_f32;
    f64 echo_f64 echo_f64_async via_host_f64 host_f64;
}

via_host_async! {
    bool via_host_bool_async host_bool_async;
    i8 via_host_i8_async host_i8_async;
    i64 via_host_i64_async host_i64_async;
    u64 via_host_u64_async host_u64_async;
    f32 via_host_f32_async host_f32_async;
    f64 via_host_f64_async host_f64_async;
}
