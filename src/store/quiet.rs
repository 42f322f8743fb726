//! Calling code that may panic where a panic is only one more way to fail.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Calls `what`; a panic becomes an error with its message, and nothing is printed.
///
/// What `what` was working on must be thrown away after a panic, or bear one: that is the caller's affair.
pub fn quietly<T>(what: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            // sled's own threads panic beside the call that waits for them, which then fails and is told.
            let sleds = std::thread::current().name().is_some_and(|name| name.starts_with("sled-io"));
            if !QUIET.get() && !sleds {
                before(panic);
            }
        }));
    });
    let outer = QUIET.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(what));
    QUIET.set(outer);
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(quietly(|| 7), Ok(7));
        assert_eq!(quietly(|| -> u8 { panic!("so {}", "it goes") }), Err("so it goes".to_owned()));
        assert_eq!(quietly(|| -> u8 { panic!("plain") }), Err("plain".to_owned()));
    }
}
