// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {GioToken} from "src/GioToken.sol";
import {MinerRegistry} from "src/MinerRegistry.sol";
import {IMinerRegistry} from "src/interfaces/IMinerRegistry.sol";
import {Miner} from "src/types/Miner.sol";

/// @notice Plays owners, machines, a court and passers-by. Every action is allowed at its moment, so nothing reverts; what
/// must not work is tried in `tryWhatIsNotAllowed`. The handler keeps its own books, by its own formulas.
contract RegistryHandler is Test {
    /// @notice What the handler knows of an owner.
    struct Book {
        uint256 paidIn;
        uint256 takenOut;
        uint256 slashed;
        uint256 atRisk;
        uint256 asked;
        uint256 takesAt;
        bool lost;
    }

    uint128 private constant GIO = 1e8;
    uint256 private constant CLAIMS = 8;

    MinerRegistry public immutable REGISTRY;
    GioToken public immutable TOKEN;
    address public immutable COURT;
    address public immutable CHALLENGER = makeAddr("challenger");
    uint256 private immutable DELAY;

    Account[] private owners;
    Account[] private machines;
    mapping(address owner => Book) private books;
    mapping(bytes32 claim => address) public reservedOf;
    mapping(bytes32 claim => uint256) public reserved;
    mapping(address key => address) public delegatedTo;
    mapping(address key => uint256) public freeAt; // zero: not revoked
    uint256 public paidToChallenger;
    mapping(bytes32 action => uint256) public calls;

    constructor(MinerRegistry registry, GioToken token, address court) {
        REGISTRY = registry;
        TOKEN = token;
        COURT = court;
        DELAY = registry.withdrawalDelay();
        for (uint256 i = 0; i < 3; ++i) {
            owners.push(makeAccount(string.concat("owner ", vm.toString(i))));
            machines.push(makeAccount(string.concat("machine ", vm.toString(i))));
        }
    }

    function ownerCount() external view returns (uint256) {
        return owners.length;
    }

    function ownerAt(uint256 index) public view returns (address) {
        return owners[index % owners.length].addr;
    }

    function machineAt(uint256 index) public view returns (address) {
        return machines[index % machines.length].addr;
    }

    function bookOf(address owner) external view returns (Book memory) {
        return books[owner];
    }

    function claimAt(uint256 index) public pure returns (bytes32) {
        return keccak256(abi.encode("claim", index % CLAIMS));
    }

    function claimCount() external pure returns (uint256) {
        return CLAIMS;
    }

    /* OWNERS */

    function bond(uint256 seed, uint128 amount) external {
        address owner = ownerAt(seed);
        if (books[owner].lost) return;
        amount = uint128(bound(amount, 1, 50 * GIO));
        TOKEN.approve(address(REGISTRY), amount);
        REGISTRY.bond(owner, amount);
        books[owner].paidIn += amount;
        ++calls["bond"];
    }

    function requestWithdrawal(uint256 seed, uint128 amount) external {
        address owner = ownerAt(seed);
        uint256 left = bondOf(owner) - books[owner].asked;
        if (left == 0) return;
        amount = uint128(bound(amount, 1, left));
        vm.prank(owner);
        REGISTRY.requestWithdrawal(amount);
        books[owner].asked += amount;
        books[owner].takesAt = block.timestamp + DELAY;
        ++calls["request"];
    }

    function cancelWithdrawal(uint256 seed) external {
        address owner = ownerAt(seed);
        if (books[owner].asked == 0 || seed % 4 != 0) return;
        vm.prank(owner);
        REGISTRY.cancelWithdrawal();
        books[owner].asked = 0;
        ++calls["cancel"];
    }

    function withdraw(uint256 seed) external {
        address owner = ownerAt(seed);
        Book storage book = books[owner];
        uint256 free = bondOf(owner) - book.atRisk;
        if (book.asked == 0 || free == 0) return;
        if (block.timestamp < book.takesAt) vm.warp(book.takesAt);
        uint256 expected = book.asked < free ? book.asked : free;
        vm.prank(owner);
        assertEq(REGISTRY.withdraw(), expected, "withdrawn");
        book.takenOut += expected;
        book.asked -= expected;
        ++calls["withdraw"];
    }

    function delegate(uint256 ownerSeed, uint256 keySeed) external {
        address owner = ownerAt(ownerSeed);
        Account memory key = machines[keySeed % machines.length];
        if (!_isFree(key.addr)) return;
        uint64 deadline = uint64(block.timestamp);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key.key, REGISTRY.consentDigest(key.addr, owner, deadline));
        vm.prank(owner);
        REGISTRY.delegateKey(key.addr, deadline, abi.encodePacked(r, s, v));
        delegatedTo[key.addr] = owner;
        freeAt[key.addr] = 0;
        ++calls["delegate"];
    }

    function revoke(uint256 keySeed, bool byKey) external {
        address key = machineAt(keySeed);
        if (delegatedTo[key] == address(0) || freeAt[key] != 0) return;
        vm.prank(byKey ? key : delegatedTo[key]);
        REGISTRY.revokeKey(key);
        freeAt[key] = block.timestamp + DELAY;
        ++calls["revoke"];
    }

    function wait(uint256 time) external {
        skip(bound(time, 0, 10 days));
        ++calls["wait"];
    }

    /* THE COURT */

    function reserve(uint256 seed, uint256 claimSeed, uint128 deposit) external {
        bytes32 claim = claimAt(claimSeed);
        bool again = reservedOf[claim] != address(0);
        address owner = again ? reservedOf[claim] : ownerAt(seed);
        deposit = uint128(bound(deposit, 0, 60 * GIO));
        uint256 free = bondOf(owner) - books[owner].atRisk;
        vm.prank(COURT);
        uint256 got = REGISTRY.reserve(claim, owner, deposit);
        assertEq(got, again ? reserved[claim] : deposit < free ? deposit : free, "reserved");
        if (again) return;
        reservedOf[claim] = owner;
        reserved[claim] = got;
        books[owner].atRisk += got;
        ++calls["reserve"];
    }

    function release(uint256 claimSeed) external {
        bytes32 claim = claimAt(claimSeed);
        if (reservedOf[claim] == address(0)) return;
        vm.prank(COURT);
        REGISTRY.release(claim);
        _forget(claim);
        ++calls["release"];
    }

    function slash(uint256 claimSeed) external {
        bytes32 claim = claimAt(claimSeed);
        // Seldom: who lost once is out, and then nothing more happens to it.
        if (reservedOf[claim] == address(0) || claimSeed % 3 != 0) return;
        Book storage book = books[reservedOf[claim]];
        uint256 amount = reserved[claim];
        vm.prank(COURT);
        assertEq(REGISTRY.slash(claim, CHALLENGER), amount, "slashed");
        address owner = _forget(claim);
        book.slashed += amount;
        book.lost = true;
        paidToChallenger += amount;
        if (book.asked > bondOf(owner)) book.asked = bondOf(owner);
        ++calls["slash"];
    }

    /* WHAT MUST NOT WORK */

    function tryWhatIsNotAllowed(uint256 seed, uint8 what) external {
        address owner = ownerAt(seed);
        bytes32 claim = claimAt(seed);
        what = what % 6;
        bytes memory call_;
        address caller = owner;
        if (what == 0) call_ = abi.encodeCall(IMinerRegistry.slash, (claim, owner));
        if (what == 1) call_ = abi.encodeCall(IMinerRegistry.release, (claim));
        if (what == 2) call_ = abi.encodeCall(IMinerRegistry.requestWithdrawal, (uint128(bondOf(owner)) + 1));
        if (what == 3) {
            if (books[owner].asked != 0 && block.timestamp >= books[owner].takesAt) return;
            call_ = abi.encodeCall(IMinerRegistry.withdraw, ());
        }
        if (what == 4) call_ = abi.encodeCall(IMinerRegistry.delegateKey, (machineAt(seed), type(uint64).max, ""));
        if (what == 5) {
            if (reservedOf[claim] != address(0)) return;
            caller = COURT;
            call_ = abi.encodeCall(IMinerRegistry.slash, (claim, CHALLENGER));
        }
        vm.prank(caller);
        (bool ok,) = address(REGISTRY).call(call_);
        assertFalse(ok, "a forbidden call went through");
        ++calls["forbidden"];
    }

    /* BOOKS */

    function bondOf(address owner) public view returns (uint256) {
        Book storage book = books[owner];
        return book.paidIn - book.takenOut - book.slashed;
    }

    function _forget(bytes32 claim) private returns (address owner) {
        owner = reservedOf[claim];
        books[owner].atRisk -= reserved[claim];
        reservedOf[claim] = address(0);
        reserved[claim] = 0;
    }

    function _isFree(address key) private view returns (bool) {
        if (delegatedTo[key] == address(0)) return true;
        return freeAt[key] != 0 && block.timestamp >= freeAt[key];
    }

    function signerOf(address key) external view returns (address) {
        return _isFree(key) ? key : delegatedTo[key];
    }

    function minerOf(address owner) external view returns (Miner memory) {
        return REGISTRY.miner(owner);
    }
}
