//! Pages that name tests name tests there are.

use std::fs;
use std::path::Path;

use gio_e2e::paths::repository;

/// Where tests are.
const PACKAGES: [&str; 6] = ["tests", "hub", "miner", "buyer-cli", "chain", "crates"];
/// Names of tests are sentences; what has fewer of these marks is a name of something else.
const UNDERSCORES_MIN: usize = 4;

#[test]
fn what_requirements_market_md_names_exists() {
    let page = fs::read_to_string(repository().join("docs/requirements-market.md")).unwrap();
    let mut sources = String::new();
    for package in PACKAGES {
        read(&repository().join(package), &mut sources);
    }
    let names: Vec<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|quoted| quoted.rsplit(": ").next().unwrap())
        .filter(|name| is_test(name))
        .collect();
    assert!(names.len() > 30, "the page names tests: {names:?}");
    let missing: Vec<&&str> = names
        .iter()
        .filter(|name| !sources.contains(&format!("fn {name}(")))
        .collect();
    assert!(missing.is_empty(), "there is no test {missing:?}");
}

fn is_test(name: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    name.chars().all(is_letter) && name.matches('_').count() >= UNDERSCORES_MIN
}

fn read(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, sources);
        } else if path.extension().is_some_and(|end| end == "rs") {
            sources.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}
