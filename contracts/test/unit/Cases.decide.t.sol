// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ICases} from "src/interfaces/ICases.sol";
import {IDao} from "src/interfaces/IDao.sol";
import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {CaseOutcome} from "src/types/Governance.sol";
import {WalletState} from "src/types/Wallet.sol";
import {GovernanceBase} from "../utils/GovernanceBase.sol";
import {GovernedWallet} from "../utils/GovernedWallet.sol";

/// @notice How a case ends, who gets the bond, and until when it makes payday wait (GV-12, R8).
contract CasesDecideTest is GovernanceBase {
    uint128 private constant BOND = 3 * GIO;

    function _open(uint256 caseId) private {
        vm.expectRevert(abi.encodeWithSelector(ICases.CaseOpen.selector, caseId, _proposal(caseId)));
        cases.decide(caseId);
    }

    function _proposal(uint256 caseId) private view returns (uint256) {
        return cases.caseOf(caseId).proposalId;
    }

    /// @dev Decides, and checks that the bond goes where `outcome` says and the case is closed for good.
    function _decided(uint256 caseId, CaseOutcome outcome, address to) private {
        uint256 before = token.balanceOf(to);
        uint256 held = token.balanceOf(address(cases));
        uint256 accusations = cases.openAccusations(address(wallet));
        bool pending = cases.isPending(caseId, address(wallet));
        vm.expectEmit(address(cases));
        emit ICases.CaseDecided(caseId, address(wallet), outcome, BOND);
        vm.prank(recipient); // anybody
        assertEq(uint8(cases.decide(caseId)), uint8(outcome), "outcome");
        assertEq(token.balanceOf(to) - before, BOND, "bond");
        assertEq(held - token.balanceOf(address(cases)), BOND, "held");
        assertEq(accusations - cases.openAccusations(address(wallet)), pending ? 1 : 0, "accusations");
        assertFalse(cases.isPending(caseId, address(wallet)));
        vm.expectRevert(abi.encodeWithSelector(ICases.CaseClosed.selector, caseId, outcome));
        cases.decide(caseId);
    }

    function test_decide_unknownCase_reverts(uint256 caseId) public {
        vm.expectRevert(abi.encodeWithSelector(ICases.CaseUnknown.selector, caseId));
        cases.decide(caseId);
    }

    function test_decide_duringTheVote_reverts(uint256 time) public {
        uint256 caseId = _accuse(stranger, BOND);
        vm.warp(bound(time, block.timestamp, dao.proposalDeadline(_proposal(caseId))));
        _open(caseId);
        assertTrue(cases.isOpen(address(wallet)));
    }

    /// @notice GV-10: proposal, votes, delay, execution: the wallet is suspected, and not before.
    function test_gv10_upheld_walletIsSuspected_bondGoesBack() public {
        uint256 caseId = _accuse(stranger, BOND);
        uint256 id = _proposal(caseId);
        _voteFor(id);
        _open(caseId);
        dao.queue(id);
        _open(caseId);
        assertEq(uint8(wallet.state()), uint8(WalletState.Registered));
        assertTrue(cases.isOpen(address(wallet)), "nobody escapes between vote and execution");
        vm.warp(dao.proposalEta(id));
        dao.execute(id);
        assertEq(uint8(wallet.state()), uint8(WalletState.Suspected));
        assertEq(wallet.suspectedFor(), caseId);
        _decided(caseId, CaseOutcome.Upheld, stranger);
        assertFalse(cases.isOpen(address(wallet)));
    }

    function test_gv12_hw25_votedDown_bondIsGeneralMoney() public {
        uint256 caseId = _accuse(stranger, BOND);
        _startVote(_proposal(caseId));
        _voteAgainst(_proposal(caseId));
        _decided(caseId, CaseOutcome.Rejected, address(treasury));
        assertEq(treasury.fees(), 0, "no dividend for those who voted it down");
        assertEq(treasury.bucket(0).amount, BOND);
        assertFalse(cases.isOpen(address(wallet)));
    }

    /// @dev Otherwise an accusation nobody takes seriously would hold up a payday for nothing.
    function test_gv12_nobodyVotes_bondGoesToTheTreasury() public {
        uint256 caseId = _accuse(stranger, BOND);
        _endVote(_proposal(caseId));
        _decided(caseId, CaseOutcome.Rejected, address(treasury));
    }

    function test_decide_severalCases_countDownOneByOne() public {
        uint256 first = _accuse(stranger, BOND);
        uint256 second = _accuse(carol.addr, BOND);
        _startVote(_proposal(first));
        _voteAgainst(_proposal(first));
        _decided(first, CaseOutcome.Rejected, address(treasury));
        assertTrue(cases.isOpen(address(wallet)), "the second is still open");
        _endVote(_proposal(second));
        _decided(second, CaseOutcome.Rejected, address(treasury));
        assertFalse(cases.isOpen(address(wallet)));
    }

    /// @dev Two accusers, one suspicion: the second is not punished for being right.
    function test_decide_walletSuspectedByAnotherCase_isMoot() public {
        uint256 first = _accuse(stranger, BOND);
        _carryOut(first);
        wallet.setState(WalletState.Registered);
        uint256 second = _accuse(carol.addr, BOND);
        wallet.setState(WalletState.Suspected);
        _decided(second, CaseOutcome.Moot, carol.addr);
        // The vote goes on, but its proposal can do nothing any more.
        uint256 id = _proposal(second);
        _voteFor(id);
        dao.queue(id);
        vm.warp(dao.proposalEta(id));
        vm.prank(address(timelock));
        vm.expectRevert(GovernedWallet.NotInState.selector);
        wallet.suspect(second);
        wallet.setState(WalletState.Registered);
        vm.prank(address(timelock));
        vm.expectRevert(GovernedWallet.NoSuchAccusation.selector);
        wallet.suspect(second);
        vm.expectPartialRevert(IDao.DecisionOutdated.selector);
        dao.execute(id);
    }

    function test_decide_walletBannedMeanwhile_isMoot() public {
        uint256 caseId = _accuse(stranger, BOND);
        wallet.setState(WalletState.Punished);
        _decided(caseId, CaseOutcome.Moot, stranger);
    }

    function test_decide_passedButNotExecutable_bondGoesBack() public {
        uint256 caseId = _accuse(stranger, BOND);
        _voteFor(_proposal(caseId));
        wallet.setState(WalletState.Idle); // payday after the longest wait
        _decided(caseId, CaseOutcome.Upheld, stranger);
    }

    function test_decide_idleDuringTheVote_waitsForTheVote() public {
        uint256 caseId = _accuse(stranger, BOND);
        _startVote(_proposal(caseId));
        wallet.setState(WalletState.Idle);
        _open(caseId);
        _endVote(_proposal(caseId));
        _decided(caseId, CaseOutcome.Rejected, address(treasury));
    }

    function test_decide_cancelledByTheTimelock_isMoot() public {
        uint256 caseId = _accuse(stranger, BOND);
        uint256 id = _proposal(caseId);
        _voteFor(id);
        dao.queue(id);
        bytes32 descriptionHash;
        address[] memory targets;
        uint256[] memory values;
        bytes[] memory calls;
        (targets, values, calls, descriptionHash) = dao.proposalDetails(id);
        bytes32 operation =
            timelock.hashOperationBatch(targets, values, calls, 0, bytes20(address(dao)) ^ descriptionHash);
        vm.prank(address(dao));
        timelock.cancel(operation);
        _decided(caseId, CaseOutcome.Moot, stranger);
    }

    /* WHAT PAYDAY WAITS FOR */

    function _reject(uint256 caseId) private {
        _startVote(_proposal(caseId));
        _voteAgainst(_proposal(caseId));
        cases.decide(caseId);
    }

    /// @notice R8: an accusation that was decided before payday has held nobody, and takes nothing from a later one.
    function test_r08_accusedSince_decidedBeforePayday_isForgotten() public {
        _reject(_accuse(stranger, BOND));
        assertEq(cases.accusedSince(address(wallet)), 0);
        vm.warp(wallet.registeredAt() + 100 days);
        _accuse(stranger, BOND);
        assertEq(cases.accusedSince(address(wallet)), block.timestamp);
    }

    /// @notice R8: at most one period in all, so later accusations do not begin another.
    function test_r08_accusedSince_isTheFirstThatHeldPayday() public {
        uint64 first = wallet.registeredAt() + 29 days;
        vm.warp(first);
        uint256 caseId = _accuse(stranger, BOND);
        _reject(caseId);
        assertEq(cases.accusedSince(address(wallet)), 0, "none is undecided");
        _accuse(stranger, BOND);
        assertEq(cases.accusedSince(address(wallet)), first);
    }

    function test_r08_accusedSince_ofAnEarlierRegistration_isZero() public {
        uint256 caseId = _accuse(stranger, BOND);
        skip(1);
        wallet.setState(WalletState.Registered);
        assertTrue(cases.isOpen(address(wallet)));
        assertEq(cases.accusedSince(address(wallet)), 0);
        skip(1);
        uint64 present = uint64(block.timestamp);
        _accuse(stranger, BOND);
        assertEq(cases.accusedSince(address(wallet)), present);
        _reject(caseId);
        assertEq(cases.accusedSince(address(wallet)), present);
    }

    /* APPEALS */

    /// @notice SONM's suspicion had no appeal: 120 days, then all to the DAO.
    function test_sonm_suspicionHasAnAppeal() public {
        uint256 accusation = _accuse(stranger, BOND);
        _carryOut(accusation);
        uint256 caseId = _appeal(BOND);
        uint256 id = _proposal(caseId);
        _voteFor(id);
        _open(caseId);
        dao.queue(id);
        vm.warp(dao.proposalEta(id));
        dao.execute(id);
        assertEq(uint8(wallet.state()), uint8(WalletState.Idle));
        _decided(caseId, CaseOutcome.Upheld, hub);
    }

    function test_appeal_votedDown_bondGoesToTheTreasury() public {
        wallet.setState(WalletState.Suspected);
        uint256 caseId = _appeal(BOND);
        _startVote(_proposal(caseId));
        _voteAgainst(_proposal(caseId));
        _decided(caseId, CaseOutcome.Rejected, address(treasury));
    }

    function test_appeal_walletRehabilitatedOrBannedOtherwise_isMoot() public {
        wallet.setState(WalletState.Suspected);
        uint256 first = _appeal(BOND);
        uint256 second = _appeal(BOND);
        wallet.setState(WalletState.Idle);
        _decided(first, CaseOutcome.Moot, hub);
        wallet.setState(WalletState.Punished);
        _decided(second, CaseOutcome.Moot, hub);
    }

    function test_appeal_passedButSuperfluous_isUpheld() public {
        wallet.setState(WalletState.Suspected);
        uint256 caseId = _appeal(BOND);
        _voteFor(_proposal(caseId));
        wallet.setState(WalletState.Idle);
        _decided(caseId, CaseOutcome.Upheld, hub);
    }

    /// @notice GV-10, GV-11 from end to end: suspected by a case, banned by a grave vote.
    function test_gv10_gv11_accusedSuspectedBanned() public {
        _fund(address(wallet), 50 * GIO);
        uint256 caseId = _accuse(stranger, BOND);
        _carryOut(caseId);
        _decided(caseId, CaseOutcome.Upheld, stranger);
        _pass(_single(address(wallet), abi.encodeCall(IHubWallet.ban, ()), "ban"));
        assertEq(uint8(wallet.state()), uint8(WalletState.Punished));
        assertEq(treasury.bucket(1).amount, 50 * GIO);
    }
}
