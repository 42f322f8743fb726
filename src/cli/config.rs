//! `--config FILE`, the same for every verb that reads the config or talks to the daemon.

use std::path::PathBuf;

/// Where packages put the config.
const DEFAULT: &str = "/etc/radhook/radhook.toml";

/// The `--config` option, flattened into a verb's `Args`.
#[derive(Debug, Clone, clap::Args)]
pub struct ConfigArg {
    /// The config file; radhook.d/*.toml beside it is merged into it
    #[arg(long, value_name = "FILE", env = "RADHOOK_CONFIG", default_value = DEFAULT)]
    pub config: PathBuf,
}
