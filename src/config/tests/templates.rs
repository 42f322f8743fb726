//! What is said of conditions and templates that cannot be used.

use super::endpoint_says;

#[test]
fn a_mistake_is_told_once_and_not_by_what_follows_from_it() {
    endpoint_says(
        "format = \"templat\"\nbody = '{ \"user\": {{ user.name }} }'",
        &["x.toml:4:10: `format` is \"templat\", which is none of its values; did you mean \"template\"?"],
    );
    endpoint_says(
        "format = \"template\"\nheaders = { X-User = \"{{ user.name }}\" }\nbody = '{ \"user\": {{ usr.name }} }'",
        &["x.toml:6:22: `body`: usr is no fact of an event: did you mean user?"],
    );
    endpoint_says(
        "when = \"count >= 5\"\ncount = { key = \"user.name\" }",
        &["x.toml:5:9: [endpoint.count] needs `window`; add window = \"24h\""],
    );
    endpoint_says(
        "when = \"count >= 5\"",
        &["x.toml:4:8: `when` asks for count, and nothing is counted; \
           add count = { key = \"user.name\", window = \"10m\" }"],
    );
}

#[test]
fn a_body_belongs_to_a_format_that_takes_one() {
    endpoint_says(
        "body = '{}'",
        &["x.toml:4:1: `body` has no meaning with format = \"native\", which writes its own; \
           set format = \"template\", or remove it"],
    );
    endpoint_says(
        "format = \"template\"",
        &["x.toml:4:10: format = \"template\" needs a `body`; \
           add body = '{ \"user\": \"{{ user.name }}\" }', or body = { file = \"crm.json\" }"],
    );
}
