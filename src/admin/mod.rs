//! The admin API: how operators and their tools see and steer the daemon.

pub mod options;
