//! Every help page, word for word: a user-visible change shows up as a diff.

use crate::{gio_buyer, stderr, stdout};

#[test]
fn every_command_explains_itself() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    let commands = [
        "init", "submit", "run", "status", "list", "attach", "get", "check", "refund", "address",
        "balance",
    ];
    let page = |args: &[&str]| {
        let output = gio_buyer(&home, args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        stdout(&output)
    };
    let mut settings = insta::Settings::clone_current();
    // The home is this test's.
    settings.add_filter(r"\[env: GIO_BUYER_HOME=[^\]]*\]", "[env: GIO_BUYER_HOME=]");
    settings.set_snapshot_suffix("");
    settings.bind(|| {
        insta::assert_snapshot!("help", page(&["--help"]));
        for command in commands {
            let text = page(&[command, "--help"]);
            insta::assert_snapshot!(format!("help_{command}"), text);
        }
    });
}
