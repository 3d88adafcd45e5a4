// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {GioToken} from "src/GioToken.sol";
import {Treasury} from "src/Treasury.sol";
import {ITreasury} from "src/interfaces/ITreasury.sol";

/// @notice Plays hubs, banned wallets, holders, the timelock and passers-by. Every action is allowed at its moment, so
/// nothing reverts; what must not work is tried in `tryWhatIsNotAllowed`. The handler keeps its own books.
contract TreasuryHandler is Test {
    /// @notice What the handler knows of an epoch.
    struct Book {
        uint256 number;
        uint256 dividend;
        uint256 claimed;
        uint256 claimBy;
        bool swept;
    }

    uint128 private constant GIO = 1e8;

    Treasury public immutable TREASURY;
    GioToken public immutable TOKEN;
    address private immutable TIMELOCK;

    address[] private holders;
    uint256[] private buckets; // what is in each
    uint256[] private unlocks;
    Book[] private books;
    mapping(uint256 epoch => mapping(address holder => uint256)) public owed; // of epochs that can still be claimed
    uint256 public pending; // fees since the last close
    uint256 public spent;
    mapping(bytes32 action => uint256) public calls;

    constructor(Treasury treasury, GioToken token, address timelock, address[] memory holders_) {
        TREASURY = treasury;
        TOKEN = token;
        TIMELOCK = timelock;
        holders = holders_;
        buckets.push(0);
        unlocks.push(0);
    }

    function bucketCount() external view returns (uint256) {
        return buckets.length;
    }

    function bucketAt(uint256 id) external view returns (uint256) {
        return buckets[id];
    }

    function epochCount() external view returns (uint256) {
        return books.length;
    }

    function bookAt(uint256 index) external view returns (Book memory) {
        return books[index];
    }

    function holderCount() external view returns (uint256) {
        return holders.length;
    }

    function holderAt(uint256 index) public view returns (address) {
        return holders[index % holders.length];
    }

    /* MONEY */

    function payFees(uint256 amount) external {
        amount = bound(amount, 0, 100 * GIO);
        TOKEN.transfer(address(TREASURY), amount);
        pending += amount;
        ++calls["fees"];
    }

    function deposit(uint128 amount) external {
        amount = uint128(bound(amount, 1, 100 * GIO));
        TOKEN.approve(address(TREASURY), amount);
        TREASURY.deposit(amount);
        buckets[0] += amount;
        ++calls["deposit"];
    }

    function expropriate(uint128 amount) external {
        if (buckets.length == 24) return; // keeps the loops of the invariants short
        amount = uint128(bound(amount, 1, 100 * GIO));
        TOKEN.approve(address(TREASURY), amount);
        assertEq(TREASURY.lockExpropriated(amount), buckets.length);
        buckets.push(amount);
        unlocks.push(block.timestamp + TREASURY.expropriationLock());
        ++calls["expropriate"];
    }

    function spend(uint256 seed, uint128 amount) external {
        uint256 id = seed % 2 == 0 ? 0 : seed % buckets.length;
        if (buckets[id] == 0) return;
        if (block.timestamp < unlocks[id]) {
            if (seed % 8 != 1) return;
            vm.warp(unlocks[id]);
        }
        amount = uint128(bound(amount, 1, buckets[id]));
        vm.prank(TIMELOCK);
        TREASURY.spend(id, address(this), amount);
        buckets[id] -= amount;
        spent += amount;
        ++calls["spend"];
    }

    /* VOTES */

    function moveTokens(uint256 from, uint256 to, uint256 amount) external {
        address holder = holderAt(from);
        amount = bound(amount, 0, TOKEN.balanceOf(holder));
        vm.prank(holder);
        TOKEN.transfer(holderAt(to), amount);
        ++calls["move"];
    }

    function delegate(uint256 from, uint256 to) external {
        vm.prank(holderAt(from));
        TOKEN.delegate(to % 5 == 0 ? address(0) : holderAt(to));
        ++calls["delegate"];
    }

    function wait(uint256 time) external {
        skip(bound(time, 1, 20 days));
        ++calls["wait"];
    }

    /* DIVIDENDS */

    /// @dev Waits for the end of the epoch every other time.
    function closeEpoch(uint256 seed) external {
        if (books.length == 16) return;
        uint256 end = TREASURY.start() + (TREASURY.lastEpoch() + 1) * TREASURY.epochLength();
        if (block.timestamp <= end && seed % 2 == 0) vm.warp(end + 1);
        uint256 ended = (block.timestamp - TREASURY.start() - 1) / TREASURY.epochLength();
        if (ended <= TREASURY.lastEpoch()) return;
        uint256 number = TREASURY.closeEpoch();
        assertEq(number, ended, "the last epoch that ended");
        uint256 dividend = pending * TREASURY.dividendPerMille() / 1000;
        books.push(Book(number, dividend, 0, block.timestamp + TREASURY.claimPeriod(), false));
        buckets[0] += pending - dividend;
        pending = 0;
        uint64 snapshot = TREASURY.epochOf(number).snapshot;
        for (uint256 i = 0; i < holders.length; ++i) {
            uint256 votes = TOKEN.getPastVotes(holders[i], snapshot);
            owed[number][holders[i]] = votes * dividend / TOKEN.getPastTotalSupply(snapshot);
        }
        ++calls["close"];
    }

    function claim(uint256 seed, uint256 who) external {
        if (books.length == 0) return;
        Book storage book = books[seed % books.length];
        address holder = holderAt(who);
        uint256 amount = owed[book.number][holder];
        if (amount == 0 || block.timestamp > book.claimBy) return;
        assertEq(TREASURY.claimDividend(book.number, holder), amount, "a share");
        owed[book.number][holder] = 0;
        book.claimed += amount;
        ++calls["claim"];
    }

    function sweep(uint256 seed) external {
        if (books.length == 0) return;
        Book storage book = books[seed % books.length];
        if (book.swept || book.dividend == book.claimed) return;
        if (block.timestamp <= book.claimBy) {
            if (seed % 8 != 0) return;
            vm.warp(book.claimBy + 1);
        }
        uint256 rest = book.dividend - book.claimed;
        assertEq(TREASURY.sweepDividend(book.number), rest, "swept");
        buckets[0] += rest;
        book.swept = true;
        ++calls["sweep"];
    }

    /* WHAT MUST NOT WORK */

    function tryWhatIsNotAllowed(uint256 seed, uint8 what) external {
        uint256 id = seed % buckets.length;
        what = what % 5;
        address caller = TIMELOCK;
        bytes memory call_;
        if (what == 0) {
            caller = holderAt(seed);
            call_ = abi.encodeCall(ITreasury.spend, (0, caller, 1));
        }
        if (what == 1) call_ = abi.encodeCall(ITreasury.spend, (id, address(this), uint128(buckets[id]) + 1));
        if (what == 2) {
            if (block.timestamp >= unlocks[id]) return;
            call_ = abi.encodeCall(ITreasury.spend, (id, address(this), 1));
        }
        if (what > 2) {
            if (books.length == 0) return;
            Book storage book = books[seed % books.length];
            bool over = block.timestamp > book.claimBy;
            if (what == 3 && !over && owed[book.number][holderAt(seed)] != 0) return;
            if (what == 4 && over && !book.swept) return;
            call_ = what == 3
                ? abi.encodeCall(ITreasury.claimDividend, (book.number, holderAt(seed)))
                : abi.encodeCall(ITreasury.sweepDividend, (book.number));
        }
        vm.prank(caller);
        (bool ok,) = address(TREASURY).call(call_);
        assertFalse(ok, "a forbidden call went through");
        ++calls["forbidden"];
    }
}
