// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {GioToken} from "src/GioToken.sol";
import {Treasury} from "src/Treasury.sol";
import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {ITreasury} from "src/interfaces/ITreasury.sol";
import {Bucket, TreasuryParameters} from "src/types/Governance.sol";
import {WalletState} from "src/types/Wallet.sol";
import {GovernanceBase} from "../utils/GovernanceBase.sol";

/// @notice What comes in, what the timelock may spend, and when (HW-24, HW-25).
contract TreasuryMoneyTest is GovernanceBase {
    function _assertBucket(uint256 id, uint128 amount, uint64 unlockAt) private view {
        Bucket memory b = treasury.bucket(id);
        assertEq(b.amount, amount, "bucket amount");
        assertEq(b.unlockAt, unlockAt, "bucket unlock");
    }

    function _deposit(uint128 amount) private {
        _fundFor(address(treasury), stranger, amount);
        vm.prank(stranger);
        treasury.deposit(amount);
    }

    function _lock(uint128 amount) private returns (uint256 id) {
        _fundFor(address(treasury), stranger, amount);
        vm.prank(stranger);
        id = treasury.lockExpropriated(amount);
    }

    /* CONSTRUCTOR */

    function _refused(address token_, address dao_, TreasuryParameters memory p) private {
        vm.expectRevert(ITreasury.TreasuryParametersInvalid.selector);
        new Treasury(IERC20(token_), dao_, p);
    }

    function test_constructor_parametersThatMakeNoSense_revert(uint16 perMille) public {
        TreasuryParameters memory p = _treasuryParameters();
        _refused(makeAddr("no code"), address(timelock), p);
        _refused(address(token), address(0), p);
        p.epochLength = 0;
        _refused(address(token), address(timelock), p);
        p = _treasuryParameters();
        p.claimPeriod = 0;
        _refused(address(token), address(timelock), p);
        p = _treasuryParameters();
        p.dividendPerMille = uint16(bound(perMille, 1001, type(uint16).max));
        _refused(address(token), address(timelock), p);
    }

    /// @notice R29: an initial supply minted into the treasury is general money, not a fee to be shared out.
    function test_r29_constructor_initialSupply_isGeneralMoney() public {
        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        GioToken supply = new GioToken(bridge, next, SUPPLY);
        vm.expectEmit(next);
        emit ITreasury.GeneralDeposited(address(0), SUPPLY);
        Treasury made = new Treasury(supply, address(timelock), _treasuryParameters());
        assertEq(made.bucket(0).amount, SUPPLY);
        assertEq(made.fees(), 0);
        assertEq(supply.getVotes(address(made)), 0);
    }

    function test_constructor_viewsTellTheParameters() public view {
        assertEq(treasury.token(), address(token));
        assertEq(treasury.dao(), address(timelock));
        assertEq(treasury.start(), GENESIS);
        assertEq(treasury.expropriationLock(), 120 days);
        assertEq(treasury.epochLength(), 30 days);
        assertEq(treasury.claimPeriod(), 365 days);
        assertEq(treasury.dividendPerMille(), 500);
        assertEq(treasury.bucketCount(), 1);
    }

    /* MONEY IN */

    function test_moneyIn_zero_reverts() public {
        vm.expectRevert(ITreasury.TreasuryAmountZero.selector);
        treasury.deposit(0);
        vm.expectRevert(ITreasury.TreasuryAmountZero.selector);
        treasury.lockExpropriated(0);
    }

    function test_moneyIn_withoutAllowanceOrBalance_reverts(uint128 amount) public {
        amount = uint128(bound(amount, 1, type(uint128).max));
        bytes memory expected =
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(treasury), 0, amount);
        vm.expectRevert(expected);
        treasury.deposit(amount);
        vm.expectRevert(expected);
        treasury.lockExpropriated(amount);

        token.approve(address(treasury), type(uint256).max);
        vm.expectPartialRevert(IERC20Errors.ERC20InsufficientBalance.selector);
        treasury.deposit(amount);
    }

    function test_deposit_isGeneralMoney(uint128 amount) public {
        amount = uint128(bound(amount, 1, SUPPLY / 2));
        _fundFor(address(treasury), stranger, amount);
        vm.expectEmit(address(treasury));
        emit ITreasury.GeneralDeposited(stranger, amount);
        vm.prank(stranger);
        treasury.deposit(amount);
        _assertBucket(0, amount, 0);
        assertEq(treasury.fees(), 0);
        assertEq(token.balanceOf(address(treasury)), amount);
    }

    function test_lockExpropriated_isABucketOfItsOwn(uint128 first, uint128 second) public {
        first = uint128(bound(first, 1, SUPPLY / 4));
        second = uint128(bound(second, 1, SUPPLY / 4));
        _fundFor(address(treasury), stranger, first);
        vm.expectEmit(address(treasury));
        emit ITreasury.ExpropriatedLocked(1, stranger, first, GENESIS + 1 + 120 days);
        vm.prank(stranger);
        assertEq(treasury.lockExpropriated(first), 1);
        skip(1 days);
        assertEq(_lock(second), 2);
        assertEq(treasury.bucketCount(), 3);
        _assertBucket(1, first, GENESIS + 1 + 120 days);
        _assertBucket(2, second, GENESIS + 1 + 121 days);
        _assertBucket(0, 0, 0);
        assertEq(treasury.fees(), 0);
    }

    /// @notice Nobody can lock money that is not his: a tag on what lies here already would freeze the Dao's fees.
    function test_lockExpropriated_takesTheCallersOwnMoney(uint128 fees) public {
        fees = uint128(bound(fees, 1, SUPPLY / 4));
        _fund(address(treasury), fees);
        vm.expectPartialRevert(IERC20Errors.ERC20InsufficientAllowance.selector);
        vm.prank(stranger);
        treasury.lockExpropriated(fees);
        assertEq(treasury.fees(), fees);
    }

    /* MONEY OUT */

    function test_spend_byAnyoneButTheTimelock_reverts(address caller) public {
        vm.assume(caller != address(timelock));
        _deposit(GIO);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.NotDaoTimelock.selector, caller, address(timelock)));
        vm.prank(caller);
        treasury.spend(0, recipient, 1);
    }

    function test_spend_zeroAmountOrBadRecipient_reverts() public {
        _deposit(GIO);
        vm.startPrank(address(timelock));
        vm.expectRevert(ITreasury.TreasuryAmountZero.selector);
        treasury.spend(0, recipient, 0);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.RecipientInvalid.selector, address(0)));
        treasury.spend(0, address(0), 1);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.RecipientInvalid.selector, address(treasury)));
        treasury.spend(0, address(treasury), 1);
    }

    function test_spend_moreThanTheBucket_reverts(uint128 amount) public {
        amount = uint128(bound(amount, GIO + 1, type(uint128).max));
        _deposit(GIO);
        _fund(address(treasury), GIO); // fees are not general money yet
        _lock(GIO);
        vm.startPrank(address(timelock));
        vm.expectRevert(abi.encodeWithSelector(ITreasury.BucketTooLow.selector, 0, GIO, amount));
        treasury.spend(0, recipient, amount);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.BucketTooLow.selector, 9, 0, amount));
        treasury.spend(9, recipient, amount);
        skip(120 days);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.BucketTooLow.selector, 1, GIO, amount));
        treasury.spend(1, recipient, amount);
    }

    function test_hw24_spend_expropriatedBeforeUnlock_reverts(uint256 wait, uint128 amount) public {
        uint256 id = _lock(GIO);
        uint64 unlockAt = treasury.bucket(id).unlockAt;
        vm.warp(bound(wait, block.timestamp, unlockAt - 1));
        amount = uint128(bound(amount, 1, GIO));
        vm.expectRevert(abi.encodeWithSelector(ITreasury.BucketLocked.selector, id, unlockAt));
        vm.prank(address(timelock));
        treasury.spend(id, recipient, amount);
    }

    function test_hw24_spend_expropriatedAfterUnlock(uint128 amount) public {
        uint256 id = _lock(GIO);
        amount = uint128(bound(amount, 1, GIO));
        vm.warp(treasury.bucket(id).unlockAt);
        vm.expectEmit(address(treasury));
        emit ITreasury.Spent(id, recipient, amount);
        vm.prank(address(timelock));
        treasury.spend(id, recipient, amount);
        assertEq(token.balanceOf(recipient), amount);
        assertEq(treasury.bucket(id).amount, GIO - amount);
        assertEq(treasury.fees(), 0);
    }

    function test_spend_general_byVote() public {
        _deposit(GIO);
        _pass(_single(address(treasury), abi.encodeCall(ITreasury.spend, (0, recipient, GIO)), "grant"));
        assertEq(token.balanceOf(recipient), GIO);
        _assertBucket(0, 0, 0);
    }

    /// @notice HW-25: what a ban brings in cannot be spent by those who voted for it until the lock is over, and it never
    /// becomes a dividend.
    function test_hw25_ban_bringsNobodyMoneyNow() public {
        _fund(address(wallet), 1000 * GIO);
        wallet.setState(WalletState.Suspected);
        _pass(_single(address(wallet), abi.encodeCall(IHubWallet.ban, ()), "ban"));
        assertEq(treasury.bucket(1).amount, 1000 * GIO);

        Proposal memory p = _single(address(treasury), abi.encodeCall(ITreasury.spend, (1, alice.addr, 1)), "loot");
        _propose(p);
        _voteFor(p.id);
        _queue(p);
        vm.expectPartialRevert(ITreasury.BucketLocked.selector);
        _execute(p);

        vm.warp(treasury.bucket(1).unlockAt - 1);
        treasury.closeEpoch();
        assertEq(treasury.epochOf(treasury.lastEpoch()).dividend, 0);
        skip(1);
        _execute(p);
        assertEq(treasury.bucket(1).amount, 1000 * GIO - 1);
    }
}
