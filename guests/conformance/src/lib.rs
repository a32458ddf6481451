//! Everything that a host must carry, so that its tests can check each value to the bit and each way to wait.

mod failures;
mod host;
mod memory;
mod primitives;
mod values;
mod waiting;
