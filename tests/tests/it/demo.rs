//! The README's first command, as it stands there.

use tokio::process::Command;

use gio_e2e::paths;

use crate::story::{block_on, turn};

#[test]
fn make_demo_renders_checks_pays_and_conserves() {
    block_on(async {
        let _turn = turn().await;
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("demo");
        let output = Command::new(paths::agent("gio-devnet"))
            .args(["demo", "--dir"])
            .arg(&dir)
            .output()
            .await
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success(),
            "{told}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            told.contains("byte for byte that of one local run"),
            "{told}"
        );
        let miners = told
            .lines()
            .filter(|line| line.contains(" units, ") && line.contains(" PU, paid "))
            .count();
        assert_eq!(miners, 3, "the receipt shows three miners paid:\n{told}");
        let sum = told.lines().find(|line| line.starts_with("sum ")).unwrap();
        assert!(sum.ends_with("+0.00000000"), "{sum}");
        let picture = std::fs::read(dir.join("picture/picture.png")).unwrap();
        assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"));
        let miners_earned = told
            .lines()
            .filter(|line| line.starts_with("miner-") && !line.ends_with("+0.00000000"))
            .count();
        assert_eq!(miners_earned, 3, "{told}");
    });
}
