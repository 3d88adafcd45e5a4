//! The long form of the differential script test: `-- <cases> [seed]`.

#[path = "../tests/it/generator.rs"]
mod generator;
#[path = "../tests/it/rng.rs"]
mod rng;
#[path = "../tests/it/script_oracle.rs"]
mod script_oracle;
#[path = "../tests/it/signing.rs"]
mod signing;

#[expect(clippy::print_stdout, reason = "the result of a long test")]
fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let mut next = |default| arguments.next().and_then(Result::ok).unwrap_or(default);
    let (cases, seed) = (next(1_000_000), next(2));
    let accepted = script_oracle::compare(seed, cases);
    println!("{cases} cases agree, {accepted} of them accepted");
}
