//! The shim against the host's table: generated sequences of WASI calls have the same answers, the same effects on
//! memory and the same output, whichever of the two answers them.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::fmt::Write as _;

use gio_content::image::InputImage;
use gio_machine::{Param, WasiCall};
use gio_protocol::Status;
use support::machine::run_everywhere;
use support::{LIMITS, input};

/// Programs that a run generates; `GIO_WASI_PROGRAMS` asks for another number.
const PROGRAMS: u64 = 10;

/// Calls of one program.
const CALLS: u64 = 70;

/// Paths that calls are given; 32 bytes of memory each, from [`PATHS_AT`] on.
const PATHS: [&str; 22] = [
    "a",
    "b",
    "in",
    "dir",
    "dir/x",
    "dir/y",
    "a/b",
    "../a",
    ".",
    "..",
    "dir/../in",
    "in/",
    "new",
    "dir/",
    "new/z",
    "",
    "/in",
    "é",
    "dir//x",
    "./a",
    "dir/./x/..",
    "x\\5cy",
];
const PATHS_AT: u64 = 0x400;

struct Rng(u64);

impl Rng {
    /// splitmix64
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    /// A value that makes sense most of the time, and one at the edge of things otherwise.
    fn mostly(&mut self, sense: u64) -> u64 {
        match self.below(24) {
            0 => self.pick(&[0, 1, 0xffff, 0x1_fffe, 0x2_0000, 0x7fff_ffff, 0xffff_ffff]),
            _ => sense,
        }
    }

    fn fd(&mut self) -> u64 {
        let fd = self.below(9);
        self.mostly(fd)
    }

    /// Where results go: far from paths and buffers, most of the time.
    fn out(&mut self) -> u64 {
        let at = 0x3000 + 8 * self.below(64);
        self.mostly(at)
    }

    fn path(&mut self) -> [u64; 2] {
        let nth = self.below(PATHS.len() as u64);
        let length = PATHS[usize::try_from(nth).unwrap()]
            .replace("\\5c", "/")
            .len() as u64;
        [self.mostly(PATHS_AT + 32 * nth), self.mostly(length)]
    }

    fn buffers(&mut self) -> [u64; 2] {
        let at = 0x800 + 8 * self.below(4);
        let count = self.below(4);
        [self.mostly(at), self.mostly(count)]
    }

    fn offset(&mut self) -> u64 {
        self.pick(&[
            0,
            0,
            1,
            5,
            33,
            1000,
            1024,
            5000,
            u64::MAX,
            i64::MAX.cast_unsigned(),
        ])
    }
}

/// Arguments that reach into what the call does.
fn arguments(call: WasiCall, rng: &mut Rng) -> Vec<u64> {
    use WasiCall as C;
    let [path, len] = rng.path();
    let [buffers, count] = rng.buffers();
    let (fd, out) = (rng.fd(), rng.out());
    match call {
        C::FdRead | C::FdWrite => vec![fd, buffers, count, out],
        C::FdPread | C::FdPwrite => vec![fd, buffers, count, rng.offset(), out],
        C::FdSeek => vec![fd, rng.offset(), rng.below(4), out],
        C::FdReaddir => vec![fd, 0x4000, rng.below(120), rng.below(7), out],
        C::FdFilestatSetSize => vec![fd, rng.pick(&[0, 1, 40, 1500, 3000])],
        C::PathOpen => {
            let flags = rng.pick(&[0, 0, 1, 1, 1, 2, 5, 8, 9, 3]);
            let rights = rng.pick(&[0x42, 0x42, 2, 0x40, 0]);
            let dir = rng.pick(&[3, 3, 3, 4, 5, fd]);
            vec![dir, 0, path, len, flags, rights, 0, rng.below(2), out]
        }
        C::PathFilestatGet => vec![3, 0, path, len, out],
        C::PathCreateDirectory | C::PathRemoveDirectory | C::PathUnlinkFile => {
            vec![rng.pick(&[3, 3, 4, fd]), path, len]
        }
        C::PathRename => {
            let [to, to_len] = rng.path();
            vec![3, path, len, rng.pick(&[3, 4, fd]), to, to_len]
        }
        C::RandomGet => vec![out, rng.below(70)],
        C::ClockTimeGet => vec![rng.below(5), 1, out],
        C::ClockResGet => vec![rng.below(5), out],
        C::ArgsGet | C::EnvironGet => vec![out, 0x5000 + rng.below(9)],
        C::FdPrestatDirName => vec![fd, out, rng.below(3)],
        other => {
            let params = other.params().iter();
            let generic = params.map(|_| rng.pick(&[fd, out, count]));
            generic.collect()
        }
    }
}

/// Calls that do most of the work come more often than the others.
fn choose(rng: &mut Rng) -> WasiCall {
    use WasiCall as C;
    let often = [
        C::PathOpen,
        C::PathOpen,
        C::PathOpen,
        C::FdWrite,
        C::FdWrite,
        C::FdRead,
        C::FdSeek,
        C::FdReaddir,
        C::PathRename,
        C::PathUnlinkFile,
        C::PathCreateDirectory,
        C::FdPwrite,
    ];
    loop {
        let call = match rng.below(3) {
            0 => rng.pick(WasiCall::ALL),
            _ => rng.pick(&often),
        };
        if call != C::ProcExit {
            return call;
        }
    }
}

fn program(seed: u64) -> String {
    let mut rng = Rng(seed);
    let mut text = String::from("(module\n");
    for call in WasiCall::ALL {
        let params = call.params().iter().map(|param| match param {
            Param::I32 => " i32",
            Param::I64 => " i64",
        });
        let params: String = params.collect();
        let result = if call.answers() { "(result i32)" } else { "" };
        let name = call.name();
        writeln!(
            text,
            "(import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} (param{params}) {result}))"
        )
        .unwrap();
    }
    text.push_str("(memory (export \"memory\") 2)\n");
    for (path, nth) in PATHS.iter().zip(0..) {
        writeln!(
            text,
            "(data (i32.const {}) \"{path}\")",
            PATHS_AT + 32 * nth
        )
        .unwrap();
    }
    // Four buffers of 5, 0, 40 and 1200 bytes, and something in them.
    text.push_str(
        "(data (i32.const 0x800) \"\\00\\10\\00\\00\\05\\00\\00\\00\\10\\10\\00\\00\\00\\00\\00\\00\
         \\20\\10\\00\\00\\28\\00\\00\\00\\00\\12\\00\\00\\b0\\04\\00\\00\")\n\
         (data (i32.const 0x1000) \"something to write that is longer than one word of memory is\")\n\
         (func (export \"_start\")\n",
    );
    for nth in 0..CALLS {
        let call = choose(&mut rng);
        let arguments = arguments(call, &mut rng);
        let typed = call
            .params()
            .iter()
            .zip(arguments)
            .map(|(ty, value)| match ty {
                Param::I32 => format!("(i32.const {:#x})", value & 0xffff_ffff),
                Param::I64 => format!("(i64.const {value:#x})"),
            });
        let typed: Vec<String> = typed.collect();
        writeln!(
            text,
            "(i32.store16 (i32.const {:#x}) (call ${} {}))",
            0x6000 + 2 * nth,
            call.name(),
            typed.join(" ")
        )
        .unwrap();
    }
    // Errors and memory become the output of a descriptor that was there from the start, or of a new file.
    text.push_str(
        "(i32.store (i32.const 0x7f00) (i32.const 0x400)) (i32.store (i32.const 0x7f04) (i32.const 0x6000))\n\
         (drop (call $fd_write (i32.const 1) (i32.const 0x7f00) (i32.const 1) (i32.const 0x7f08)))\n\
         (drop (call $fd_write (i32.const 2) (i32.const 0x7f00) (i32.const 1) (i32.const 0x7f08)))))",
    );
    text
}

#[test]
fn the_shim_answers_what_the_host_answers() {
    let programs = std::env::var("GIO_WASI_PROGRAMS");
    let programs = programs.map_or(PROGRAMS, |programs| programs.parse().unwrap());
    let mut image = input(&["program", "two", ""]);
    image.env.insert("NAME".into(), b"value".to_vec());
    for (path, size) in [("in", 100), ("dir/x", 33), ("dir/y", 0), ("dir-", 4000)] {
        image.files.insert(path.into(), vec![b'.'; size]);
    }
    image.stdin = (0..=255).collect();
    let mut exits = 0;
    for seed in 0..programs {
        let wasm = wat::parse_str(program(seed)).unwrap();
        let outcome = run_everywhere(&wasm, &image, &LIMITS);
        exits += u64::from(outcome.status == Status::Exit);
    }
    assert!(exits * 10 > programs * 7, "{exits} of {programs} exited");
}

#[test]
fn no_input_and_the_least_output_are_the_same() {
    let text = r#"(module (func (export "_start")))"#;
    let wasm = wat::parse_str(text).unwrap();
    run_everywhere(&wasm, &InputImage::default(), &LIMITS);
}
