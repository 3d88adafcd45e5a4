// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @dev The structs of docs/step-machine.md section 3 as they are hashed: every member is one 32-byte word, the tag
/// first, so that a struct in memory is its own preimage.

/// @notice What every step shows of a running state.
struct Header {
    bytes32 tag;
    bytes32 codeRoot;
    bytes32 stackHash;
    bytes32 localsRoot;
    bytes32 memoryRoot;
    bytes32 restHash;
    uint256 word;
}

/// @notice What calls, globals and the host need besides.
struct Rest {
    bytes32 tag;
    bytes32 framesHash;
    bytes32 globalsRoot;
    bytes32 tableRoot;
    bytes32 ioHash;
    uint256 word;
}

/// @notice The output so far, and the word that host instructions hand to each other.
struct Io {
    bytes32 tag;
    bytes32 outputRoot;
    bytes32 scratch;
    bytes32 envHash;
    uint256 outputLength;
}

/// @notice What a unit's leaf and deal fix for its whole run.
struct Env {
    bytes32 tag;
    bytes32 inputRoot;
    bytes32 unitSeed;
    uint256 word;
    uint256 clockStart;
}

using MachineState for Header global;
using MachineState for Rest global;
using MachineState for Io global;
using MachineState for Env global;

/// @title MachineState
/// @notice Reading, hashing and the packed words of the machine's structs.
library MachineState {
    uint256 internal constant HEADER_BYTES = 192;
    uint256 internal constant REST_BYTES = 160;
    uint256 internal constant IO_BYTES = 128;
    uint256 internal constant ENV_BYTES = 128;
    uint256 internal constant HALTED_BYTES = 53;

    /// @dev `pc` of a machine that has trapped, or whose CU are exhausted: outside every code.
    uint256 internal constant PC_TRAP = 0xffffffff;
    uint256 internal constant PC_EXHAUSTED = 0xfffffffe;

    uint256 internal constant STATUS_EXIT = 0;
    uint256 internal constant STATUS_TRAP = 1;
    uint256 internal constant STATUS_EXHAUSTED = 2;

    bytes32 internal constant TAG_RUNNING = keccak256("gio.machine.running.v1");
    bytes32 internal constant TAG_REST = keccak256("gio.machine.rest.v1");
    bytes32 internal constant TAG_IO = keccak256("gio.machine.io.v1");
    bytes32 internal constant TAG_ENV = keccak256("gio.machine.env.v1");
    bytes32 private constant TAG_FRAME = keccak256("gio.machine.frame.v1");
    bytes32 private constant TAG_HALTED = keccak256("gio.machine.halted.v1");

    uint256 private constant U32 = 0xffffffff;
    uint256 private constant U64 = 0xffffffffffffffff;
    uint256 private constant U24 = 0xffffff;

    /* HEADER: pc u32, stackLen u32, pages0 u24, pages1 u24, codeDepth u8, memoryDepth u8, cu u64, cuLimit u64 */

    function readHeader(uint256 cursor) internal pure returns (Header memory header) {
        header.tag = TAG_RUNNING;
        assembly ("memory-safe") {
            calldatacopy(add(header, 32), cursor, 192)
        }
    }

    function hash(Header memory header) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            result := keccak256(header, 224)
        }
    }

    function pc(Header memory header) internal pure returns (uint256) {
        return header.word >> 224;
    }

    function stackLen(Header memory header) internal pure returns (uint256) {
        return (header.word >> 192) & U32;
    }

    /// @dev Pages of a memory, 0 or 1.
    function pages(Header memory header, uint256 which) internal pure returns (uint256) {
        return (header.word >> (which == 0 ? 168 : 144)) & U24;
    }

    function codeDepth(Header memory header) internal pure returns (uint256) {
        return (header.word >> 136) & 0xff;
    }

    function memoryDepth(Header memory header) internal pure returns (uint256) {
        return (header.word >> 128) & 0xff;
    }

    function cu(Header memory header) internal pure returns (uint256) {
        return (header.word >> 64) & U64;
    }

    function cuLimit(Header memory header) internal pure returns (uint256) {
        return header.word & U64;
    }

    function setPc(Header memory header, uint256 value) internal pure {
        header.word = (header.word & ~(U32 << 224)) | (value << 224);
    }

    function setStackLen(Header memory header, uint256 value) internal pure {
        header.word = (header.word & ~(U32 << 192)) | (value << 192);
    }

    function addPages(Header memory header, uint256 which, uint256 more) internal pure {
        unchecked {
            // The sum is at most pagesMax, which has 24 bits.
            header.word += more << (which == 0 ? 168 : 144);
        }
    }

    function setCu(Header memory header, uint256 value) internal pure {
        header.word = (header.word & ~(U64 << 64)) | (value << 64);
    }

    /* REST: zero 12, callDepth u32, slots u32, tableSize u32, tableDepth u8, zero 7 */

    function readRest(uint256 cursor) internal pure returns (Rest memory rest) {
        rest.tag = TAG_REST;
        assembly ("memory-safe") {
            calldatacopy(add(rest, 32), cursor, 160)
        }
    }

    function hash(Rest memory rest) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            result := keccak256(rest, 192)
        }
    }

    function callDepth(Rest memory rest) internal pure returns (uint256) {
        return (rest.word >> 128) & U32;
    }

    function slots(Rest memory rest) internal pure returns (uint256) {
        return (rest.word >> 96) & U32;
    }

    function tableSize(Rest memory rest) internal pure returns (uint256) {
        return (rest.word >> 64) & U32;
    }

    function tableDepth(Rest memory rest) internal pure returns (uint256) {
        return (rest.word >> 56) & 0xff;
    }

    function setCallDepth(Rest memory rest, uint256 value) internal pure {
        rest.word = (rest.word & ~(U32 << 128)) | (value << 128);
    }

    function setSlots(Rest memory rest, uint256 value) internal pure {
        rest.word = (rest.word & ~(U32 << 96)) | (value << 96);
    }

    /* IO AND ENV: zero 8, inputDepth u8, outputDepth u8, pagesMax0 u24, pagesMax1 u24, inputLength u64, outputMax u64 */

    function readIo(uint256 cursor) internal pure returns (Io memory io) {
        io.tag = TAG_IO;
        assembly ("memory-safe") {
            calldatacopy(add(io, 32), cursor, 128)
        }
    }

    function hash(Io memory io) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            result := keccak256(io, 160)
        }
    }

    function readEnv(uint256 cursor) internal pure returns (Env memory env) {
        env.tag = TAG_ENV;
        assembly ("memory-safe") {
            calldatacopy(add(env, 32), cursor, 128)
        }
    }

    function hash(Env memory env) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            result := keccak256(env, 160)
        }
    }

    function inputDepth(Env memory env) internal pure returns (uint256) {
        return (env.word >> 184) & 0xff;
    }

    function outputDepth(Env memory env) internal pure returns (uint256) {
        return (env.word >> 176) & 0xff;
    }

    function pagesMax(Env memory env, uint256 which) internal pure returns (uint256) {
        return (env.word >> (which == 0 ? 152 : 128)) & U24;
    }

    function inputLength(Env memory env) internal pure returns (uint256) {
        return (env.word >> 64) & U64;
    }

    function outputMax(Env memory env) internal pure returns (uint256) {
        return env.word & U64;
    }

    /* CHAINS AND ENDS */

    /// @dev The chain of frames with one more on top; `place` is `returnPc · 2^32 + slots`.
    function frameHash(bytes32 below, bytes32 localsRoot, uint256 place) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_FRAME, below, localsRoot, place));
    }

    /// @dev The operand stack with one more slot on top.
    function push(bytes32 stack, uint256 slot) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            mstore(0, stack)
            mstore(32, slot)
            result := keccak256(0, 64)
        }
    }

    function haltedHash(uint256 status, uint256 exitCode, uint256 cu_, Io memory io) internal pure returns (bytes32) {
        // forge-lint: disable-start(unsafe-typecast)
        return keccak256(
            abi.encodePacked(
                TAG_HALTED, uint8(status), uint32(exitCode), uint64(cu_), io.outputRoot, uint64(io.outputLength)
            )
        ); // each comes from a field of its width
        // forge-lint: disable-end(unsafe-typecast)
    }

    /// @dev Hash of a halted state from its 53 bytes.
    function haltedHash(bytes calldata halted) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(TAG_HALTED, halted));
    }
}
