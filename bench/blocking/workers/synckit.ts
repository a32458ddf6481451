// Worker side.
import { runAsWorker } from "synckit"

runAsWorker(async (bytes: Uint8Array) => bytes)
