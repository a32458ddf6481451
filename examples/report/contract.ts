import { HostPool } from "@fiberhost/core"
import { Abi, HostFunctions, Plugin } from "@fiberhost/wasm-host"
import { Schema } from "effect"
import { Rpc } from "effect/rpc"

export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { path: Schema.String }) {}
export class Unreadable extends Schema.TaggedError<Unreadable>()("Unreadable", {
  path: Schema.String,
  message: Schema.String
}) {}
export class Interrupted extends Schema.TaggedError<Interrupted>()("Interrupted", {}) {}
const FileError = Schema.Union([NotFound, Unreadable, Interrupted])
export type FileError = typeof FileError.Type

const FileReport = Schema.Union([
  Schema.Struct({
    status: Schema.Literal("ok"),
    path: Schema.String,
    bytes: Schema.Int,
    lines: Schema.Int,
    words: Schema.Int,
    sha256: Schema.String
  }),
  Schema.Struct({ status: Schema.Literal("failed"), path: Schema.String, error: FileError })
])

export const Report = Schema.Struct({
  files: Schema.Array(FileReport),
  totals: Schema.Struct({
    files: Schema.Int,
    failed: Schema.Int,
    bytes: Schema.Int,
    lines: Schema.Int,
    words: Schema.Int,
    frequent: Schema.Array(Schema.Struct({ word: Schema.String, count: Schema.Int }))
  })
})
export type Report = typeof Report.Type

const sha256 = Rpc.make("sha256", { payload: { bytes: Schema.Uint8Array }, success: Schema.String })

/** The host function that burns CPU, as a pool: its functions may run on threads of their own. */
export class Hashing extends HostPool.Service<Hashing>()("report/Hashing", [sha256]) {}

/** What the plugin needs: the host implements these. The fields of a payload are the arguments, in order. */
export class Imports extends HostFunctions.Service<Imports>()("report/Imports", [
  Rpc.make("read_file", { payload: { path: Schema.String }, success: Schema.Uint8Array, error: FileError }).annotate(
    Abi.OnInterrupt,
    new Interrupted()
  ),
  sha256,
  Abi.sync("log", { payload: { message: Schema.String } })
]) {}

/** What the plugin offers. */
export class Reporter extends Plugin.Service<Reporter>()("report/Reporter", {
  imports: Imports,
  exports: [
    Rpc.make("report", { payload: { paths: Schema.Array(Schema.String) }, success: Report, error: Schema.String }),
    Abi.sync("add", { payload: { a: Abi.U32, b: Abi.U32 }, success: Abi.U32 })
  ]
}) {}
