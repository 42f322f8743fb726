//! `radhook verify`: says whether a request is rightly signed, or exactly what is wrong with it.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

use super::arguments::{SignatureArgs, duration, tolerance};
use super::exit;

/// The largest body read: far beyond what any receiver takes, and short of filling the memory by mistake.
const MAX_BODY: u64 = 256 * 1024 * 1024;

/// Verify a request's signature: say valid, or exactly what is wrong
///
/// The body must be the very bytes that were received: JSON that was parsed and written anew is another body.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    signature: SignatureArgs,
    /// The request's headers, one `name: value` a line; other lines before them, such as a request line, are passed over
    #[arg(long, value_name = "FILE")]
    headers: Option<PathBuf>,
    /// One header of the request; may be given several times
    #[arg(short = 'H', value_name = "NAME: VALUE", value_parser = header)]
    header_lines: Vec<(HeaderName, HeaderValue)>,
    /// How far the signed time may lie from now; 0 takes any
    #[arg(long, default_value = "5m", value_parser = duration)]
    tolerance: Duration,
    /// File with the request's body; - for stdin
    #[arg(value_name = "BODYFILE")]
    body: PathBuf,
}

fn header(line: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = line.split_once(':').ok_or_else(|| format!("{line:?} is no header: name, colon, value"))?;
    let name: HeaderName = name.trim().parse().map_err(|_| format!("{:?} is no name of a header", name.trim()))?;
    let value = HeaderValue::from_bytes(value.trim().as_bytes())
        .map_err(|_| format!("the value of {name} cannot stand in a header"))?;
    Ok((name, value))
}

/// Prints `valid`, or what is wrong, on stdout.
pub fn run(args: Args) -> anyhow::Result<u8> {
    let Some(signer) = args.signature.signer()? else { bail!("give the secret with --secret or --secret-file") };
    let mut headers: HeaderMap = args.header_lines.iter().cloned().collect();
    if let Some(file) = &args.headers {
        for (name, value) in headers_from(file)? {
            headers.append(name, value);
        }
    }
    if headers.is_empty() {
        bail!("give the request's headers with --headers FILE or -H 'name: value'");
    }
    let body = body_from(&args.body)?;
    let (said, code) = match signer.verify(&headers, &body, tolerance(args.tolerance), Timestamp::now()) {
        Ok(()) => ("valid".to_owned(), exit::DONE),
        Err(reason) => (format!("invalid: {reason}"), exit::FAILED),
    };
    writeln!(io::stdout(), "{said}").context("write to stdout")?;
    Ok(code)
}

/// The headers in a file, up to the first empty line behind them.
fn headers_from(file: &Path) -> anyhow::Result<Vec<(HeaderName, HeaderValue)>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read the headers from {}", file.display()))?;
    let mut headers = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        match header(line) {
            Ok(header) => headers.push(header),
            Err(_) if headers.is_empty() => {}
            Err(_) if line.trim().is_empty() => break,
            Err(error) => bail!("{}:{number}: {error}", file.display()),
        }
    }
    Ok(headers)
}

fn body_from(file: &Path) -> anyhow::Result<Vec<u8>> {
    let reading = || format!("read the body from {}", file.display());
    let mut body = Vec::new();
    let source: Box<dyn io::Read> = match file.as_os_str() == "-" {
        true => Box::new(io::stdin()),
        false => Box::new(std::fs::File::open(file).with_context(reading)?),
    };
    source.take(MAX_BODY + 1).read_to_end(&mut body).with_context(reading)?;
    if body.len() as u64 > MAX_BODY {
        bail!("the body in {} is longer than {MAX_BODY} bytes", file.display());
    }
    Ok(body)
}
