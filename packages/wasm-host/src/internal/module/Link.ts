/**
 * Whether a module is a plugin of a contract, found out at load instead of in the middle of a call.
 *
 * An import that the contract lacks, an export of the ABI that the module lacks, or a signature that differs is a
 * mismatch. An export that the module leaves out is normal in this ecosystem: it is listed, and fails when called.
 * Kinds that share a WebAssembly type (all of MessagePack and the 64-bit integers are i64) cannot be told apart.
 */
import * as Effect from "effect/Effect"
import * as GuestError from "../../GuestError.ts"
import type { FunctionType, ModuleEntry, ModuleInterface } from "./ModuleSections.ts"
import { type Signature, valueTypeOf } from "./Signature.ts"

/** The two sides of a contract, as a guest's thread knows them. */
export interface PluginSignature {
  readonly plugin: string
  readonly imports: ReadonlyArray<Signature>
  readonly exports: ReadonlyArray<Signature>
}

interface Checked {
  readonly problems: ReadonlyArray<GuestError.LinkProblem>
  /** Functions of the contract that the module does not export. */
  readonly missing: ReadonlyArray<string>
}

/** The module that plugins import from, and the prefix of their functions (docs/abi.md, "Exports, imports"). */
export const importModule = "fp"
export const functionPrefix = "__fp_gen_"
export const hostResolve = "__fp_host_resolve_async_value"
export const guestResolve = "__fp_guest_resolve_async_value"

/**
 * The functions that the module leaves out. Fails with `LinkMismatch`, or with `MissingExports` when one of them is
 * required.
 */
export const resolve = (
  module: ModuleInterface,
  signature: PluginSignature,
  require: "all" | ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<string>, GuestError.GuestError> => {
  const { plugin } = signature
  const { missing, problems } = check(module, signature)
  if (problems.length > 0) {
    return Effect.fail(new GuestError.GuestError({ plugin, reason: new GuestError.LinkMismatch({ problems }) }))
  }
  const lacking = require === "all" ? missing : missing.filter((name) => require.includes(name))
  if (lacking.length === 0) return Effect.succeed(missing)
  return Effect.fail(new GuestError.GuestError({ plugin, reason: new GuestError.MissingExports({ names: lacking }) }))
}

/** The host functions of the contract, by the names that modules import them by. A guest's thread is sent a contract with each guest. */
export const importIndexes = (plugin: PluginSignature): ReadonlyMap<string, number> => {
  let indexes = indexesOf.get(plugin)
  if (indexes === undefined) {
    indexes = new Map(plugin.imports.map(({ name }, index) => [functionPrefix + name, index]))
    indexesOf.set(plugin, indexes)
  }
  return indexes
}

const indexesOf = new WeakMap<PluginSignature, ReadonlyMap<string, number>>()

/** What was found before: a module is loaded for a contract again and again. */
const known = new WeakMap<ModuleInterface, WeakMap<PluginSignature, Checked>>()

const check = (module: ModuleInterface, plugin: PluginSignature): Checked => {
  let ofModule = known.get(module)
  if (ofModule === undefined) known.set(module, (ofModule = new WeakMap()))
  let checked = ofModule.get(plugin)
  if (checked === undefined) ofModule.set(plugin, (checked = compare(module, plugin)))
  return checked
}

const compare = (module: ModuleInterface, plugin: PluginSignature): Checked => {
  const problems: Array<GuestError.LinkProblem> = []
  const report = (name: string, detail: string) => problems.push({ name, detail })
  const exported = new Map(module.exports.map((entry) => [entry.name, entry]))

  const requireExport = (name: string, kind: ModuleEntry["kind"], type?: FunctionType) => {
    const entry = exported.get(name)
    if (entry === undefined) report(name, `the module does not export it${pluginHint}`)
    else checkEntry(entry, kind, type, report)
  }

  requireExport("memory", "memory")
  requireExport("__fp_malloc", "function", { parameters: ["i32"], results: ["i64"] })
  requireExport("__fp_free", "function", { parameters: ["i64"], results: [] })
  if (module.memory64) report("memory", "it is addressed with i64; plugins of this ABI are 32-bit")

  const indexes = importIndexes(plugin)
  let usesAsyncImports = false
  // A module may import one function a million times, with types of thousands of parameters: each name is reported once.
  const refused = new Set<string>()
  const refuse = (name: string, detail: string) => {
    refused.add(name)
    report(name, detail)
  }
  for (const entry of module.imports) {
    const name = entry.module === importModule ? entry.name : `${entry.module}.${entry.name}`
    if (refused.has(name)) continue
    if (entry.module !== importModule) {
      refuse(name, `plugins import from "${importModule}" only, and are given nothing else`)
    } else if (name === hostResolve) {
      checkEntry(entry, "function", resolveType, refuse)
    } else {
      const index = indexes.get(name)
      const signature = index === undefined ? undefined : plugin.imports[index]
      if (signature === undefined) {
        refuse(name, "the module imports it, but the contract's host functions lack it")
      } else {
        usesAsyncImports ||= !signature.sync
        checkEntry(entry, "function", functionTypeOf(signature), refuse)
      }
    }
  }
  if (usesAsyncImports) requireExport(guestResolve, "function", resolveType)

  const missing: Array<string> = []
  for (const signature of plugin.exports) {
    const entry = exported.get(functionPrefix + signature.name)
    if (entry === undefined) missing.push(signature.name)
    else checkEntry(entry, "function", functionTypeOf(signature), report)
  }
  return { problems, missing }
}

const resolveType: FunctionType = { parameters: ["i64", "i64"], results: [] }

const pluginHint = "; is it a plugin built with fp-bindgen?"

const functionTypeOf = (signature: Signature): FunctionType => ({
  parameters: signature.arguments.map(valueTypeOf),
  results: !signature.sync ? ["i64"] : signature.result === "void" ? [] : [valueTypeOf(signature.result)]
})

const checkEntry = (
  entry: ModuleEntry,
  kind: ModuleEntry["kind"],
  expected: FunctionType | undefined,
  report: (name: string, detail: string) => void
): void => {
  if (entry.kind !== kind) {
    report(entry.name, `it is a ${entry.kind}, not a ${kind}`)
  } else if (expected !== undefined && entry.type !== undefined && format(entry.type) !== format(expected)) {
    report(
      entry.name,
      `the contract says ${format(expected)}, the module ${format(entry.type)}. ` +
        "Compare argument kinds and whether it is sync (i64 carries every MessagePack value and both 64-bit integers)"
    )
  }
}

const format = ({ parameters, results }: FunctionType): string =>
  `(${parameters.join(", ")}) -> (${results.join(", ")})`
