//! The sources, as `radhook check` shows them.

use serde_json::{Value, json};

use super::list;
use crate::config::show_duration;
use crate::source::{CaptureOptions, SourceOptions};

/// For people: one line or more.
pub(super) fn shown(source: &SourceOptions) -> Vec<String> {
    let name = source.name();
    let udp = |listen: &[std::net::SocketAddr]| list(listen.iter().map(|address| format!("udp {address}")));
    match source {
        SourceOptions::Accounting(options) => vec![format!("{name} on {}", udp(&options.listen))],
        SourceOptions::Relay(options) => {
            let first = format!(
                "{name} on {} to {}",
                udp(&options.listen),
                list(options.upstream.iter().map(ToString::to_string))
            );
            let mut lines = vec![first];
            if options.preserve_source {
                lines.push("servers see the NAS's own address".to_owned());
            }
            if let Some(probe) = &options.probe {
                lines.push(format!("asks the servers every {}, secret [secret]", show_duration(probe.interval)));
            }
            lines.push(format!("replies within {}", show_duration(options.reply_timeout)));
            lines
        }
        SourceOptions::Capture(options) => {
            let ports = list(options.ports.iter().map(ToString::to_string));
            let within = format!("replies within {}", show_duration(options.reply_timeout));
            vec![format!("{name} from {}, udp ports {ports}", what(options)), within]
        }
        SourceOptions::Detail(options) => {
            let compressed = if options.compressed { ", also compressed" } else { "" };
            let bad = format!("what cannot be understood goes to {}", options.quarantine.display());
            vec![format!("{name} follows {}{compressed}", options.path.join(", ")), bad]
        }
        SourceOptions::Local(options) => {
            vec![format!("{name} on {}", list(options.listen.iter().map(ToString::to_string)))]
        }
    }
}

/// For programs.
pub(super) fn object(source: &SourceOptions) -> Value {
    let mut object = json!({ "kind": "source", "type": source.kind(), "name": &**source.name() });
    let more = match source {
        SourceOptions::Accounting(options) => json!({ "listen": options.listen }),
        SourceOptions::Relay(options) => json!({
            "listen": options.listen, "upstream": options.upstream, "preserve_source": options.preserve_source,
            "probe": options.probe.as_ref().map(|probe| show_duration(probe.interval)),
            "reply_timeout": show_duration(options.reply_timeout),
        }),
        SourceOptions::Capture(options) => json!({
            "interface": options.interface, "file": options.file, "ports": options.ports,
            "reply_timeout": show_duration(options.reply_timeout),
        }),
        SourceOptions::Detail(options) => {
            json!({ "path": options.path, "compressed": options.compressed, "quarantine": options.quarantine })
        }
        SourceOptions::Local(options) => {
            json!({ "listen": options.listen.iter().map(ToString::to_string).collect::<Vec<_>>() })
        }
    };
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
    }
    object
}

fn what(options: &CaptureOptions) -> String {
    match (&options.interface, &options.file) {
        (Some(interface), _) => format!("interface {interface}"),
        (None, Some(file)) => format!("file {}", file.display()),
        (None, None) => "nowhere".to_owned(),
    }
}
