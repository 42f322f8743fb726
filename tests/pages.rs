//! The pages for readers: every link between them leads somewhere, and each can be found from the README.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every Markdown page of the project, beneath its root.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = Vec::new();
    for directory in ["", "docs", "docs/schemas", "dictionaries", "examples/verify"] {
        let entries = fs::read_dir(root.join(directory)).expect("the directory can be read");
        let paths = entries.map(|entry| entry.expect("the directory can be read").path());
        pages.extend(paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    pages
}

fn read(page: &Path) -> String {
    fs::read_to_string(page).expect("pages are UTF-8")
}

/// The lines outside code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

/// Where the links of a page lead that stay within the project: a path, and a heading of it.
fn links(text: &str) -> Vec<(String, Option<String>)> {
    // A link's words may be broken over two lines.
    let prose = prose(text).collect::<Vec<_>>().join(" ");
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let within = targets.map(|(target, _)| target).filter(|target| !target.contains("://"));
    within
        .map(|target| match target.split_once('#') {
            Some((path, heading)) => (path.to_owned(), Some(heading.to_owned())),
            None => (target.to_owned(), None),
        })
        .collect()
}

/// The headings of a page in the form in which links name them: small letters, digits, hyphens for blanks, nothing else.
fn headings(text: &str) -> BTreeSet<String> {
    let titles = prose(text).filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let form = |title: &str| {
        let kept = title.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    titles.map(form).collect()
}

#[test]
fn every_link_between_the_pages_leads_somewhere() {
    let mut astray = Vec::new();
    let mut followed = 0;
    for page in pages() {
        for (path, heading) in links(&read(&page)) {
            followed += 1;
            let target = if path.is_empty() { page.clone() } else { page.with_file_name("").join(&path) };
            let is_there =
                target.exists() && heading.as_ref().is_none_or(|heading| headings(&read(&target)).contains(heading));
            if !is_there {
                astray.push(format!("{}: {path}#{}", page.display(), heading.unwrap_or_default()));
            }
        }
    }
    assert!(followed > 30, "only {followed} links were found");
    assert!(astray.is_empty(), "\n{}\n", astray.join("\n"));
}

#[test]
fn every_page_can_be_found_from_the_readme() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let mut found = BTreeSet::from([readme.canonicalize().expect("there is a README")]);
    let mut open: Vec<PathBuf> = found.iter().cloned().collect();
    while let Some(page) = open.pop() {
        for (path, _) in links(&read(&page)) {
            let Ok(target) = page.with_file_name("").join(&path).canonicalize() else { continue };
            let is_page = target.extension().is_some_and(|extension| extension == "md");
            if is_page && found.insert(target.clone()) {
                open.push(target);
            }
        }
    }
    let lost: Vec<_> =
        pages().into_iter().filter(|page| !found.contains(&page.canonicalize().expect("it is there"))).collect();
    assert!(lost.is_empty(), "no way leads from the README to {lost:?}");
}
