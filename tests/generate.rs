//! `radhook generate`, which makes what packages ship beside the binary; and what becomes of output that nobody reads.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

fn radhook(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_radhook")).args(words).output().expect("the binary starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("it prints UTF-8")
}

/// The verbs that `--help` names.
fn verbs(words: &[&str]) -> Vec<String> {
    let help = radhook(&[words, &["--help"]].concat());
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let first = listed.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    first.filter(|verb| *verb != "help").map(str::to_owned).collect()
}

#[test]
fn there_is_a_manual_page_for_every_verb_and_one_for_the_config() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    radhook(&["generate", "man", directory.path().to_str().expect("the path is UTF-8")]);
    let page = |name: &str| {
        let path: &Path = &directory.path().join(name);
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let mut seen = 0;
    for verb in verbs(&[]) {
        assert!(page(&format!("radhook-{verb}.1")).contains(".SH DESCRIPTION"));
        for beneath in verbs(&[&verb]) {
            assert!(page(&format!("radhook-{verb}-{beneath}.1")).contains(".SH SYNOPSIS"));
            seen += 1;
        }
    }
    assert!(seen > 15, "only {seen} verbs beneath others were found");
    assert!(page("radhook.1").contains("radhook\\-check(1)"));
    assert!(page("radhook.toml.5").contains("whsec_"));
}

#[test]
fn completions_know_every_verb_in_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let script = radhook(&["generate", "completions", shell]);
        for verb in verbs(&[]) {
            assert!(script.contains(&verb), "{shell} does not know {verb}");
        }
    }
}

#[test]
fn output_that_nobody_reads_any_more_ends_a_verb_quietly() {
    for words in
        [&["generate", "completions", "zsh"], &["freeradius", "print", "--help"], &["store", "check", "--help"]]
    {
        let (reads, writes) = std::io::pipe().expect("a pipe can be made");
        drop(reads);
        let mut command = Command::new(env!("CARGO_BIN_EXE_radhook"));
        let output = command.args(words).stdout(writes).stderr(Stdio::piped()).output().expect("the binary starts");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words:?}");
        assert!(output.status.success(), "{words:?}: {output:?}");
    }
}
