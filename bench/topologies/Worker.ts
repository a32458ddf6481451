// A guest that works: `spin` runs so many rounds of a loop inside WebAssembly.
import { Abi, Plugin } from "@fiberhost/wasm-host"
import { Effect } from "effect"
import wabt from "wabt"

export class Worker extends Plugin.Service<Worker>()("bench/Worker", {
  exports: [Abi.sync("spin", { payload: { rounds: Abi.U32 }, success: Abi.U32 })]
}) {}

const text = `(module
  (memory (export "memory") 1)
  (func (export "__fp_malloc") (param i32) (result i64) (i64.const 0))
  (func (export "__fp_free") (param i64))
  (func (export "__fp_gen_spin") (param $rounds i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum (i32.rotl (i32.xor (local.get $sum) (local.get $rounds)) (i32.const 5)))
      (br_if $again (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))`

export const code = Effect.promise(async () => {
  const module = (await wabt()).parseWat("worker.wat", text)
  try {
    return new Uint8Array(module.toBinary({}).buffer)
  } finally {
    module.destroy()
  }
})
