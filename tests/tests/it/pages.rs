//! Every page of help of the programs that have no tests of their own pages: `gio-devnet`.

use crate::golden::Golden;

#[test]
fn the_development_network_explains_itself() {
    let (program, package) = (env!("CARGO_BIN_EXE_gio-devnet"), env!("CARGO_MANIFEST_DIR"));
    let golden = Golden::new(program, "gio-devnet", package);
    golden.check_help();
    let lines: [&[&str]; 3] = [&[], &["dmeo"], &["up", "--dri"]];
    golden.check_lines("errors-usage", &lines);
}
