/** Channels between threads of one process that do not own each other: by name, so that a handle is a plain value. */
import {
  BroadcastChannel,
  type MessagePort,
  markAsUntransferable,
  receiveMessageOnPort,
  threadId
} from "node:worker_threads"
import type * as Blocking from "@fiberhost/core/Blocking"

/** The calling thread's. A channel does not keep it alive. What is posted is copied, also what would be moved. */
export const channels: Blocking.Channels = {
  threadId,
  join: (name) => {
    const channel = new BroadcastChannel(name)
    channel.unref()
    let isOpen = true
    return {
      copies: true,
      seal: markAsUntransferable,
      post: (message) => {
        if (isOpen) channel.postMessage(message)
      },
      listen: (onMessage) => {
        channel.onmessage = (event) => onMessage((event as MessageEvent).data)
      },
      // Node takes channels too (its documentation of receiveMessageOnPort); its types do not say so.
      receive: () => (isOpen ? receiveMessageOnPort(channel as unknown as MessagePort)?.message : undefined),
      close: () => {
        isOpen = false
        channel.close()
      }
    }
  }
}
