import { NodeGuestThread } from "@fiberhost/node"
import { Layer } from "effect"
import { badGuestSuite } from "../suites/badGuestSuite.ts"
import { conformanceSuite } from "../suites/conformanceSuite.ts"
import { guestCallSuite } from "../suites/guestCallSuite.ts"
import { hostCallSuite } from "../suites/hostCallSuite.ts"
import { linkSuite } from "../suites/linkSuite.ts"

const onThread = (options?: NodeGuestThread.Options) => Layer.orDie(NodeGuestThread.layer(options))

conformanceSuite("a guest on a thread", onThread())
linkSuite("plugins on a thread", onThread())
badGuestSuite("guests on a thread", onThread())
guestCallSuite("calls of a guest on a thread", onThread)
hostCallSuite("host calls of a guest on a thread", onThread)
