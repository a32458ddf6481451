;; A plugin that works, does not return, or traps: what `careless.wasm` is built from, by `wat2wasm` of wabt.
(module
  (memory (export "memory") 1)
  (global $heap (mut i32) (i32.const 1024))
  (func (export "__fp_malloc") (param $len i32) (result i64) (local $at i32)
    (local.set $at (global.get $heap))
    (global.set $heap (i32.add (global.get $heap) (local.get $len)))
    (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $len))))
  (func (export "__fp_free") (param i64))
  (func (export "__fp_gen_double") (param $n i32) (result i32) (i32.mul (local.get $n) (i32.const 2)))
  (func (export "__fp_gen_spin") (loop $for_ever (br $for_ever)))
  (func (export "__fp_gen_trap") (unreachable)))
