//! `radhook freeradius print`: the FreeRADIUS side for reading, or for carrying to another host.

use clap::ValueEnum;

use super::change::hidden;
use super::dropins::{self, DICTIONARY_FILE, Target, Way};
use super::place::PlaceArgs;
use super::target::{self, TargetArgs};
use crate::cli::config::ConfigArg;
use crate::cli::exit;

const RELAY: &str = include_str!("../../../packaging/freeradius/relay.txt");

/// `radhook freeradius print`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which part
    #[arg(value_enum)]
    part: Part,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    place: PlaceArgs,
    /// Print the shared secret too, not [secret]
    #[arg(long)]
    with_secret: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// What can be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// radhook as a home server, with pool and realm
    HomeServer,
    /// Everything that `install --what spool` writes
    Spool,
    /// Everything that `install --what proxy` writes
    Proxy,
    /// Everything that `install --what rest` writes
    Rest,
    /// The attributes that mark copies of logins
    Dictionary,
    /// Where FreeRADIUS moves to behind a relay
    Relay,
    /// All that the config has sources for
    All,
}

/// Runs the verb.
pub fn run(args: Args) -> anyhow::Result<u8> {
    let Some(peers) = super::peers(&args.config.config) else { return Ok(exit::CONFIG_INVALID) };
    let find = |way| args.target.find(&peers, way).map(|meant| meant.target);
    let show = |text: &str, target: &Target| {
        let secret = (!args.with_secret).then_some(&target.secret);
        print!("{}", hidden(text, secret));
    };
    let of_way = |way| {
        let target = find(way)?;
        for own in dropins::own_files(way, &target) {
            show(&format!("### {}\n{}\n", args.place.nominal().join(own.path).display(), own.text), &target);
        }
        show(&calls(way, &args.place), &target);
        anyhow::Ok(())
    };
    let relays = target::relays(&peers);
    match args.part {
        Part::HomeServer => {
            let target = find(Way::Proxy)?;
            show(&dropins::home_server(&target), &target);
        }
        Part::Spool => of_way(Way::Spool)?,
        Part::Proxy => of_way(Way::Proxy)?,
        Part::Rest => of_way(Way::Rest)?,
        Part::Dictionary => print!("{}", dropins::DICTIONARY),
        Part::Relay if relays.is_empty() => anyhow::bail!("the config has no [[source]] of type \"relay\""),
        Part::Relay => print!("{}", relay(&relays)),
        Part::All => {
            of_way(Way::Spool)?;
            if find(Way::Rest).is_ok() {
                of_way(Way::Rest)?;
            }
            print!("{}", relay(&relays));
        }
    }
    Ok(exit::DONE)
}

/// Which lines go into the operator's files.
fn calls(way: Way, place: &PlaceArgs) -> String {
    let directory = place.nominal();
    let site = directory.join("sites-enabled/default");
    let mut text = format!("### {}\n# first in `accounting`:\nradhook_accounting\n", site.display());
    if way.has_logins() {
        text += "# last in `post-auth`, in its `Post-Auth-Type REJECT`, and in its `Post-Auth-Type Challenge`:\nradhook_login\n";
    }
    if way == Way::Spool {
        let dictionary = directory.join(DICTIONARY_FILE);
        text += &format!("\n### {}\n$INCLUDE dictionary.radhook\n", dictionary.display());
    }
    text + "\n"
}

fn relay(relays: &[(std::net::SocketAddr, std::net::SocketAddr)]) -> String {
    relays.iter().fold(String::new(), |text, (listen, upstream)| {
        text + &RELAY
            .replace("@listen@", &listen.to_string())
            .replace("@upstream@", &upstream.ip().to_string())
            .replace("@port@", &upstream.port().to_string())
    })
}
