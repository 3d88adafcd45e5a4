//! The list of fail-points is complete: no write and no send is without one.

use gio_e2e::fail_points;

#[test]
fn every_write_and_every_send_of_the_agents_has_a_fail_point() {
    let missing = fail_points::missing().unwrap();
    assert!(
        missing.is_empty(),
        "without a fail-point:\n{}",
        missing.join("\n")
    );
    let points = fail_points::all().unwrap();
    for agent in ["hub.", "miner.", "buyer.", "evm.", "file."] {
        assert!(points.keys().any(|name| name.starts_with(agent)), "{agent}");
    }
}
