import { HostPool } from "@fiberhost/core"
import { Abi, HostFunctions, Plugin } from "@fiberhost/wasm-host"
import { Schema } from "effect"
import { Rpc } from "effect/rpc"

const sha256 = Rpc.make("sha256", { payload: { bytes: Schema.Uint8Array }, success: Schema.String })

export class Hashing extends HostPool.Service()("consumer/Hashing", [sha256], { initial: Schema.String }) {}

export class Imports extends HostFunctions.Service()("consumer/Imports", [
  Rpc.make("read_file", {
    payload: { path: Schema.String },
    success: Schema.Uint8Array,
    error: Schema.Struct({ _tag: Schema.Literal("NotFound"), path: Schema.String })
  }),
  sha256,
  Abi.sync("log", { payload: { message: Schema.String } })
]) {}

export class Reporter extends Plugin.Service()("consumer/Reporter", {
  imports: Imports,
  exports: [
    Rpc.make("report", {
      payload: { paths: Schema.Array(Schema.String) },
      success: Schema.Struct({ files: Schema.Array(Schema.Struct({ path: Schema.String, sha256: Schema.String })) }),
      error: Schema.String
    })
  ]
}) {}
