//! The table of shapes in the contract's source is the list of operations in Rust.

use std::path::Path;

use gio_machine::mirror::shapes;
use gio_machine::state::PC_TRAP;

use crate::evm::Court;
use crate::scene::{SMALL, Scene};
use gio_machine::isa::{Instruction, Op};

#[test]
fn the_contract_knows_the_operations_of_rust() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/src/court/StepVerifier.sol");
    let source = std::fs::read_to_string(path).unwrap();
    let mut known = Vec::new();
    for row in 0..8 {
        let name = format!("SHAPES_{row} = 0x");
        let at = source.find(&name).unwrap() + name.len();
        let digits = &source[at..at + 64];
        known.extend(
            (0..32).map(|nth| u8::from_str_radix(&digits[2 * nth..2 * nth + 2], 16).unwrap()),
        );
    }
    let listed: Vec<u8> = (0..256).map(shapes::of).collect();
    assert_eq!(known, listed);
}

#[test]
fn bug_15_numbers_that_name_no_operation_trap() {
    let mut court = Court::new();
    let high = [0x100, 0x141, 0x6a00, 0x0145, 0xffff];
    let mut unknown = 0;
    for code in (0..0x100).chain(high) {
        if Op::from_code(code).is_some() {
            continue;
        }
        unknown += 1;
        let instruction = Instruction {
            op: code,
            ..Instruction::default()
        };
        Scene::of(instruction, SMALL).check(&mut court, |scene| scene.header.pc = PC_TRAP);
    }
    assert_eq!(unknown, 256 - Op::ALL.len() + high.len());
}
