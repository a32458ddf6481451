// comlink publishes this module without types that Node's module resolution finds.
declare module "comlink/dist/esm/node-adapter.mjs" {
  import type { Endpoint } from "comlink"
  import type { NodeEndpoint } from "comlink/dist/esm/node-adapter.js"

  export default function nodeEndpoint(worker: NodeEndpoint): Endpoint
}
