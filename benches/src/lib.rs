//! What the benchmarks share: a stream of encoded events, and what the system says of this process.
//!
//! Benchmarks report ratios within one run or processor seconds for a million events, because the machines they run on are shared.

mod process;
mod stream;

pub use process::{cpu_seconds, resident_bytes};
pub use stream::{DEFINITIONS, Stream, conversion, exposure, genesis_records};
