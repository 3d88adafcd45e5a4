// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {DealState, DealTerms} from "src/types/Deal.sol";
import {WalletState} from "src/types/Wallet.sol";
import {BaseTest} from "../utils/BaseTest.sol";

/// @notice `payday`, `giveBack`, `withdraw` and the second period (HW-04, HW-14..17, R8).
contract HubWalletPaydayTest is BaseTest {
    uint256 private paydayAt;

    function setUp() public override {
        super.setUp();
        _register();
        paydayAt = GENESIS + 30 days;
    }

    function _payday() private {
        vm.prank(hub.addr);
        wallet.payday();
    }

    function _expectState(WalletState found, WalletState required) private {
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.WalletStateMismatch.selector, found, required));
    }

    function test_payday_byOthers_reverts(address caller) public {
        vm.assume(caller != hub.addr);
        vm.warp(paydayAt);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.NotOwner.selector, caller, hub.addr));
        vm.prank(caller);
        wallet.payday();
    }

    /// @dev HW-04, HW-14: not one second early.
    function test_payday_insideThePeriod_reverts(uint256 time) public {
        time = bound(time, GENESIS, paydayAt - 1);
        vm.warp(time);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.PaydayTooEarly.selector, paydayAt, time));
        _payday();
        _expectState(WalletState.Registered, WalletState.Idle);
        vm.prank(hub.addr);
        wallet.withdraw();
    }

    /// @dev HW-15, X-08: half a per cent of the locked sum, rounded down, and nothing of the stake.
    function test_payday_takesTheFeeAndFreesTheRest(uint128 gross, uint32 late) public {
        gross = uint128(bound(gross, 1, HUB_MONEY - QUOTA));
        vm.prank(hub.addr);
        wallet.transfer(miner, gross);
        uint128 locked = wallet.ledger().locked;
        uint128 fee = locked * 5 / 1000;
        vm.warp(paydayAt + late);

        vm.expectEmit(address(wallet));
        emit IHubWallet.PaydayHeld(fee, locked, QUOTA);
        if (fee != 0) {
            vm.expectEmit(address(token));
            emit IERC20.Transfer(address(wallet), address(vault), fee);
        }
        _payday();

        assertEq(uint8(wallet.state()), uint8(WalletState.Idle));
        assertEq(token.balanceOf(address(vault)), fee);
        _assertLedger(0, 0, 0, gross - locked);
        assertEq(wallet.ledger().stake, 0);
        assertEq(wallet.freeBalance(), HUB_MONEY - fee - (gross - locked), "what the miner may pull stays its own");
        assertEq(uint8(whitelist.hub(address(wallet)).state), uint8(WalletState.Idle), "the register follows");
    }

    function test_r08_payday_whileADealIsOpen_reverts() public {
        DealTerms memory terms = _terms();
        _open(terms);
        vm.warp(paydayAt);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.DealsOpen.selector, terms.cap, terms.guarantee));
        _payday();
        wallet.refund(terms);
        _payday();
    }

    /// @dev However little is in a deal, payday does not pass beside it, whoever opened it; and the hub needs nobody to end
    /// it, so nobody holds up payday by opening what the hub signed.
    function test_r08_payday_waitsForTheSmallestDeal_andTheHubCanEndIt(bool posted) public {
        DealTerms memory terms = _terms();
        terms.cap = 1;
        terms.guarantee = 0;
        terms.royaltyPerMille = 0;
        terms.openBy = type(uint64).max - 1;
        terms.deliverBy = type(uint64).max;
        vm.warp(paydayAt);
        _open(terms);
        if (posted) _post(terms, keccak256("tree"), 1);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.DealsOpen.selector, 1, 0));
        _payday();
        vm.prank(hub.addr);
        wallet.giveBack(terms);
        _payday();
    }

    /// @dev The hub need not wait for a buyer who does not confirm: it may give everything back.
    function test_r08_giveBack_ofOpenAndPosted_letsPaydayPass(bool posted) public {
        DealTerms memory terms = _terms();
        terms.deliverBy = uint64(paydayAt);
        terms.window = 30 days;
        _open(terms);
        vm.warp(paydayAt);
        if (posted) _post(terms, keccak256("tree"), 10e9);
        vm.expectEmit(address(wallet));
        emit IHubWallet.DealRefunded(_dealId(terms), buyer.addr, terms.cap);
        vm.prank(hub.addr);
        wallet.giveBack(terms);
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY);
        _assertState(_dealId(terms), DealState.Refunded);
        _assertLedger(0, 0, 0, 0);
        _payday();
    }

    function test_giveBack_byOthersOrTwice_reverts(address caller) public {
        vm.assume(caller != hub.addr);
        DealTerms memory terms = _terms();
        _open(terms);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.NotOwner.selector, caller, hub.addr));
        vm.prank(caller);
        wallet.giveBack(terms);
        vm.startPrank(hub.addr);
        wallet.giveBack(terms);
        vm.expectRevert(
            abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, _dealId(terms), DealState.Refunded)
        );
        wallet.giveBack(terms);
    }

    /// @dev R8: an accusation delays payday by at most one period per registration, whatever becomes of it.
    function test_r08_payday_whileACaseIsOpen_waitsAtMostOnePeriod(uint256 time) public {
        cases.open(1, address(wallet));
        uint256 until = paydayAt + 30 days;
        time = bound(time, paydayAt, until - 1);
        vm.warp(time);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.CaseUndecided.selector, until));
        _payday();
        vm.warp(until);
        _payday();
    }

    /// @dev R8: being late with payday does not put a hub beyond accusations; each late one is as any other.
    function test_r08_payday_ofALateHub_waitsForACaseOpenedLater(uint256 late, uint256 time) public {
        uint256 opened = paydayAt + bound(late, 0, 1000 days);
        vm.warp(opened);
        cases.open(1, address(wallet));
        uint256 until = opened + 30 days;
        vm.warp(bound(time, opened, until - 1));
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.CaseUndecided.selector, until));
        _payday();
        vm.warp(until);
        _payday();
    }

    function test_r08_payday_afterTheCaseIsDecided_passes() public {
        cases.open(1, address(wallet));
        cases.open(2, makeAddr("another wallet"));
        vm.warp(paydayAt);
        cases.close(1, address(wallet));
        _payday();
    }

    /* IDLE */

    function _toIdle() private {
        vm.warp(paydayAt);
        _payday();
    }

    function test_withdraw_byOthers_reverts(address caller) public {
        vm.assume(caller != hub.addr);
        _toIdle();
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.NotOwner.selector, caller, hub.addr));
        vm.prank(caller);
        wallet.withdraw();
    }

    /// @dev HW-16: everything but what miners have not pulled or claimed.
    function test_r06_withdraw_leavesWhatIsOwed(uint128 gross, uint64 net) public {
        gross = uint128(bound(gross, 1, HUB_MONEY / 3));
        net = uint64(bound(net, 1, HUB_MONEY / 3));
        vm.startPrank(hub.addr);
        wallet.transfer(miner, gross);
        wallet.postPayout(bytes32(uint256(net)), 3, 0);
        vm.stopPrank();
        uint256 owed = uint256(wallet.approvedTo(miner)) + net;
        _toIdle();
        uint256 free = wallet.freeBalance();
        assertEq(token.balanceOf(address(wallet)), free + owed);

        vm.expectEmit(address(wallet));
        emit IHubWallet.Withdrawn(hub.addr, free);
        vm.prank(hub.addr);
        wallet.withdraw();
        assertEq(token.balanceOf(hub.addr), free);
        assertEq(token.balanceOf(address(wallet)), owed);
        uint256 pullable = wallet.approvedTo(miner);
        vm.prank(miner);
        token.transferFrom(address(wallet), miner, pullable);

        vm.expectRevert(IHubWallet.NothingFree.selector);
        vm.prank(hub.addr);
        wallet.withdraw();
    }

    /// @dev HW-17.
    function test_idle_paysNobodyAndOpensNothing() public {
        _toIdle();
        vm.startPrank(hub.addr);
        _expectState(WalletState.Idle, WalletState.Registered);
        wallet.transfer(miner, 1);
        _expectState(WalletState.Idle, WalletState.Registered);
        wallet.postPayout(bytes32(uint256(1)), 1, 0);
        _expectState(WalletState.Idle, WalletState.Registered);
        wallet.payday();
    }

    /// @dev HW-16: a new period with a new stake and a new time.
    function test_register_again_startsANewPeriod(uint32 later) public {
        _toIdle();
        uint256 start = paydayAt + later;
        vm.warp(start);
        vm.prank(hub.addr);
        wallet.register(_record());
        assertEq(uint8(wallet.state()), uint8(WalletState.Registered));
        assertEq(wallet.registeredAt(), start);
        assertEq(wallet.ledger().stake, QUOTA);
        vm.warp(start + 30 days - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IHubWallet.PaydayTooEarly.selector, start + 30 days, start + 30 days - 1)
        );
        _payday();
        vm.warp(start + 30 days);
        _payday();
    }

    function test_register_again_withoutTheQuota_reverts() public {
        _toIdle();
        vm.startPrank(hub.addr);
        wallet.withdraw();
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.FreeBalanceTooLow.selector, 0, QUOTA));
        wallet.register(_record());
    }
}
