// The program that sees threads end, as a bundle's own module.
import "@fiberhost/node/NodeThreadWatcher"
