// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Freezer} from "src/Freezer.sol";
import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {DealTerms} from "src/types/Deal.sol";
import {Ledger, WalletState} from "src/types/Wallet.sol";
import {BaseTest} from "../utils/BaseTest.sol";
import {PayoutBuilder} from "../utils/Payouts.sol";
import {Typed} from "../utils/Typed.sol";

/// @notice Suspicion, rehabilitation and ban touch the hub's own money only (R7, HW-19..24).
contract HubWalletSuspicionTest is BaseTest {
    uint128 private constant GROSS = 100 * GIO;
    uint128 private constant NET = 70 * GIO;

    DealTerms private terms;
    address private claimant = PayoutBuilder.minerAt(0);
    uint64 private constant CLAIM = uint64(7 * GIO);

    /// @dev A registered wallet with an open deal, an allowance not pulled and a payout not claimed.
    function setUp() public override {
        super.setUp();
        _register();
        terms = _terms();
        _open(terms);
        vm.startPrank(hub.addr);
        wallet.transfer(miner, GROSS);
        wallet.postPayout(PayoutBuilder.leaf(0, claimant, CLAIM), 1, 0);
        vm.stopPrank();
        cases.open(1, address(wallet));
    }

    function _suspect() private {
        vm.prank(dao);
        wallet.suspect(1);
    }

    function _ban() private {
        vm.warp(uint256(wallet.suspectedAt()) + 120 days);
        vm.prank(dao);
        wallet.ban();
    }

    function _claim() private {
        wallet.claimPayout(0, 1, 0, claimant, CLAIM, new bytes32[](0));
    }

    function _pull(uint256 amount) private {
        vm.prank(miner);
        token.transferFrom(address(wallet), miner, amount);
    }

    /* SUSPECT */

    function test_suspect_byAnyoneButTheDao_reverts(address caller) public {
        vm.assume(caller != dao);
        bytes memory refusal = abi.encodeWithSelector(IHubWallet.NotDao.selector, caller, dao);
        vm.startPrank(caller);
        vm.expectRevert(refusal);
        wallet.suspect(1);
        vm.expectRevert(refusal);
        wallet.rehab();
        vm.expectRevert(refusal);
        wallet.ban();
    }

    function test_suspect_withoutACase_reverts(uint256 caseId) public {
        vm.assume(caseId != 1);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.CaseNotPending.selector, caseId));
        vm.prank(dao);
        wallet.suspect(caseId);
    }

    function test_r07_suspect_movesTheWholeBalanceIntoTheFreezer() public {
        uint256 held = token.balanceOf(address(wallet));
        uint256 free = wallet.freeBalance();
        Ledger memory before = wallet.ledger();
        vm.expectEmit(true, false, false, false, address(wallet));
        emit IHubWallet.WalletSuspected(1, address(0), 0, 0);
        _suspect();

        assertEq(uint8(wallet.state()), uint8(WalletState.Suspected));
        assertEq(wallet.suspectedAt(), GENESIS);
        assertEq(token.balanceOf(address(wallet)), 0);
        assertEq(token.balanceOf(wallet.freezer()), held);
        assertEq(wallet.freeBalance(), free, "what the hub has does not change, only who can touch it");
        assertEq(keccak256(abi.encode(wallet.ledger())), keccak256(abi.encode(before)), "and what it owes neither");
    }

    /// @dev X-07: an allowance given before has nothing to pull, and counts again afterwards.
    function test_r07_suspect_stopsAllowances_rehabResumesThem(uint128 amount) public {
        amount = uint128(bound(amount, 1, NET));
        _suspect();
        vm.expectRevert();
        _pull(amount);
        assertEq(token.allowance(address(wallet), miner), NET, "what is owed is remembered");
        vm.prank(dao);
        wallet.rehab();
        _pull(amount);
        assertEq(token.balanceOf(miner), amount);
    }

    function test_r07_suspect_stopsClaims_rehabResumesThem() public {
        _suspect();
        vm.expectRevert(IHubWallet.ClaimsFrozen.selector);
        _claim();
        vm.prank(dao);
        wallet.rehab();
        _claim();
        assertEq(token.balanceOf(claimant), CLAIM);
    }

    /// @dev HW-20: neither the owner nor a stranger moves the hub's money, for as long as the suspicion lasts.
    function test_r07_suspected_ownerFunctionsRevert(uint32 later) public {
        _suspect();
        vm.warp(GENESIS + uint256(later));
        bytes memory refusal = abi.encodeWithSelector(
            IHubWallet.WalletStateMismatch.selector, WalletState.Suspected, WalletState.Registered
        );
        vm.startPrank(hub.addr);
        vm.expectRevert(refusal);
        wallet.transfer(miner, 1);
        vm.expectRevert(refusal);
        wallet.postPayout(bytes32(uint256(1)), 1, 0);
        vm.expectRevert(refusal);
        wallet.payday();
        vm.expectRevert(refusal);
        wallet.postResult(terms, 0, 0, 0);
        vm.expectRevert(
            abi.encodeWithSelector(IHubWallet.WalletStateMismatch.selector, WalletState.Suspected, WalletState.Idle)
        );
        wallet.withdraw();
    }

    /// @dev R7: the buyer gets its money in every state, out of the freezer if need be.
    function test_r07_refund_inEveryState_paysTheBuyer(bool banned) public {
        _suspect();
        if (banned) _ban();
        vm.warp(uint256(wallet.suspectedAt()) + 121 days);
        wallet.refund(terms);
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY);
        if (banned) assertEq(wallet.freeBalance(), 0, "a released guarantee goes to the treasury");
    }

    /// @dev R7: shares of the hub released while Suspected stay frozen; while Punished they go to the treasury.
    function test_r07_settle_afterBan_givesTheHubsShareToTheTreasury(bool banned) public {
        _post(terms, keccak256("tree"), 10e9);
        _suspect();
        if (banned) _ban();
        uint256 taken = vault.expropriated();
        uint256 free = wallet.freeBalance();
        vm.warp(uint256(wallet.suspectedAt()) + 120 days);
        wallet.settle(terms);
        uint256 share = 20 * GIO - GIO; // less 5 % royalty
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY - 20 * GIO);
        assertEq(token.balanceOf(author), GIO);
        if (banned) {
            assertEq(vault.expropriated() - taken, share + terms.guarantee);
            assertEq(wallet.freeBalance(), 0);
        } else {
            assertEq(wallet.freeBalance() - free, share + terms.guarantee);
            assertEq(token.balanceOf(address(wallet)), 0, "still frozen");
        }
    }

    function test_r07_cancel_whileSuspected_paysTheBuyer() public {
        _suspect();
        bytes32 digest = _digest(Typed.cancellation(_dealId(terms), 0));
        wallet.cancel(terms, 0, _sign(buyer, digest), _sign(hub, digest));
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY);
    }

    /* REHAB */

    /// @dev HW-21: at any time, also after the first possible ban; nothing is held back and the owner may leave.
    function test_rehab_atAnyTime_freesEverything(uint256 later) public {
        _suspect();
        vm.warp(GENESIS + bound(later, 0, 365 days));
        uint256 frozen = token.balanceOf(wallet.freezer());
        vm.expectEmit(address(wallet));
        emit IHubWallet.WalletRehabilitated(frozen);
        vm.prank(dao);
        wallet.rehab();
        assertEq(uint8(wallet.state()), uint8(WalletState.Idle));
        assertEq(token.balanceOf(address(wallet)), frozen);
        _assertLedger(terms.cap, terms.guarantee, 0, NET);
        assertEq(wallet.ledger().stake, 0);
        assertEq(wallet.payoutsUnclaimed(), CLAIM);
        vm.prank(hub.addr);
        wallet.withdraw();
        uint256 left = uint256(terms.cap) + terms.guarantee + NET + CLAIM;
        assertEq(token.balanceOf(address(wallet)), left, "what is others' stays");
        assertEq(token.balanceOf(hub.addr), frozen - left);
    }

    function test_suspect_twiceInALife_usesTheSameFreezer() public {
        _suspect();
        address first = wallet.freezer();
        vm.startPrank(dao);
        wallet.rehab();
        vm.stopPrank();
        vm.prank(hub.addr);
        wallet.register(_record());
        _suspect();
        assertEq(wallet.freezer(), first);
        assertEq(token.balanceOf(address(wallet)), 0);
    }

    function test_freezer_releasesToNobodyElse(address caller) public {
        _suspect();
        Freezer frozen = Freezer(wallet.freezer());
        vm.assume(caller != address(wallet));
        vm.expectRevert(abi.encodeWithSelector(Freezer.NotFrozenWallet.selector, caller));
        vm.prank(caller);
        frozen.release(token, caller, 1);
    }

    /* BAN */

    /// @dev HW-22: not one second before the 120 days.
    function test_ban_early_reverts(uint256 time) public {
        _suspect();
        time = bound(time, GENESIS, GENESIS + 120 days - 1);
        vm.warp(time);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.BanTooEarly.selector, GENESIS + 120 days, time));
        vm.prank(dao);
        wallet.ban();
    }

    /// @dev HW-22 as R7 reads it: the hub's own money, with stake and locked sum, and nothing of anybody else's.
    function test_r07_ban_takesTheHubsOwnMoneyOnly() public {
        _suspect();
        uint256 held = token.balanceOf(wallet.freezer());
        uint256 others = uint256(terms.cap) + terms.guarantee + NET + CLAIM;
        vm.warp(GENESIS + 120 days);
        vm.expectEmit(address(wallet));
        emit IHubWallet.WalletBanned(held);
        vm.expectEmit(address(wallet));
        emit IHubWallet.Expropriated(held - others);
        vm.prank(dao);
        wallet.ban();

        assertEq(uint8(wallet.state()), uint8(WalletState.Punished));
        assertEq(vault.expropriated(), held - others);
        assertEq(token.balanceOf(address(vault)), held - others);
        assertEq(token.balanceOf(address(wallet)), others);
        assertEq(token.allowance(address(wallet), address(vault)), 0);
        assertEq(wallet.freeBalance(), 0);
    }

    /// @dev R7, R9: what is owed can be taken without time limit after a ban.
    function test_r07_ban_leavesWhatIsOwedToMiners(uint256 later) public {
        _suspect();
        _ban();
        vm.warp(block.timestamp + bound(later, 0, 3650 days));
        _pull(NET);
        _claim();
        wallet.refund(terms);
        address[] memory pulled = new address[](1);
        pulled[0] = miner;
        // Until somebody tells the wallet that the miner pulled, it keeps that much of the guarantee back.
        wallet.reconcile(pulled);
        wallet.expropriate();
        assertEq(token.balanceOf(miner), NET);
        assertEq(token.balanceOf(claimant), CLAIM);
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY);
        assertEq(token.balanceOf(address(wallet)), 0, "and then it is empty");
    }

    /// @dev HW-23: nothing the owner or the DAO can call brings the wallet back.
    function test_ban_isForEver() public {
        _suspect();
        _ban();
        vm.startPrank(hub.addr);
        vm.expectRevert(
            abi.encodeWithSelector(IHubWallet.WalletStateMismatch.selector, WalletState.Punished, WalletState.Created)
        );
        wallet.register(_record());
        vm.stopPrank();
        vm.startPrank(dao);
        bytes memory refusal = abi.encodeWithSelector(
            IHubWallet.WalletStateMismatch.selector, WalletState.Punished, WalletState.Suspected
        );
        vm.expectRevert(refusal);
        wallet.rehab();
        vm.expectRevert(refusal);
        wallet.ban();
    }

    function test_expropriate_takesWhatCameLater(uint128 gift) public {
        gift = uint128(bound(gift, 1, 1000 * GIO));
        _suspect();
        _ban();
        vm.expectRevert(IHubWallet.NothingFree.selector);
        wallet.expropriate();
        uint256 taken = vault.expropriated();
        _fund(address(wallet), gift);
        vm.prank(stranger.addr);
        wallet.expropriate();
        assertEq(vault.expropriated() - taken, gift);
    }
}
