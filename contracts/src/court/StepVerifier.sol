// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Alu} from "./Alu.sol";
import {IFloatVerifier} from "./IFloatVerifier.sol";
import {IStepVerifier} from "./IStepVerifier.sol";
import {Leaves} from "./Leaves.sol";
import {Env, Header, Io, MachineState, Rest} from "./MachineState.sol";

/// @title StepVerifier
/// @notice See {IStepVerifier}; docs/step-machine.md is normative, `verifier/machine/src/mirror` is the same in Rust.
contract StepVerifier is IStepVerifier {
    /* TYPES */

    /// @dev One step under way. `cursor` is where the next part of the proof begins, `end` where the proof does.
    struct Step {
        Header header;
        uint256 cursor;
        uint256 end;
        uint256 op;
        uint256 a;
        uint256 b;
        uint256 imm;
        uint256 x;
        uint256 y;
        uint256 z;
        bytes32 base;
        uint256 shape;
        uint256 pops;
        uint256 pushes;
        uint256 result;
        uint256 pc;
    }

    /// @dev How a step ends: with the next state, in a trap, out of CU, or with a halted state.
    enum End {
        Next,
        Trap,
        Exhausted,
        Halted
    }

    /* CONSTANTS */

    uint256 private constant U32 = 0xffffffff;
    uint256 private constant U64 = 0xffffffffffffffff;

    /// @dev Deepest tree of locals or globals.
    uint256 private constant SLOT_DEPTH_MAX = 12;
    /// @dev What all frames on the call stack may cost together.
    uint256 private constant STACK_SLOTS_MAX = 2_097_152;
    uint256 private constant GROW_CU_PER_PAGE = 1024;
    uint256 private constant PAGES_MAX = 65_536;

    /// @dev 1 in every byte of a word.
    uint256 private constant EVERY_BYTE = type(uint256).max / 255;
    bytes32 private constant TAG_RANDOM = keccak256("gio.random.v1");

    /// @dev What a proof holds (docs/step-machine.md section 7).
    uint256 private constant STACK = 1;
    uint256 private constant FLOAT = 2;
    uint256 private constant LOCAL = 3;
    uint256 private constant GLOBAL = 4;
    uint256 private constant LOAD = 5;
    uint256 private constant STORE = 6;
    uint256 private constant FRAME = 7;
    uint256 private constant RETURN = 8;
    uint256 private constant INDIRECT = 9;
    uint256 private constant GROW = 10;
    uint256 private constant COPY = 11;
    uint256 private constant FILL = 12;

    /// @dev A byte per operation, 32 in a row: class · 16 + pops · 4 + pushes, zero for numbers that name none. A test
    /// compares them with the list in Rust.
    uint256 private constant SHAPES_0 = 0x1000000000000000000000000000008070940000000000000000141d19000000;
    uint256 private constant SHAPES_1 = 0x3134354144000000555555555555555555555555555568686868686868686811;
    uint256 private constant SHAPES_2 = 0xa511000000151919191919191919191915191919191919191919192929292929;
    uint256 private constant SHAPES_3 = 0x2929292929292915151519191919191919191919191919191915151519191919;
    uint256 private constant SHAPES_4 = 0x1919191919191919191919151525252525252929292929291915152525252525;
    uint256 private constant SHAPES_5 = 0x2929292929291915252525251515252525252525252525252525252515151515;
    uint256 private constant SHAPES_6 = 0x1515151515000000252525252525252500000000000000000000000000000000;
    uint256 private constant SHAPES_7 = 0x1014141470101515bccc000000000000d4d1d4d4d4d4d4d40000000000000000;

    /* IMMUTABLES */

    IFloatVerifier private immutable FLOATS;

    /* CONSTRUCTOR */

    /// @param floats_ The deployed float unit.
    constructor(IFloatVerifier floats_) {
        FLOATS = floats_;
    }

    /* THE STEP */

    /// @inheritdoc IStepVerifier
    function step(bytes calldata proof) external view returns (bytes32 before, bytes32 next) {
        if (proof.length == MachineState.HALTED_BYTES) {
            if (uint8(proof[0]) > MachineState.STATUS_EXHAUSTED) revert ProofInvalid(Fault.Status);
            before = MachineState.haltedHash(proof);
            return (before, before);
        }
        Step memory s;
        assembly ("memory-safe") {
            mstore(add(s, 0x20), proof.offset)
            mstore(add(s, 0x40), add(proof.offset, proof.length))
        }
        s.header = MachineState.readHeader(s.cursor);
        s.cursor += MachineState.HEADER_BYTES;
        before = s.header.hash();
        next = s.header.pc() >> (s.header.codeDepth() + 1) != 0 ? _halt(s) : _proceed(s);
        if (s.cursor != s.end) revert ProofInvalid(Fault.Length);
    }

    /// @dev A `pc` outside the code halts the machine.
    function _halt(Step memory s) private pure returns (bytes32) {
        (, Io memory io) = _io(s);
        bool exhausted = s.header.pc() == MachineState.PC_EXHAUSTED;
        uint256 status = exhausted ? MachineState.STATUS_EXHAUSTED : MachineState.STATUS_TRAP;
        return MachineState.haltedHash(status, 0, s.header.cu(), io);
    }

    function _proceed(Step memory s) private view returns (bytes32) {
        Header memory header = s.header;
        End end = _fetch(s) ? _execute(s) : End.Trap;
        if (end == End.Next) {
            bytes32 stack = s.base;
            if (s.pushes == 1) {
                stack = MachineState.push(stack, s.result);
            } else if (s.pushes == 3) {
                stack = MachineState.push(MachineState.push(MachineState.push(stack, s.x), s.y), s.z);
            }
            header.stackHash = stack;
            header.setStackLen(header.stackLen() - s.pops + s.pushes);
            header.setPc(s.pc);
        } else if (end == End.Trap) {
            header.setPc(MachineState.PC_TRAP);
        } else if (end == End.Exhausted) {
            header.setPc(MachineState.PC_EXHAUSTED);
            header.setCu(header.cuLimit());
        } else {
            return bytes32(s.result);
        }
        return header.hash();
    }

    /// @dev Reads the instruction and its operands; answers false if it is unknown or the stack does not fit it.
    function _fetch(Step memory s) private pure returns (bool) {
        unchecked {
            Header memory header = s.header;
            uint256 pc = header.pc();
            uint256 depth = header.codeDepth();
            uint256 leaf = Leaves.word(s.cursor);
            (bytes32 root,) = Leaves.rootOf(leaf, pc >> 1, s.cursor + 32, depth);
            if (root != header.codeRoot) revert ProofInvalid(Fault.Code);
            s.cursor += 32 + (depth << 5);
            leaf = pc & 1 == 0 ? leaf >> 128 : leaf & type(uint128).max;
            s.op = leaf >> 112;
            s.a = (leaf >> 96) & 0xffff;
            s.b = (leaf >> 64) & U32;
            s.imm = leaf & U64;
            s.pc = pc + 1;
            s.shape = _shape(s.op);
            s.pops = (s.shape >> 2) & 3;
            s.pushes = s.shape & 3;
            uint256 length = header.stackLen();
            if (s.shape == 0 || length < s.pops || length - s.pops + s.pushes > U32) return false;
            _operands(s);
            return true;
        }
    }

    /// @dev Class, pops and pushes of an operation; zero if there is none.
    function _shape(uint256 op) private pure returns (uint256) {
        unchecked {
            if (op > 0xff) return 0;
            uint256 row;
            if (op < 0x80) {
                if (op < 0x40) row = op < 0x20 ? SHAPES_0 : SHAPES_1;
                else row = op < 0x60 ? SHAPES_2 : SHAPES_3;
            } else {
                if (op < 0xc0) row = op < 0xa0 ? SHAPES_4 : SHAPES_5;
                else row = op < 0xe0 ? SHAPES_6 : SHAPES_7;
            }
            return (row >> ((31 - (op & 31)) << 3)) & 0xff;
        }
    }

    /// @dev The popped slots, pushed onto the base again, must make the stack.
    function _operands(Step memory s) private pure {
        unchecked {
            uint256 packed = Leaves.word(s.cursor + 32) >> 64;
            uint256 unused = (3 - s.pops) << 6;
            if (packed & ((1 << unused) - 1) != 0) revert ProofInvalid(Fault.Slots);
            s.base = bytes32(Leaves.word(s.cursor));
            s.cursor += 56;
            s.x = packed >> 128;
            s.y = (packed >> 64) & U64;
            s.z = packed & U64;
            bytes32 stack = s.base;
            if (s.pops > 0) stack = MachineState.push(stack, s.x);
            if (s.pops > 1) stack = MachineState.push(stack, s.y);
            if (s.pops > 2) stack = MachineState.push(stack, s.z);
            if (stack != s.header.stackHash) revert ProofInvalid(Fault.Stack);
        }
    }

    function _execute(Step memory s) private view returns (End) {
        uint256 class = s.shape >> 4;
        if (class == STACK) return _stack(s);
        if (class == LOAD) return _load(s);
        if (class == STORE) return _store(s);
        if (class == LOCAL) return _local(s);
        if (class == FLOAT) return _float(s);
        if (class == GLOBAL) return _global(s);
        if (class == FRAME) return s.op == 0xe4 ? _enter(s) : _call(s);
        if (class == RETURN) return _return(s);
        if (class == INDIRECT) return _callIndirect(s);
        if (class == GROW) return _grow(s);
        if (class == COPY) return _copy(s);
        if (class == FILL) return _fill(s);
        return _host(s);
    }

    /* STACK, CONTROL, METERING */

    function _stack(Step memory s) private pure returns (End) {
        uint256 op = s.op;
        if (op >= 0x45 && op < 0xc5) {
            bool trap;
            (s.result, trap) = Alu.run(op, s.x, s.y);
            return trap ? End.Trap : End.Next;
        }
        if (op == 0x41) {
            s.result = s.imm;
        } else if (op >= 0xe5) {
            return _charge(s);
        } else if (op >= 0xe0) {
            return _jump(s);
        } else if (op == 0x1b) {
            s.result = s.z & U32 != 0 ? s.x : s.y;
        } else if (op == 0x1c) {
            s.result = s.y;
        } else if (op == 0x3f) {
            s.result = s.header.pages(s.a & 1);
        } else if (op == 0) {
            return End.Trap;
        }
        return End.Next; // 0x1a drop
    }

    function _jump(Step memory s) private pure returns (End) {
        unchecked {
            uint256 x = s.x & U32;
            if (s.op == 0xe3) {
                s.pc += x < s.b ? x : s.b;
                return s.pc > U32 ? End.Trap : End.Next;
            }
            if (s.op == 0xe0 || (s.op == 0xe1) == (x != 0)) s.pc = s.b;
            return End.Next;
        }
    }

    function _charge(Step memory s) private pure returns (End) {
        unchecked {
            uint256 n = s.x & U32;
            if (s.op == 0xe5) n = s.imm;
            else if (s.op == 0xe6) n = (n + 7) >> 3;
            else n = GROW_CU_PER_PAGE * (n < PAGES_MAX ? n : PAGES_MAX);
            s.result = s.x;
            uint256 cu = s.header.cu() + n;
            if (cu > s.header.cuLimit()) return End.Exhausted;
            s.header.setCu(cu);
            return End.Next;
        }
    }

    function _float(Step memory s) private view returns (End) {
        bool trap;
        (s.result, trap) = FLOATS.compute(s.op, s.x, s.y);
        return trap ? End.Trap : End.Next;
    }

    /* LOCALS AND GLOBALS */

    function _local(Step memory s) private pure returns (End) {
        if (!_slotFits(s)) return End.Trap;
        s.header.localsRoot = _slot(s, s.header.localsRoot, Fault.Locals);
        return End.Next;
    }

    function _global(Step memory s) private pure returns (End) {
        if (!_slotFits(s)) return End.Trap;
        Rest memory rest = _rest(s);
        rest.globalsRoot = _slot(s, rest.globalsRoot, Fault.Globals);
        s.header.restHash = rest.hash();
        return End.Next;
    }

    function _slotFits(Step memory s) private pure returns (bool) {
        return s.a <= SLOT_DEPTH_MAX && s.b >> 2 >> s.a == 0;
    }

    /// @dev Reads or writes slot `b` of a tree of depth `a`; answers the root it has then.
    function _slot(Step memory s, bytes32 expected, Fault fault) private pure returns (bytes32) {
        uint256 leaf = Leaves.word(s.cursor);
        if (s.op == 0x20 || s.op == 0x23) {
            s.result = Leaves.slot(leaf, s.b);
            _openLeaf(s, expected, s.b >> 2, s.a, fault);
            return expected;
        }
        s.result = s.x;
        return _writeLeaf(s, expected, s.b >> 2, s.a, Leaves.withSlot(leaf, s.b, s.x), fault);
    }

    /* CALLS */

    function _enter(Step memory s) private pure returns (End) {
        Rest memory rest = _rest(s);
        uint256 slots = rest.slots() + s.b;
        if (s.a > SLOT_DEPTH_MAX || slots > STACK_SLOTS_MAX) return End.Trap;
        rest.setSlots(slots);
        s.header.localsRoot = Leaves.emptyRoot(s.a);
        s.header.restHash = rest.hash();
        return End.Next;
    }

    function _call(Step memory s) private pure returns (End) {
        Rest memory rest = _rest(s);
        if (rest.callDepth() == U32) return End.Trap;
        _pushFrame(s, rest, s.b);
        return End.Next;
    }

    function _callIndirect(Step memory s) private pure returns (End) {
        Rest memory rest = _rest(s);
        uint256 index = s.x & U32;
        if (rest.callDepth() == U32 || index >= rest.tableSize()) return End.Trap;
        uint256 element = Leaves.slot(_openLeaf(s, rest.tableRoot, index >> 2, rest.tableDepth(), Fault.Table), index);
        if (element >> 32 != s.b || s.b == 0) return End.Trap;
        _pushFrame(s, rest, element & U32);
        return End.Next;
    }

    function _pushFrame(Step memory s, Rest memory rest, uint256 target) private pure {
        rest.framesHash = MachineState.frameHash(rest.framesHash, s.header.localsRoot, (s.pc << 32) | rest.slots());
        rest.setCallDepth(rest.callDepth() + 1);
        s.header.restHash = rest.hash();
        s.pc = target;
    }

    function _return(Step memory s) private pure returns (End) {
        Rest memory rest = _rest(s);
        uint256 depth = rest.callDepth();
        if (depth == 0) return End.Trap;
        bytes32 below = bytes32(Leaves.word(s.cursor));
        bytes32 localsRoot = bytes32(Leaves.word(s.cursor + 32));
        uint256 place = Leaves.word(s.cursor + 64) >> 192;
        s.cursor += 72;
        if (MachineState.frameHash(below, localsRoot, place) != rest.framesHash) revert ProofInvalid(Fault.Frame);
        rest.framesHash = below;
        rest.setCallDepth(depth - 1);
        rest.setSlots(place & U32);
        s.header.restHash = rest.hash();
        s.header.localsRoot = localsRoot;
        s.pc = place >> 32;
        return End.Next;
    }

    /* MEMORY */

    function _load(Step memory s) private pure returns (End) {
        unchecked {
            uint256 width = (0x48481122112244 >> ((0x35 - s.op) << 2)) & 15;
            uint256 address_ = (s.x & U32) + s.b;
            if (!_inside(s, s.a, address_, width)) return End.Trap;
            uint256 offset = address_ & 31;
            uint256 value = _readLeaf(s, s.a, address_) << (offset << 3);
            if (offset + width > 32) value |= _readLeaf(s, s.a, address_ + 32) >> ((32 - offset) << 3);
            value = Leaves.swap(value >> 192) & ((1 << (width << 3)) - 1);
            // From 0x2c on the even ones extend the sign: two of them to 32 bits, the others to 64.
            bool signs = s.op >= 0x2c && s.op & 1 == 0;
            s.result = signs ? Alu.extend(value, width << 3, s.op < 0x30 ? 32 : 64) : value;
            return End.Next;
        }
    }

    function _store(Step memory s) private pure returns (End) {
        unchecked {
            uint256 width = (0x484812124 >> ((0x3e - s.op) << 2)) & 15;
            uint256 address_ = (s.x & U32) + s.b;
            if (!_inside(s, s.a, address_, width)) return End.Trap;
            uint256 offset = address_ & 31;
            // The low bytes of the value, in the order of memory, in front of a word.
            uint256 value = Leaves.swap(s.y) << 192;
            uint256 first = offset + width > 32 ? 32 - offset : width;
            uint256 leaf = Leaves.withBytes(Leaves.word(s.cursor), offset, first, value);
            s.header.memoryRoot = _rewriteLeaf(s, s.a, address_, leaf);
            if (first < width) {
                leaf = Leaves.withBytes(Leaves.word(s.cursor), 0, width - first, value << (first << 3));
                s.header.memoryRoot = _rewriteLeaf(s, s.a, address_ + 32, leaf);
            }
            return End.Next;
        }
    }

    function _grow(Step memory s) private pure returns (End) {
        unchecked {
            (, Io memory io) = _io(s);
            Env memory env = _env(s, io);
            uint256 which = s.a & 1;
            uint256 more = s.x & U32;
            uint256 old = s.header.pages(which);
            if (old + more > env.pagesMax(which)) {
                s.result = U32;
            } else {
                s.result = old;
                s.header.addPages(which, more);
            }
            return End.Next;
        }
    }

    /// @dev Moves one chunk and stays until nothing is left.
    function _copy(Step memory s) private pure returns (End) {
        unchecked {
            (uint256 to, uint256 from, uint256 n) = (s.x & U32, s.y & U32, s.z & U32);
            if (!_inside(s, s.a, to, n) || !_inside(s, s.a >> 1, from, n)) return End.Trap;
            if (n == 0) return End.Next;
            uint256 chunk;
            uint256 skip;
            if (to <= from) {
                chunk = _least(n, 32 - (to & 31), 32 - (from & 31));
            } else {
                chunk = _least(n, ((to + n - 1) & 31) + 1, ((from + n - 1) & 31) + 1);
                skip = n - chunk;
            }
            uint256 moved = Leaves.bytesOf(_readLeaf(s, s.a >> 1, from + skip), (from + skip) & 31, chunk);
            uint256 leaf = Leaves.withBytes(Leaves.word(s.cursor), (to + skip) & 31, chunk, moved);
            s.header.memoryRoot = _rewriteLeaf(s, s.a, to + skip, leaf);
            if (to <= from) (to, from) = (to + chunk, from + chunk);
            _repeat(s, to, from, n - chunk);
            return End.Next;
        }
    }

    function _fill(Step memory s) private pure returns (End) {
        unchecked {
            (uint256 to, uint256 n) = (s.x & U32, s.z & U32);
            if (!_inside(s, s.a, to, n)) return End.Trap;
            if (n == 0) return End.Next;
            uint256 chunk = _least(n, 32 - (to & 31), 32);
            uint256 pattern = EVERY_BYTE * (s.y & 0xff);
            uint256 leaf = Leaves.withBytes(Leaves.word(s.cursor), to & 31, chunk, pattern);
            s.header.memoryRoot = _rewriteLeaf(s, s.a, to, leaf);
            _repeat(s, to + chunk, s.y, n - chunk);
            return End.Next;
        }
    }

    function _repeat(Step memory s, uint256 x, uint256 y, uint256 left) private pure {
        if (left == 0) return;
        (s.x, s.y, s.z) = (x, y, left);
        s.pushes = 3;
        s.pc = s.header.pc();
    }

    function _least(uint256 a, uint256 b, uint256 c) private pure returns (uint256) {
        if (b < a) a = b;
        return c < a ? c : a;
    }

    /// @dev Whether `count` bytes at `address_` are inside a memory; only the lowest bit of `memory_` counts.
    function _inside(Step memory s, uint256 memory_, uint256 address_, uint256 count) private pure returns (bool) {
        unchecked {
            return address_ + count <= s.header.pages(memory_ & 1) << 16;
        }
    }

    function _leafIndex(Step memory s, uint256 memory_, uint256 address_) private pure returns (uint256) {
        unchecked {
            return ((memory_ & 1) << (s.header.memoryDepth() - 1)) + (address_ >> 5);
        }
    }

    function _readLeaf(Step memory s, uint256 memory_, uint256 address_) private pure returns (uint256) {
        uint256 index = _leafIndex(s, memory_, address_);
        return _openLeaf(s, s.header.memoryRoot, index, s.header.memoryDepth(), Fault.Memory);
    }

    function _rewriteLeaf(Step memory s, uint256 memory_, uint256 address_, uint256 leaf)
        private
        pure
        returns (bytes32)
    {
        uint256 index = _leafIndex(s, memory_, address_);
        return _writeLeaf(s, s.header.memoryRoot, index, s.header.memoryDepth(), leaf, Fault.Memory);
    }

    /* HOST */

    function _host(Step memory s) private pure returns (End) {
        uint256 op = s.op;
        uint256 address_ = s.x & U32;
        bool scratches = op == 0xf4 || op == 0xf5;
        if (scratches && (address_ & 31 != 0 || !_inside(s, s.a, address_, 32))) return End.Trap;
        (Rest memory rest, Io memory io) = _io(s);
        if (op == 0xf0) {
            s.result = uint256(MachineState.haltedHash(MachineState.STATUS_EXIT, s.x & U32, s.header.cu(), io));
            return End.Halted;
        }
        if (op == 0xf4) s.header.memoryRoot = _rewriteLeaf(s, s.a, address_, uint256(io.scratch));
        else if (op == 0xf5) io.scratch = bytes32(_readLeaf(s, s.a, address_));
        else if (!_withEnv(s, io)) return End.Trap;
        rest.ioHash = io.hash();
        s.header.restHash = rest.hash();
        return End.Next;
    }

    /// @dev The host instructions that need the unit's environment; answers false for those that trap.
    function _withEnv(Step memory s, Io memory io) private pure returns (bool) {
        Env memory env = _env(s, io);
        uint256 x = s.x;
        if (s.op == 0xf1) {
            if (s.b > 6) return false;
            s.result = _value(env, s.b);
        } else if (s.op == 0xf2) {
            bool past = x >= (env.inputLength() + 31) >> 5;
            io.scratch = past ? bytes32(0) : bytes32(_openLeaf(s, env.inputRoot, x, env.inputDepth(), Fault.Input));
        } else if (s.op == 0xf3) {
            // forge-lint: disable-next-line(unsafe-typecast)
            io.scratch = keccak256(abi.encodePacked(TAG_RANDOM, env.unitSeed, uint64(x))); // a slot has 64 bits
        } else if (s.op == 0xf6) {
            if (x >= (env.outputMax() + 31) >> 5) return false;
            io.outputRoot = _writeLeaf(s, io.outputRoot, x, env.outputDepth(), uint256(io.scratch), Fault.Output);
        } else {
            if (x > env.outputMax()) return false;
            io.outputLength = x;
        }
        return true;
    }

    function _value(Env memory env, uint256 which) private pure returns (uint256) {
        if (which == 0) return env.inputLength();
        if (which == 1) return env.outputMax();
        if (which == 2) return env.clockStart;
        return Leaves.slot(uint256(env.unitSeed), which - 3);
    }

    /* PARTS OF A PROOF */

    function _rest(Step memory s) private pure returns (Rest memory rest) {
        rest = MachineState.readRest(s.cursor);
        s.cursor += MachineState.REST_BYTES;
        if (rest.hash() != s.header.restHash) revert ProofInvalid(Fault.Rest);
    }

    function _io(Step memory s) private pure returns (Rest memory rest, Io memory io) {
        rest = _rest(s);
        io = MachineState.readIo(s.cursor);
        s.cursor += MachineState.IO_BYTES;
        if (io.hash() != rest.ioHash) revert ProofInvalid(Fault.Io);
    }

    function _env(Step memory s, Io memory io) private pure returns (Env memory env) {
        env = MachineState.readEnv(s.cursor);
        s.cursor += MachineState.ENV_BYTES;
        if (env.hash() != io.envHash) revert ProofInvalid(Fault.Env);
    }

    /// @dev The leaf at `index`, proven against `expected`.
    function _openLeaf(Step memory s, bytes32 expected, uint256 index, uint256 depth, Fault fault)
        private
        pure
        returns (uint256 leaf)
    {
        unchecked {
            leaf = Leaves.word(s.cursor);
            (bytes32 root, bool fits) = Leaves.rootOf(leaf, index, s.cursor + 32, depth);
            if (root != expected || !fits) revert ProofInvalid(fault);
            s.cursor += 32 + (depth << 5);
        }
    }

    /// @dev The root after `written` took the place of the leaf at `index`, which is proven against `expected`.
    function _writeLeaf(Step memory s, bytes32 expected, uint256 index, uint256 depth, uint256 written, Fault fault)
        private
        pure
        returns (bytes32)
    {
        unchecked {
            uint256 leaf = Leaves.word(s.cursor);
            (bytes32 root, bytes32 next, bool fits) = Leaves.rootsOf(leaf, written, index, s.cursor + 32, depth);
            if (root != expected || !fits) revert ProofInvalid(fault);
            s.cursor += 32 + (depth << 5);
            return next;
        }
    }
}
