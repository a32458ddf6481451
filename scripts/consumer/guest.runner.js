// The program of a guest thread, as a bundle's own module.
import "@fiberhost/node/NodeGuestRunner"
