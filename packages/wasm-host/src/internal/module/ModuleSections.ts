/**
 * What a module imports and exports, with signatures, read from its binary: the JavaScript API tells names only.
 *
 * Only the type, import, function, memory and export sections are read (WebAssembly core specification, "Binary
 * Format, Modules"). The bytes have been compiled before, so they are well-formed; a type form that this reader does
 * not know leaves the signatures out rather than guessing.
 */
import * as Leb128 from "./Leb128.ts"

export interface FunctionType {
  readonly parameters: ReadonlyArray<string>
  readonly results: ReadonlyArray<string>
}

export interface ModuleEntry {
  readonly kind: "function" | "table" | "memory" | "global" | "tag"
  readonly name: string
  /** Of a function, where known. */
  readonly type: FunctionType | undefined
}

export interface ModuleInterface {
  readonly imports: ReadonlyArray<ModuleEntry & { readonly module: string }>
  readonly exports: ReadonlyArray<ModuleEntry>
  /** Whether functions have their types. */
  readonly signatures: boolean
  /** Whether a memory of the module is addressed with i64, which the plugin ABI does not know. */
  readonly memory64: boolean
}

/** Signatures included, where this reader knows all that the bytes say. `module` is what they compiled to. */
export const fromBytes = (module: WebAssembly.Module, bytes: Uint8Array): ModuleInterface => {
  try {
    return new SectionReader(bytes).read()
  } catch {
    // The engine knows something newer.
    return fromModule(module)
  }
}

/** Names and kinds only: all that the engine tells of a module that comes compiled. */
export const fromModule = (module: WebAssembly.Module): ModuleInterface => ({
  imports: WebAssembly.Module.imports(module).map(({ kind, module, name }) => ({
    module,
    name,
    kind,
    type: undefined
  })),
  exports: WebAssembly.Module.exports(module).map(({ kind, name }) => ({ name, kind, type: undefined })),
  signatures: false,
  memory64: false
})

const entryKinds = ["function", "table", "memory", "global", "tag"] as const

const valueTypes: Readonly<Record<number, string>> = {
  0x7f: "i32",
  0x7e: "i64",
  0x7d: "f32",
  0x7c: "f64",
  0x7b: "v128",
  0x70: "funcref",
  0x6f: "externref"
}

/** A byte order mark is part of a name. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

class SectionReader extends Leb128.Reader {
  /** Undefined for those of structs and arrays. */
  private readonly types: Array<FunctionType | undefined> = []
  private readonly functions: Array<number> = []
  private readonly imports: Array<ModuleInterface["imports"][number]> = []
  private readonly exports: Array<{ kind: ModuleEntry["kind"]; name: string; index: number }> = []
  private memory64 = false

  constructor(bytes: Uint8Array) {
    super(bytes, 8)
  }

  read(): ModuleInterface {
    while (this.at < this.bytes.length) {
      const id = this.byte()
      const end = this.unsigned() + this.at
      if (id === 1) this.readTypes()
      else if (id === 2) this.repeat(() => this.readImport())
      else if (id === 3) this.repeat(() => this.functions.push(this.unsigned()))
      else if (id === 5) this.repeat(() => this.readMemory())
      else if (id === 7) this.repeat(() => this.readExport())
      this.at = end
    }
    return {
      imports: this.imports,
      exports: this.exports.map(({ index, kind, name }) => ({
        kind,
        name,
        type: kind === "function" ? this.typeOf(this.functions[index]) : undefined
      })),
      signatures: true,
      memory64: this.memory64
    }
  }

  private readTypes(): void {
    this.repeat(() => {
      const form = this.byte()
      // A group of types that refer to each other.
      if (form === 0x4e) this.repeat(() => this.readType(this.byte()))
      else this.readType(form)
    })
  }

  private readType(form: number): void {
    if (form === 0x4f || form === 0x50) {
      // The types that it is a subtype of.
      this.repeat(() => this.unsigned())
      return this.readType(this.byte())
    }
    let type: FunctionType | undefined
    if (form === 0x60) type = { parameters: this.readValueTypes(), results: this.readValueTypes() }
    else if (form === 0x5f) this.repeat(() => this.readField())
    else if (form === 0x5e) this.readField()
    else throw new RangeError(`a type has a form that is not known: ${form}`)
    this.types.push(type)
  }

  /** Its type, and whether it may be written. */
  private readField(): void {
    this.readValueType()
    this.byte()
  }

  private readValueTypes(): ReadonlyArray<string> {
    const types: Array<string> = []
    this.repeat(() => types.push(this.readValueType()))
    return types
  }

  private readValueType(): string {
    const code = this.byte()
    // A typed reference is followed by its heap type.
    if (code === 0x63 || code === 0x64) this.unsigned()
    return valueTypes[code] ?? "reference"
  }

  private readImport(): void {
    const module = this.name()
    const name = this.name()
    const kind = entryKinds[this.byte()] ?? "tag"
    if (kind === "function") {
      const index = this.unsigned()
      this.functions.push(index)
      this.imports.push({ module, name, kind, type: this.typeOf(index) })
      return
    }
    if (kind === "table") {
      this.readValueType()
      this.readLimits()
    } else if (kind === "memory") {
      this.readMemory()
    } else if (kind === "global") {
      this.readValueType()
      this.byte()
    } else {
      // A tag: its attribute, and the index of its type.
      this.byte()
      this.unsigned()
    }
    this.imports.push({ module, name, kind, type: undefined })
  }

  private readExport(): void {
    this.exports.push({ name: this.name(), kind: entryKinds[this.byte()] ?? "tag", index: this.unsigned() })
  }

  private readMemory(): void {
    if ((this.readLimits() & 4) !== 0) this.memory64 = true
  }

  /** Of a table or a memory: its flags. */
  private readLimits(): number {
    const flags = this.byte()
    this.unsigned()
    if ((flags & 1) !== 0) this.unsigned()
    return flags
  }

  private typeOf(index: number | undefined): FunctionType | undefined {
    return index === undefined ? undefined : this.types[index]
  }

  private repeat(read: () => void): void {
    for (let count = this.unsigned(); count > 0; count--) read()
  }

  private name(): string {
    const length = this.unsigned()
    const start = this.at
    this.at += length
    return decoder.decode(this.bytes.subarray(start, this.at))
  }

  /** Throws past the end: the bytes have something that this reader does not know. */
  override byte(): number {
    if (this.at >= this.bytes.length) throw new RangeError("a section ends in the middle of something")
    return super.byte()
  }
}
