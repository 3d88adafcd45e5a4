//! The jobs that processes die in.

use std::fs;
use std::path::Path;

use super::market::DyingMarket;
use crate::story::text;

/// Turns for CU to bill, then copies standard input to standard output.
fn program(turns: u64) -> Vec<u8> {
    let text = format!(
        r#"(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func (export "_start") (local $turn i64)
    (loop $again
      (local.set $turn (i64.add (local.get $turn) (i64.const 1)))
      (br_if $again (i64.lt_u (local.get $turn) (i64.const {turns}))))
    (block $end (loop $copy
      (i32.store (i32.const 0) (i32.const 64))
      (i32.store (i32.const 4) (i32.const 65536))
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (br_if $end (i32.eqz (i32.load (i32.const 8))))
      (i32.store (i32.const 4) (i32.load (i32.const 8)))
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (br $copy)))))"#
    );
    wat::parse_str(text).unwrap()
}

/// Turns of a unit that is done in a moment.
const SHORT: u64 = 5_000_000;
/// Turns of a unit that takes seconds: long enough for something to happen to it.
const SLOW: u64 = 1_000_000_000;
/// Turns of a unit that is still running whenever something happens to it.
const LONG: u64 = 1 << 40;
/// Bytes of a unit's input and output that is a content of its own, and a file at the hub.
const LARGE: usize = 200_000;
const SMALL: usize = 100;

/// How one job is asked for.
pub(crate) struct Ask {
    /// Of `submit`, before `--out`.
    pub(crate) args: Vec<String>,
    /// Of the guest.
    pub(crate) program_args: Vec<String>,
    /// What the buyer ends with when all went well.
    pub(crate) codes: Vec<i32>,
    folder: std::path::PathBuf,
    units: usize,
}

impl Ask {
    /// The result in `out` is what the job asked for.
    pub(crate) fn check(&self, out: &Path) {
        for unit in 0..self.units {
            let ours = fs::read(out.join(format!("units/{unit}/stdout"))).unwrap();
            let asked = fs::read(self.folder.join(format!("in/{unit}.txt"))).unwrap();
            assert!(ours == asked, "unit {unit} of {}", self.folder.display());
        }
    }
}

/// Four units, the first one large in and out; `number` makes every content new to everybody.
pub(crate) fn mixed(market: &DyingMarket, number: usize) -> Ask {
    ask(market, number, SHORT, &[LARGE, SMALL, SMALL, SMALL], "1")
}

/// One large unit.
pub(crate) fn large(market: &DyingMarket, number: usize) -> Ask {
    ask(market, number, SHORT, &[LARGE], "1")
}

/// Units that take a while each.
pub(crate) fn slow(market: &DyingMarket, number: usize) -> Ask {
    ask(market, number, SLOW, &[SMALL; 4], "20")
}

/// Units that do not end by themselves before the job is due.
pub(crate) fn endless(market: &DyingMarket, number: usize) -> Ask {
    ask(market, number, LONG, &[SMALL; 6], "20")
}

fn ask(market: &DyingMarket, number: usize, turns: u64, lengths: &[usize], pu: &str) -> Ask {
    let folder = market.net.folder.join(format!("job-{number}"));
    fs::create_dir_all(folder.join("in")).unwrap();
    fs::write(folder.join("copier.wasm"), program(turns)).unwrap();
    for (unit, length) in lengths.iter().enumerate() {
        let line = format!("job {number} unit {unit}\n");
        let bytes = line.repeat(length / line.len() + 1);
        fs::write(folder.join(format!("in/{unit}.txt")), bytes).unwrap();
    }
    let (wasm, input) = (folder.join("copier.wasm"), folder.join("in"));
    let args = [
        "--wasm",
        text(&wasm),
        "--input",
        text(&input),
        "--split",
        "files",
        "--stdin",
        "{file}",
        "--pu",
        pu,
        "--cap",
        "10",
        "--deadline",
        "10m",
    ];
    Ask {
        args: args.map(str::to_owned).to_vec(),
        program_args: Vec::new(),
        codes: vec![0],
        folder,
        units: lengths.len(),
    }
}
