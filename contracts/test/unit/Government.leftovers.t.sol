// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IDao} from "src/interfaces/IDao.sol";
import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {CaseOutcome} from "src/types/Governance.sol";
import {WalletState} from "src/types/Wallet.sol";
import {GovernmentBase} from "../utils/GovernmentBase.sol";

/// @notice What was voted on in one suspicion or registration does nothing in a later one (GV-10, GV-11, HW-19, HW-21).
contract GovernmentLeftoversTest is GovernmentBase {
    function _rehab(string memory description) private view returns (Proposal memory) {
        return _single(address(real), abi.encodeCall(IHubWallet.rehab, ()), description);
    }

    function _suspectByAlice() private {
        uint256 id = cases.proposalOf(_accuseReal());
        _startVote(id);
        _vote(alice, id, FOR); // 10 %: enough to suspect, not to ban
        _endVote(id);
        dao.queue(id);
        vm.warp(dao.proposalEta(id));
        dao.execute(id);
        _assertState(WalletState.Suspected);
    }

    function _refusedAsOutdated(uint256 id, uint256 since) private {
        uint256 snapshot = dao.proposalSnapshot(id);
        bytes memory expected =
            abi.encodeWithSelector(IDao.DecisionOutdated.selector, id, address(real), since, snapshot);
        vm.expectRevert(expected);
        vm.prank(hub);
        dao.execute(id);
    }

    /// @notice HW-21, GV-10: an appeal that passed beside another rehabilitation does not open the next suspicion.
    function test_gv10_hw21_leftoverRehab_doesNotOpenTheNextSuspicion() public {
        _suspectReal();
        _fundFor(address(cases), hub, GIO);
        vm.prank(hub);
        uint256 appeal = cases.appeal(address(real), keccak256("defence"), "", GIO);
        uint256 id = cases.proposalOf(appeal);
        Proposal memory direct = _rehab("rehabilitate");
        _propose(direct);
        _startVote(direct.id);
        _vote(alice, direct.id, FOR);
        _vote(alice, id, FOR);
        _endVote(direct.id);
        dao.queue(id);
        _queue(direct);
        _execute(direct);
        _registerReal();
        skip(365 days);
        _suspectReal();
        _refusedAsOutdated(id, real.suspectedAt());
        _assertState(WalletState.Suspected);
        assertEq(uint8(cases.decide(appeal)), uint8(CaseOutcome.Upheld), "its bond does not wait for the new suspicion");
        // The present suspicion ends as ever.
        _pass(_rehab("rehabilitate again"));
        _assertState(WalletState.Idle);
    }

    /// @notice GV-11: a ban that was not carried out before a rehabilitation needs its grave votes again.
    function test_gv11_leftoverBan_doesNotSurviveARehabilitation() public {
        _suspectReal();
        Proposal memory ban = _single(address(real), abi.encodeCall(IHubWallet.ban, ()), "ban");
        _propose(ban);
        _voteFor(ban.id);
        _queue(ban);
        _pass(_rehab("innocent"));
        _registerReal();
        skip(300 days);
        _suspectByAlice();
        vm.warp(real.suspectedAt() + 120 days);
        _refusedAsOutdated(ban.id, real.suspectedAt());
        _assertState(WalletState.Suspected);
    }

    /// @notice HW-19: an accusation of an earlier registration suspects nobody, however it was voted on.
    function test_hw19_leftoverAccusation_doesNotReachTheNextRegistration() public {
        uint256 first = _accuseReal();
        uint256 second = _accuseReal();
        (uint256 firstId, uint256 secondId) = (cases.proposalOf(first), cases.proposalOf(second));
        _startVote(secondId);
        _vote(alice, firstId, FOR);
        _vote(alice, secondId, FOR);
        _endVote(secondId);
        dao.queue(firstId);
        dao.queue(secondId);
        vm.warp(dao.proposalEta(secondId));
        dao.execute(firstId);
        assertTrue(cases.isPending(second, address(real)));
        _pass(_rehab("innocent"));
        _registerReal();
        assertFalse(cases.isPending(second, address(real)));
        _refusedAsOutdated(secondId, real.registeredAt());
        _assertState(WalletState.Registered);
        // Its accuser was right at its time, and waits for nothing any more.
        assertEq(uint8(cases.decide(second)), uint8(CaseOutcome.Upheld));
    }

    /// @notice HW-19: nor does a vote that named a case before there was one.
    function test_hw19_suspicionVotedBeforeTheRegistration_isOutdated() public {
        vm.warp(real.registeredAt() + 30 days);
        vm.prank(hub);
        real.payday();
        Proposal memory early = _single(address(real), abi.encodeCall(IHubWallet.suspect, (1)), "whenever it comes");
        _propose(early);
        _voteFor(early.id);
        _queue(early);
        _registerReal();
        assertEq(_accuseReal(), 1);
        _refusedAsOutdated(early.id, real.registeredAt());
        _assertState(WalletState.Registered);
    }

    /// @notice HW-19: an accusation of an earlier registration that is still voted on waits for the vote only.
    function test_hw19_accusationOfAnEarlierRegistration_isDecidedByItsVote() public {
        vm.warp(real.registeredAt() + 59 days);
        uint256 caseId = _accuseReal();
        uint256 id = cases.proposalOf(caseId);
        // Nothing but a suspicion and a rehabilitation ends a registration while a case holds it.
        uint256 other = _accuseReal();
        _startVote(id);
        vm.startPrank(address(timelock));
        real.suspect(other);
        real.rehab();
        vm.stopPrank();
        _registerReal();
        vm.expectRevert();
        cases.decide(caseId);
        _vote(alice, id, AGAINST);
        _endVote(id);
        assertEq(uint8(cases.decide(caseId)), uint8(CaseOutcome.Rejected));
    }
}
