// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {IWhitelist} from "src/interfaces/IWhitelist.sol";
import {DealId, DealState, DealTerms} from "src/types/Deal.sol";
import {WalletState} from "src/types/Wallet.sol";
import {BaseTest} from "../utils/BaseTest.sol";

/// @notice One test per known bug of the prototype wallets and of SONM's market, named after it.
contract RegressionsTest is BaseTest {
    /* THE PROTOTYPE'S WALLET */

    function test_prototype_startsInIdleSoThatCreatedIsUnreachable() public view {
        assertEq(uint8(wallet.state()), uint8(WalletState.Created));
    }

    /// @dev The owner's own tokens do not count, and the wallet's do.
    function test_prototype_transferChecksTheCallersBalance(uint128 gross) public {
        _register();
        uint256 free = wallet.freeBalance();
        gross = uint128(bound(gross, 1, free));
        assertEq(token.balanceOf(hub.addr), 0);
        vm.prank(hub.addr);
        wallet.transfer(miner, gross);

        _fund(hub.addr, BUYER_MONEY);
        vm.expectRevert(
            abi.encodeWithSelector(IHubWallet.FreeBalanceTooLow.selector, free - gross, uint256(free) - gross + 1)
        );
        vm.prank(hub.addr);
        wallet.transfer(miner, uint128(free - gross + 1));
    }

    function test_prototype_paydayTimeCheckIsInverted() public {
        _register();
        vm.startPrank(hub.addr);
        vm.warp(GENESIS + 30 days - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IHubWallet.PaydayTooEarly.selector, GENESIS + 30 days, GENESIS + 30 days - 1)
        );
        wallet.payday();
        vm.warp(GENESIS + 30 days);
        wallet.payday();
    }

    function test_prototype_approveOverwritesAnUnpulledAllowance() public {
        _register();
        vm.startPrank(hub.addr);
        wallet.transfer(miner, 10 * GIO);
        wallet.transfer(miner, 20 * GIO);
        assertEq(token.allowance(address(wallet), miner), 21 * GIO);
    }

    function test_prototype_nothingReservesAllowancesAgainstWithdraw() public {
        _register();
        vm.startPrank(hub.addr);
        wallet.transfer(miner, 100 * GIO);
        vm.warp(GENESIS + 30 days);
        wallet.payday();
        wallet.withdraw();
        vm.stopPrank();
        vm.prank(miner);
        token.transferFrom(address(wallet), miner, 70 * GIO);
    }

    function test_prototype_suspicionLeavesAllowancesPullable() public {
        _register();
        vm.prank(hub.addr);
        wallet.transfer(miner, 100 * GIO);
        cases.open(1, address(wallet));
        vm.prank(dao);
        wallet.suspect(1);
        vm.expectRevert();
        vm.prank(miner);
        token.transferFrom(address(wallet), miner, 1);
    }

    /// @dev The register is keyed by wallets throughout, so registration works and is found under both names.
    function test_prototype_registersItselfWhereAnOwnerIsLookedUp() public {
        _register();
        assertEq(whitelist.hub(address(wallet)).owner, hub.addr);
        assertEq(factory.walletsOf(hub.addr, 0, 1)[0], address(wallet));
    }

    function test_prototype_factoryCheckAssignsInsteadOfComparing(address other) public {
        vm.assume(other != address(wallet));
        assertFalse(factory.isWallet(other));
        assertTrue(factory.isWallet(address(wallet)), "asking changes nothing");
        assertFalse(factory.isWallet(other));
    }

    function test_prototype_paydaySendsTheWholeFrozenSumToTheDao() public {
        _register();
        vm.startPrank(hub.addr);
        wallet.transfer(miner, 100 * GIO);
        vm.warp(GENESIS + 30 days);
        wallet.payday();
        assertEq(token.balanceOf(address(vault)), 30 * GIO * 5 / 1000);
    }

    /// @dev No accusation with evidence, no suspicion; and there is a way back at any time.
    function test_prototype_suspectNeedsNoEvidenceAndHasNoAppeal() public {
        _register();
        vm.startPrank(dao);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.CaseNotPending.selector, 7));
        wallet.suspect(7);
        cases.open(7, address(wallet));
        wallet.suspect(7);
        wallet.rehab();
        assertEq(uint8(wallet.state()), uint8(WalletState.Idle));
    }

    /// @dev The largest amounts are refused for what they are, and do not wrap.
    function test_prototype_arithmeticOnLockAndFeeIsUnchecked() public {
        _register();
        uint256 free = wallet.freeBalance();
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.FreeBalanceTooLow.selector, free, type(uint128).max));
        vm.prank(hub.addr);
        wallet.transfer(miner, type(uint128).max);
        assertEq(wallet.lockOf(type(uint128).max), uint256(type(uint128).max) * 30 / 100);
    }

    /// @dev HW-06: dust first, the main sum after the registration.
    function test_prototype_dustIsFrozenInsteadOfTheQuota() public {
        _fund(address(wallet), 1);
        vm.startPrank(hub.addr);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.FreeBalanceTooLow.selector, 1, QUOTA));
        wallet.register(_record());
        vm.stopPrank();
        _fund(address(wallet), QUOTA - 1);
        vm.prank(hub.addr);
        wallet.register(_record());
        _fund(address(wallet), 100 * GIO);
        assertEq(wallet.ledger().stake, QUOTA);
        assertEq(wallet.freeBalance(), 100 * GIO);
    }

    /// @dev The wallet, the whitelist and the factory each know who made whom; a copy of the code is no wallet (GV-01).
    function test_prototype_anyCopyOfTheCodeMayRegister() public {
        address copy = Clones.clone(address(implementation));
        vm.expectRevert(abi.encodeWithSelector(IWhitelist.WalletUnknown.selector, copy));
        vm.prank(copy);
        whitelist.register(_record());
    }

    /* SONM'S MARKET */

    /// @dev There, the bid's network flags were replaced by the ask's; here every word both sides agreed on is under
    /// both signatures, so another word is another deal.
    function test_sonm_bidsRequirementsAreOverwrittenByTheAsks(bytes32 otherParams) public {
        _register();
        DealTerms memory terms = _terms();
        vm.assume(otherParams != terms.machineParams);
        bytes32 digest = DealId.unwrap(_dealId(terms));
        bytes memory byBuyer = _sign(buyer, digest);
        bytes memory byHub = _sign(hub, digest);
        terms.machineParams = otherParams;
        bytes32 other = DealId.unwrap(_dealId(terms));
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.BuyerSignatureInvalid.selector, buyer.addr, other));
        wallet.open(terms, byBuyer, byHub, _noPermit());
    }

    /// @dev There, a buyer who revoked its allowance made billing and closing revert; here the cap is in escrow.
    function test_sonm_revokedAllowanceLocksTheDeal() public {
        _register();
        DealTerms memory terms = _terms();
        _open(terms);
        vm.startPrank(buyer.addr);
        token.approve(address(wallet), 0);
        token.transfer(stranger.addr, token.balanceOf(buyer.addr));
        vm.stopPrank();
        _post(terms, keccak256("tree"), 10e9);
        vm.warp(GENESIS + terms.window);
        wallet.settle(terms);
        _assertState(_dealId(terms), DealState.Settled);
    }

    /// @dev There, the whole past was billed at today's price; here the price is in the terms and nowhere else.
    function test_sonm_oraclePriceOfTheMomentBillsThePast(uint32 later) public {
        _register();
        DealTerms memory terms = _terms();
        _open(terms);
        _post(terms, keccak256("tree"), 10e9);
        vm.warp(uint256(GENESIS) + terms.window + later);
        wallet.settle(terms);
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY - 10 * terms.pricePerPu);
    }

    /// @dev There, the owner could take all escrow and destroy the contract; here nobody moves a deal's money but the
    /// deal's own rules, not even the DAO. The DAO's strongest word leaves it where it is.
    function test_sonm_killMarketTakesAllEscrow() public {
        _register();
        DealTerms memory terms = _terms();
        _open(terms);
        cases.open(1, address(wallet));
        vm.startPrank(dao);
        wallet.suspect(1);
        vm.warp(GENESIS + 120 days);
        wallet.ban();
        vm.stopPrank();
        assertEq(wallet.ledger().escrow, terms.cap);
        assertGe(token.balanceOf(address(wallet)), terms.cap);
        wallet.refund(terms);
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY);
        assertGt(address(implementation).code.length, 0);
    }
}
