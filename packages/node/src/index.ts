export * as NodePluginModule from "./NodePluginModule.ts"
