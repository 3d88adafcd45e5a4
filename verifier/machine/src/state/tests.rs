//! Encodings have the documented length and places, and the initial state is what section 9 says.

use gio_protocol::keccak256;
use proptest::prelude::*;

use super::*;

fn word(n: u8) -> B256 {
    B256::repeat_byte(n)
}

fn program() -> ProgramHeader {
    ProgramHeader {
        code_root: word(1),
        memory_roots: [word(2), word(3)],
        globals_root: word(4),
        table_root: word(5),
        version: VERSION,
        entry_pc: 6,
        pages: [2, 1],
        table_size: 7,
        code_depth: 8,
        table_depth: 1,
    }
}

fn unit() -> UnitLimits {
    UnitLimits {
        input_root: word(9),
        input_length: 100,
        cu_limit: 1000,
        pages_max: 16,
        output_max: 65_536,
        unit_seed: word(10),
    }
}

const DEAL: DealDepths = DealDepths {
    input_depth: 22,
    output_depth: 20,
    clock_start: 11,
};

#[test]
fn fields_stand_where_the_verifier_reads_them() {
    let header = Header {
        code_root: word(1),
        stack_hash: word(2),
        locals_root: word(3),
        memory_root: word(4),
        rest_hash: word(5),
        pc: 0x0102_0304,
        stack_len: 0x0506_0708,
        pages: [0x09_0a0b, 0x0c_0d0e],
        code_depth: 0x0f,
        memory_depth: 0x10,
        cu: 0x1112_1314_1516_1718,
        cu_limit: 0x191a_1b1c_1d1e_1f20,
    };
    let bytes = header.encode();
    let scalars: Vec<u8> = (1..=32).collect();
    assert_eq!(bytes[160..], scalars);
    assert_eq!(Header::decode(&bytes), header);
}

proptest! {
    #[test]
    fn every_header_has_one_encoding(bytes: [u8; 32], roots in prop::array::uniform5(any::<[u8; 32]>())) {
        let mut all = [0; HEADER_BYTES];
        roots.iter().enumerate().for_each(|(i, root)| all[32 * i..32 * i + 32].copy_from_slice(root));
        all[160..].copy_from_slice(&bytes);
        prop_assert_eq!(Header::decode(&all).encode(), all);
    }
}

#[test]
fn hashes_are_of_tag_and_fields() {
    let halted = Halted {
        status: STATUS_TRAP,
        exit_code: 0,
        cu: 5,
        output_root: word(7),
        output_length: 9,
    };
    let mut bytes = keccak256("gio.machine.halted.v1").to_vec();
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]);
    bytes.extend([7; 32]);
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 9]);
    assert_eq!(halted.hash(), keccak256(bytes));
}

#[test]
fn a_pc_outside_the_code_halts() {
    let (mut header, ..) = initial(&program(), &unit(), &DEAL).unwrap();
    for (pc, halts) in [
        (0, false),
        (511, false),
        (512, true),
        (PC_TRAP, true),
        (PC_EXHAUSTED, true),
    ] {
        header.pc = pc;
        assert_eq!(header.halts(), halts, "{pc:#x}");
    }
}

#[test]
fn the_initial_memory_is_two_empty_halves_with_the_program_in_front() {
    let (header, rest, io, env) = initial(&program(), &unit(), &DEAL).unwrap();
    // 16 pages are 2^15 leaves; the shim's 1 + 2 + 256 pages need 2^20.
    assert_eq!(env.pages_max, [16, 259]);
    assert_eq!(header.memory_depth, 21);
    let zeros = trees::zeros();
    let up = |root, from: usize| (from..20).fold(root, |node, i| trees::parent(node, zeros[i]));
    assert_eq!(
        header.memory_root,
        trees::parent(up(word(2), 12), up(word(3), 11))
    );
    assert_eq!(header.rest_hash, rest.hash());
    assert_eq!(rest.io_hash, io.hash());
    assert_eq!(io.env_hash, env.hash());
    assert_eq!(io.output_root, zeros[20]);
    assert_eq!(
        (header.cu, header.stack_len, rest.call_depth),
        (START_CU, 0, 0)
    );
}

#[test]
fn r20_units_outside_the_bounds_have_no_initial_state() {
    let refused = |change: &dyn Fn(&mut ProgramHeader, &mut UnitLimits, &mut DealDepths)| {
        let (mut program, mut unit, mut deal) = (program(), unit(), DEAL);
        change(&mut program, &mut unit, &mut deal);
        initial(&program, &unit, &deal).unwrap_err().what
    };
    assert_eq!(refused(&|p, _, _| p.version = 0), "machine version");
    assert_eq!(refused(&|p, _, _| p.code_depth = 0), "code depth");
    assert_eq!(refused(&|p, _, _| p.code_depth = 21), "code depth");
    assert_eq!(refused(&|p, _, _| p.table_depth = 18), "table depth");
    assert_eq!(refused(&|p, _, _| p.table_size = 9), "table size");
    assert_eq!(refused(&|_, u, _| u.cu_limit = 1), "CU limit");
    assert_eq!(refused(&|_, u, _| u.cu_limit = (1 << 45) + 1), "CU limit");
    assert_eq!(refused(&|_, u, _| u.pages_max = 1), "pages max");
    assert_eq!(refused(&|_, u, _| u.pages_max = 65_537), "pages max");
    assert_eq!(refused(&|_, _, d| d.input_depth = 27), "depth of the input");
    assert_eq!(refused(&|_, _, d| d.input_depth = 1), "input length");
    assert_eq!(refused(&|_, _, d| d.output_depth = 10), "output max");
    assert_eq!(refused(&|p, _, _| p.pages[1] = 65_536), "pages of the shim");
}
