export * as NodePluginModule from "./NodePluginModule.ts"
export * as NodeHostPool from "./NodeHostPool.ts"
export * as NodeHostRunner from "./NodeHostRunner.ts"
export * as NodeThreads from "./NodeThreads.ts"
