//! Which endpoints want which events, from where, and how often.

pub mod count;
pub mod interest;
pub mod once_per;
pub mod scope;
pub mod subscription;
pub mod verdict;

pub use count::Count;
pub use interest::Interest;
pub use once_per::OncePer;
pub use scope::Scope;
pub use subscription::Subscription;
pub use verdict::Verdict;

/// Whether `text` matches `pattern`; `*` matches any run of characters, also an empty one.
///
/// Without going back further than to the last `*`: an operator's pattern costs at most its length times the text's.
fn glob(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // What follows the last star, and where the text it has not swallowed yet begins.
    let mut last: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        match pattern.next() {
            Some('*') => last = Some((pattern.clone(), text.clone())),
            None if text.as_str().is_empty() => return true,
            wanted => {
                if wanted.is_some() && text.clone().next() == wanted {
                    text.next();
                    continue;
                }
                let Some((after, from)) = &mut last else { return false };
                if from.next().is_none() {
                    return false;
                }
                (pattern, text) = (after.clone(), from.clone());
            }
        }
    }
}
