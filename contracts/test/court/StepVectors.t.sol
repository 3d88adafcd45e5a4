// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {FloatVerifier} from "src/court/FloatVerifier.sol";
import {DealDepths, InitialState, ProgramHeader, UnitLimits} from "src/court/InitialState.sol";
import {IStepVerifier} from "src/court/IStepVerifier.sol";
import {Leaves} from "src/court/Leaves.sol";
import {MachineState} from "src/court/MachineState.sol";
import {StepVerifier} from "src/court/StepVerifier.sol";

/// @notice The encodings and hashes of docs/step-machine.md against `tests/vectors/step-machine.json`, which Rust checks
/// too. Steps themselves are compared with Rust in `verifier/machine/tests/court`.
contract StepVectorsTest is Test {
    string private json;
    StepVerifier private verifier;

    function setUp() public {
        json = vm.readFile("../tests/vectors/step-machine.json");
        verifier = new StepVerifier(new FloatVerifier());
    }

    function test_zeros() public view {
        bytes32[] memory zeros = vm.parseJsonBytes32Array(json, ".zeros");
        assertEq(zeros.length, 33);
        for (uint256 depth = 0; depth < zeros.length; ++depth) {
            assertEq(Leaves.emptyRoot(depth), zeros[depth]);
        }
    }

    function test_chains() public view {
        for (uint256 i = 0; i < 3; ++i) {
            string memory path = string.concat(".chains.stack[", vm.toString(i), "]");
            uint256 slot = vm.parseJsonUint(json, string.concat(path, ".slot"));
            bytes32 expected = vm.parseJsonBytes32(json, string.concat(path, ".hash"));
            assertEq(MachineState.push(keccak256("stack"), slot), expected);
        }
        bytes32 frame = MachineState.frameHash(keccak256("frames"), keccak256("locals"), 0x0102030405060708);
        assertEq(frame, vm.parseJsonBytes32(json, ".chains.frame"));
    }

    function test_halted_states_stay() public view {
        for (uint256 i = 0; i < 3; ++i) {
            string memory path = string.concat(".halted[", vm.toString(i), "]");
            bytes memory halted = vm.parseJsonBytes(json, string.concat(path, ".bytes"));
            (bytes32 before, bytes32 next) = verifier.step(halted);
            assertEq(before, vm.parseJsonBytes32(json, string.concat(path, ".hash")));
            assertEq(next, before);
        }
    }

    function test_initial_states() public view {
        for (uint256 i = 0; i < 2; ++i) {
            string memory path = string.concat(".initial[", vm.toString(i), "]");
            (ProgramHeader memory p, UnitLimits memory u, DealDepths memory d) = _initial(path);
            assertEq(InitialState.programRoot(p), vm.parseJsonBytes32(json, string.concat(path, ".program.root")));
            assertTrue(InitialState.isWithinBounds(p, u, d));
            assertEq(InitialState.stateHash(p, u, d), vm.parseJsonBytes32(json, string.concat(path, ".hash")));
        }
    }

    function test_r20_units_outside_the_bounds() public view {
        (ProgramHeader memory p, UnitLimits memory u, DealDepths memory d) = _initial(".initial[0]");
        p.version = 0;
        assertFalse(InitialState.isWithinBounds(p, u, d));
        (p.version, p.codeDepth) = (1, 0);
        assertFalse(InitialState.isWithinBounds(p, u, d));
        p.codeDepth = 21;
        assertFalse(InitialState.isWithinBounds(p, u, d));
        (p.codeDepth, p.tableDepth) = (20, 18);
        assertFalse(InitialState.isWithinBounds(p, u, d));
        (p.tableDepth, p.tableSize) = (7, 513);
        assertFalse(InitialState.isWithinBounds(p, u, d));
        (p.tableDepth, u.cuLimit) = (17, 1);
        assertFalse(InitialState.isWithinBounds(p, u, d));
        u.cuLimit = (1 << 45) + 1;
        assertFalse(InitialState.isWithinBounds(p, u, d));
        (u.cuLimit, u.pagesMax) = (1 << 45, 1);
        assertFalse(InitialState.isWithinBounds(p, u, d));
        u.pagesMax = 65_537;
        assertFalse(InitialState.isWithinBounds(p, u, d));
        (u.pagesMax, d.inputDepth) = (65_536, 27);
        assertFalse(InitialState.isWithinBounds(p, u, d));
        (d.inputDepth, d.outputDepth) = (26, 10);
        assertFalse(InitialState.isWithinBounds(p, u, d));
        (d.outputDepth, p.pages1) = (26, 65_536);
        assertFalse(InitialState.isWithinBounds(p, u, d));
        p.pages1 = 1;
        assertTrue(InitialState.isWithinBounds(p, u, d));
    }

    function test_proofs_of_no_step_are_refused() public {
        vm.expectRevert(abi.encodeWithSelector(IStepVerifier.ProofInvalid.selector, IStepVerifier.Fault.Status));
        verifier.step(abi.encodePacked(uint8(3), new bytes(52)));
        vm.expectRevert(abi.encodeWithSelector(IStepVerifier.ProofInvalid.selector, IStepVerifier.Fault.Length));
        verifier.step("");
    }

    function _initial(string memory path)
        private
        view
        returns (ProgramHeader memory p, UnitLimits memory u, DealDepths memory d)
    {
        p.codeRoot = _word(path, ".program.code_root");
        p.memoryRoot0 = _word(path, ".program.memory_roots[0]");
        p.memoryRoot1 = _word(path, ".program.memory_roots[1]");
        p.globalsRoot = _word(path, ".program.globals_root");
        p.tableRoot = _word(path, ".program.table_root");
        p.version = 1;
        p.entryPc = uint32(_number(path, ".program.entry_pc"));
        p.pages0 = uint24(_number(path, ".program.pages[0]"));
        p.pages1 = uint24(_number(path, ".program.pages[1]"));
        p.tableSize = uint32(_number(path, ".program.table_size"));
        p.codeDepth = uint8(_number(path, ".program.code_depth"));
        p.tableDepth = uint8(_number(path, ".program.table_depth"));
        u.inputRoot = _word(path, ".unit.input_root");
        u.inputLength = uint64(_number(path, ".unit.input_length"));
        u.cuLimit = uint64(_number(path, ".unit.cu_limit"));
        u.pagesMax = uint32(_number(path, ".unit.pages_max"));
        u.outputMax = uint64(_number(path, ".unit.output_max"));
        u.unitSeed = _word(path, ".unit.unit_seed");
        d.inputDepth = uint8(_number(path, ".deal.input_depth"));
        d.outputDepth = uint8(_number(path, ".deal.output_depth"));
        d.clockStart = uint64(_number(path, ".deal.clock_start"));
    }

    function _word(string memory path, string memory field) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(path, field));
    }

    function _number(string memory path, string memory field) private view returns (uint256) {
        return vm.parseJsonUint(json, string.concat(path, field));
    }
}
