//! What the benches that compare and judge share: a receiver that costs little, the load, the bare machine beside it, what
//! a process has used, and the file their figures go to.
#![allow(dead_code, reason = "each bench uses a part")]

pub mod bare;
pub mod drive;
pub mod receiver;
pub mod results;
pub mod subject;
pub mod transit;
pub mod usage;
