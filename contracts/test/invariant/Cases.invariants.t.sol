// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";

import {CaseOutcome} from "src/types/Governance.sol";
import {WalletState} from "src/types/Wallet.sol";
import {GovernanceBase} from "../utils/GovernanceBase.sol";
import {GovernedWallet} from "../utils/GovernedWallet.sol";
import {CasesHandler} from "./CasesHandler.sol";

/// @notice What holds of cases and their bonds after any sequence of allowed actions, and of refused attempts in between.
/// forge-config: ci.invariant.runs = 600
/// forge-config: long.invariant.runs = 6000
contract CasesInvariants is GovernanceBase {
    CasesHandler private handler;

    function setUp() public override {
        super.setUp();
        GovernedWallet[] memory wallets = new GovernedWallet[](3);
        wallets[0] = wallet;
        for (uint256 i = 1; i < 3; ++i) {
            wallets[i] = _listWallet();
            _fund(address(wallets[i]), i * 300 * GIO);
        }
        handler = new CasesHandler(cases, dao, token, alice.addr, hub, wallets);
        _fund(address(handler), 1_000_000 * GIO);
        targetContract(address(handler));
        targetSelector(FuzzSelector({addr: address(handler), selectors: _actions()}));
    }

    function _actions() private pure returns (bytes4[] memory actions) {
        actions = new bytes4[](8);
        actions[0] = CasesHandler.accuse.selector;
        actions[1] = CasesHandler.appeal.selector;
        actions[2] = CasesHandler.vote.selector;
        actions[3] = CasesHandler.advance.selector;
        actions[4] = CasesHandler.decide.selector;
        actions[5] = CasesHandler.live.selector;
        actions[6] = CasesHandler.wait.selector;
        actions[7] = CasesHandler.tryWhatIsNotAllowed.selector;
    }

    /// @dev One campaign for all invariants: they are checked after every single action.
    function invariant_r08_gv12_cases() public view {
        // INVARIANT: solvency, to the base unit; a bond is there, with its opener, or with the treasury.
        assertEq(token.balanceOf(address(cases)), handler.posted(), "solvency");
        assertEq(treasury.bucket(0).amount, handler.forfeited(), "forfeited");
        assertEq(treasury.fees(), 0, "no bond is a fee");
        assertEq(cases.caseCount(), handler.caseCount());
        uint256[3] memory accusations;
        for (uint256 i = 0; i < handler.caseCount(); ++i) {
            CasesHandler.Book memory book = handler.bookAt(i);
            assertEq(uint8(cases.caseOf(i + 1).outcome), uint8(book.outcome), "outcome");
            bool pending = book.accuses && book.outcome == CaseOutcome.Undecided;
            bool current = pending && !handler.isOutdated(book);
            assertEq(cases.isPending(i + 1, address(book.wallet)), current, "pending");
            for (uint256 j = 0; j < 3; ++j) {
                if (pending && handler.walletAt(j) == book.wallet) ++accusations[j];
            }
        }
        for (uint256 j = 0; j < 3; ++j) {
            GovernedWallet w = handler.walletAt(j);
            assertEq(cases.openAccusations(address(w)), accusations[j], "open accusations");
            assertEq(cases.isOpen(address(w)), accusations[j] != 0, "undecided accusations");
            uint64 since = cases.accusedSince(address(w));
            if (accusations[j] == 0) assertEq(since, 0, "payday waits for undecided accusations only");
            if (since != 0) assertGe(since, w.registeredAt(), "payday waits for its own registration only");
            if (since != 0) assertLe(since, block.timestamp);
        }
    }

    /// @dev Liveness: once every vote is over and every wallet has left its registration, anybody can end every case.
    function afterInvariant() public {
        vm.warp(block.timestamp + VOTING_DELAY + VOTING_PERIOD + 1);
        for (uint256 j = 0; j < 3; ++j) {
            handler.walletAt(j).setState(WalletState.Idle);
        }
        for (uint256 i = 1; i <= cases.caseCount(); ++i) {
            if (cases.caseOf(i).outcome == CaseOutcome.Undecided) cases.decide(i);
            assertTrue(dao.state(cases.caseOf(i).proposalId) != IGovernor.ProposalState.Active);
        }
        assertEq(token.balanceOf(address(cases)), 0, "no bond stays behind");
    }
}
