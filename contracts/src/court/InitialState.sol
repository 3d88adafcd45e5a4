// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Leaves} from "./Leaves.sol";
import {MachineState} from "./MachineState.sol";

/// @notice The preimage of a program root (docs/step-machine.md section 8).
struct ProgramHeader {
    bytes32 codeRoot;
    bytes32 memoryRoot0;
    bytes32 memoryRoot1;
    bytes32 globalsRoot;
    bytes32 tableRoot;
    uint32 version;
    uint32 entryPc;
    uint24 pages0;
    uint24 pages1;
    uint32 tableSize;
    uint8 codeDepth;
    uint8 tableDepth;
}

/// @notice What a unit's leaf says of a run.
struct UnitLimits {
    bytes32 inputRoot;
    uint64 inputLength;
    uint64 cuLimit;
    uint32 pagesMax;
    uint64 outputMax;
    bytes32 unitSeed;
}

/// @notice What a deal says of all its runs.
struct DealDepths {
    uint8 inputDepth;
    uint8 outputDepth;
    uint64 clockStart;
}

/// @title InitialState
/// @notice From a program and a unit to the hash of the state its run begins with (docs/step-machine.md section 9). A
/// court computes it here and takes it from nobody.
/// @dev No field is wider than the machine's own, so that packing needs no masks; sums are of at most 64 bits and are
/// made in 256.
library InitialState {
    uint256 internal constant VERSION = 1;
    uint256 internal constant CU_LIMIT_MAX = 1 << 45;
    uint256 internal constant PAGES_MAX = 1 << 16;
    uint256 internal constant IO_DEPTH_MAX = 26;
    uint256 internal constant CODE_DEPTH_MAX = 20;
    uint256 internal constant TABLE_DEPTH_MAX = 17;

    /// @dev CU of the initial state: they pay for the charge that exhausts and for the step that halts (R20).
    uint256 internal constant START_CU = 2;

    bytes32 private constant TAG_PROGRAM = keccak256("gio.machine.program.v1");

    /// @dev Levels of the tree over one page.
    uint256 private constant PAGE_DEPTH = 11;
    uint256 private constant PAGE_BYTES = 65_536;
    /// @dev Room of the shim beside the output, for 65,535 input files with short names.
    uint256 private constant SHIM_PAGES_SPARE = 256;

    /// @notice The program root.
    function programRoot(ProgramHeader memory p) internal pure returns (bytes32) {
        bytes32 word = bytes32(
            abi.encodePacked(
                bytes8(0), p.version, p.entryPc, p.pages0, p.pages1, p.tableSize, p.codeDepth, p.tableDepth, bytes4(0)
            )
        );
        return
            keccak256(
                abi.encode(TAG_PROGRAM, p.codeRoot, p.memoryRoot0, p.memoryRoot1, p.globalsRoot, p.tableRoot, word)
            );
    }

    /// @notice Whether a machine can run the unit at all; one that none can is worth zero (R20).
    function isWithinBounds(ProgramHeader memory p, UnitLimits memory u, DealDepths memory d)
        internal
        pure
        returns (bool)
    {
        if (p.version != VERSION || p.codeDepth == 0 || p.codeDepth > CODE_DEPTH_MAX) return false;
        if (p.tableDepth > TABLE_DEPTH_MAX || p.tableSize > 4 << p.tableDepth) return false;
        if (u.cuLimit < START_CU || u.cuLimit > CU_LIMIT_MAX) return false;
        if (u.pagesMax < p.pages0 || u.pagesMax > PAGES_MAX) return false;
        if (d.inputDepth > IO_DEPTH_MAX || d.outputDepth > IO_DEPTH_MAX) return false;
        if (u.inputLength > 32 << d.inputDepth || u.outputMax > 32 << d.outputDepth) return false;
        return shimPagesMax(p, u) <= PAGES_MAX;
    }

    /// @notice Greatest pages of the shim's memory: what it begins with, and room for the output.
    function shimPagesMax(ProgramHeader memory p, UnitLimits memory u) internal pure returns (uint256) {
        return p.pages1 + 2 * Math.ceilDiv(u.outputMax, PAGE_BYTES) + SHIM_PAGES_SPARE;
    }

    /// @notice Hash of the initial state of a unit within the bounds.
    function stateHash(ProgramHeader memory p, UnitLimits memory u, DealDepths memory d)
        internal
        pure
        returns (bytes32)
    {
        (uint256 memoryDepth, bytes32 memoryRoot) = memory_(p, u);
        // Depths and pages have bounds that fit their fields.
        // forge-lint: disable-next-item(unsafe-typecast)
        bytes32 word = bytes32(
            abi.encodePacked(
                p.entryPc, uint32(0), p.pages0, p.pages1, p.codeDepth, uint8(memoryDepth), uint64(START_CU), u.cuLimit
            )
        );
        return keccak256(
            abi.encode(
                MachineState.TAG_RUNNING, p.codeRoot, bytes32(0), bytes32(0), memoryRoot, restHash(p, u, d), word
            )
        );
    }

    function restHash(ProgramHeader memory p, UnitLimits memory u, DealDepths memory d) private pure returns (bytes32) {
        bytes32 word = bytes32(abi.encodePacked(bytes20(0), p.tableSize, p.tableDepth, bytes7(0)));
        bytes32 ioHash = keccak256(
            abi.encode(MachineState.TAG_IO, Leaves.emptyRoot(d.outputDepth), bytes32(0), envHash(p, u, d), uint256(0))
        );
        return keccak256(abi.encode(MachineState.TAG_REST, bytes32(0), p.globalsRoot, p.tableRoot, ioHash, word));
    }

    function envHash(ProgramHeader memory p, UnitLimits memory u, DealDepths memory d) private pure returns (bytes32) {
        // Both are at most 65,536.
        // forge-lint: disable-next-item(unsafe-typecast)
        bytes32 word = bytes32(
            abi.encodePacked(
                bytes8(0),
                d.inputDepth,
                d.outputDepth,
                uint24(u.pagesMax),
                uint24(shimPagesMax(p, u)),
                u.inputLength,
                u.outputMax
            )
        );
        return keccak256(abi.encode(MachineState.TAG_ENV, u.inputRoot, u.unitSeed, word, uint256(d.clockStart)));
    }

    /// @dev Depth and root of the memory tree: both memories, each extended with zeros to half of it.
    function memory_(ProgramHeader memory p, UnitLimits memory u) private pure returns (uint256, bytes32) {
        uint256 half = Math.max(pageDepth(u.pagesMax), pageDepth(shimPagesMax(p, u)));
        bytes32 first = extend(p.memoryRoot0, pageDepth(p.pages0), half);
        bytes32 second = extend(p.memoryRoot1, pageDepth(p.pages1), half);
        return (half + 1, MachineState.push(first, uint256(second)));
    }

    function pageDepth(uint256 pages) private pure returns (uint256) {
        return PAGE_DEPTH + (pages < 2 ? 0 : Math.log2(pages - 1) + 1);
    }

    function extend(bytes32 root, uint256 from, uint256 to) private pure returns (bytes32) {
        for (uint256 level = from; level < to; ++level) {
            root = MachineState.push(root, uint256(Leaves.emptyRoot(level)));
        }
        return root;
    }
}
