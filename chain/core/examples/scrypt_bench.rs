//! Hashes per second and core of every scrypt path, and their ratios to RustCrypto's crate,
//! measured in turns in one run, in seconds of this thread's processor time, so that other programs
//! on the machine disturb it little: `cargo run --release -p gio-coin --example scrypt_bench -- [--json]`.
//!
//! Beside them: how many vector operations each path starts in a cycle of the core. Cores have two to four places to
//! start one, so this says how much a path leaves unused.

use gio_coin::{HEADER_BYTES, ScryptHasher, ScryptPath};

/// Long enough for one turn to even out the clock, short enough to take turns often.
const TURN: f64 = 0.3;
const TURNS: usize = 7;

/// Seconds this thread has run so far.
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds = text
        .split_whitespace()
        .next()
        .and_then(|word| word.parse::<f64>().ok());
    nanoseconds.expect("the first word is a number") / 1e9
}

fn rate(mut batch: impl FnMut() -> usize) -> f64 {
    let start = processor_seconds();
    let mut hashes = 0;
    loop {
        hashes += batch();
        let spent = processor_seconds() - start;
        if spent >= TURN {
            return hashes as f64 / spent;
        }
    }
}

/// Cycles of the core in one link of [`chain`]: a multiplication of 32 bits takes three on x86-64 cores,
/// an exclusive or one, and each waits for the one before (<https://uops.info>).
const CYCLES_PER_LINK: usize = 4;

/// Links of a chain that nothing can shorten; their number per second gives the core's clock.
fn chain(value: &mut u32) -> usize {
    const LINKS: usize = 100_000;
    for _ in 0..LINKS {
        *value = value.wrapping_mul(1_664_525) ^ 1_013_904_223;
    }
    std::hint::black_box(*value);
    LINKS * CYCLES_PER_LINK
}

/// Vector operations of a hash: additions, xors, shifts or rotations, shuffles; no loads and stores.
fn vector_operations(path: ScryptPath) -> Option<f64> {
    // Hashes in a vector, operations of `x ^= rotate(a + b)`, of turning a state for memory.
    let (hashes, step, turning) = match path {
        ScryptPath::Portable => return None,
        ScryptPath::Sse2 => (1, 5, 0),
        ScryptPath::Avx2 => (2, 5, 8),
        ScryptPath::Avx512 => (4, 3, 16),
    };
    // Four double rounds of eight steps and six turns of rows, and four additions.
    let salsa = 4 * (8 * step + 6) + 4;
    let block_mix = 2 * salsa + 8;
    // 1,024 states are written, and 1,024 are read and added.
    let all = 1_024 * (2 * block_mix + 2 * turning + 8);
    Some(f64::from(all) / f64::from(hashes))
}

fn rustcrypto(header: &mut [u8; HEADER_BYTES]) -> usize {
    let params = scrypt::Params::new(10, 1, 1).expect("the coin's parameters are valid");
    let mut hash = [0; 32];
    scrypt::scrypt(header, header, &params, &mut hash).expect("32 bytes is a valid length");
    header[..32].copy_from_slice(&hash);
    1
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Vector operations a path starts in a cycle.
fn per_cycle(path: ScryptPath, rate: f64, clock: f64) -> Option<f64> {
    vector_operations(path).map(|operations| operations * rate / clock)
}

/// One JSON object, for whoever collects the figures.
fn as_json(hashers: &[ScryptHasher], rates: &[f64], clock: f64) -> String {
    let mut entries = vec![format!(
        "\"scrypt_hs_per_core_rustcrypto\": {:.0}",
        rates[0]
    )];
    for (hasher, rate) in hashers.iter().zip(&rates[1..]) {
        let path = hasher.path().to_string().to_lowercase().replace('-', "");
        entries.push(format!("\"scrypt_hs_per_core_{path}\": {rate:.0}"));
        let ratio = rate / rates[0];
        entries.push(format!("\"scrypt_ratio_to_rustcrypto_{path}\": {ratio:.2}"));
        if let Some(started) = per_cycle(hasher.path(), *rate, clock) {
            entries.push(format!(
                "\"scrypt_vector_operations_per_cycle_{path}\": {started:.2}"
            ));
        }
    }
    format!("{{{}}}", entries.join(", "))
}

#[expect(clippy::print_stdout, reason = "the result of a benchmark")]
fn main() {
    let mut hashers: Vec<ScryptHasher> = ScryptPath::available()
        .into_iter()
        .filter_map(ScryptHasher::with_path)
        .collect();
    let mut rates = vec![Vec::new(); hashers.len() + 1];
    let mut header = [7; HEADER_BYTES];
    let (mut clocks, mut value) = (Vec::new(), 1);
    for _ in 0..TURNS {
        clocks.push(rate(|| chain(&mut value)));
        rates[0].push(rate(|| rustcrypto(&mut header)));
        for (hasher, rates) in hashers.iter_mut().zip(&mut rates[1..]) {
            let headers = vec![header; 48];
            rates.push(rate(|| hasher.hash_all(&headers).len()));
        }
    }
    let rates: Vec<f64> = rates.into_iter().map(median).collect();
    let clock = median(clocks);
    if std::env::args().any(|argument| argument == "--json") {
        println!("{}", as_json(&hashers, &rates, clock));
        return;
    }
    println!("rustcrypto  {:>8.0} H/s per core", rates[0]);
    for (hasher, rate) in hashers.iter().zip(&rates[1..]) {
        let ratio = rate / rates[0];
        let started = per_cycle(hasher.path(), *rate, clock);
        let started = started.map_or(String::new(), |started| {
            format!("  {started:.2} vector operations per cycle")
        });
        println!(
            "{:<10}  {rate:>8.0} H/s per core  ratio {ratio:.2}{started}",
            hasher.path().to_string()
        );
    }
}
