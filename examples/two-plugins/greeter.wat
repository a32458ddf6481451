;; A plugin by hand: the smallest that speaks fp-bindgen's ABI. `greet` logs "hello" at level 2 through a `log` that has
;; other arguments than the report plugin's.
(module
  (import "fp" "__fp_gen_log" (func $log (param i32 i64)))
  (memory (export "memory") 1)
  ;; MessagePack: a string of five bytes.
  (data (i32.const 16) "\a5hello")
  (global $heap (mut i32) (i32.const 1024))
  (func (export "__fp_malloc") (param $length i32) (result i64) (local $at i32)
    (local.set $at (global.get $heap))
    (global.set $heap (i32.add (global.get $heap) (local.get $length)))
    (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $length))))
  (func (export "__fp_free") (param i64))
  (func (export "__fp_gen_greet")
    ;; A fat pointer: offset 16 in the upper half, six bytes in the lower.
    (call $log (i32.const 2) (i64.const 0x10_0000_0006))))
