// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {Dao} from "src/Dao.sol";
import {Timelock} from "src/Timelock.sol";
import {IDao} from "src/interfaces/IDao.sol";
import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {ITreasury} from "src/interfaces/ITreasury.sol";
import {DaoParameters} from "src/types/Governance.sol";
import {GovernanceBase} from "../utils/GovernanceBase.sol";

/// @notice Who may propose what, and which proposals are grave.
contract DaoProposeTest is GovernanceBase {
    function _ordinary(string memory description) private view returns (Proposal memory) {
        return _single(address(token), abi.encodeCall(IERC20.approve, (recipient, 1)), description);
    }

    function _refused(address cases_, DaoParameters memory p) private {
        vm.expectRevert(IDao.DaoParametersInvalid.selector);
        new Dao(token, timelock, cases_, p);
    }

    function test_constructor_rulesThatDecideNothing_revert(uint8 percent) public {
        _refused(address(0), _daoParameters());
        DaoParameters memory p = _daoParameters();
        p.votingDelay = 0;
        _refused(address(cases), p);
        p = _daoParameters();
        p.quorumPercent = 0;
        _refused(address(cases), p);
        p = _daoParameters();
        p.graveQuorumPercent = uint8(bound(percent, 0, p.quorumPercent - 1));
        _refused(address(cases), p);
        p.graveQuorumPercent = uint8(bound(percent, 101, 255));
        _refused(address(cases), p);
        p = _daoParameters();
        p.graveMajorityPercent = uint8(bound(percent, 0, 50));
        _refused(address(cases), p);
        p.graveMajorityPercent = uint8(bound(percent, 101, 255));
        _refused(address(cases), p);
    }

    function test_constructor_timelockOfOtherDao_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IDao.TimelockOfOtherDao.selector, address(timelock)));
        new Dao(token, timelock, address(cases), _daoParameters());
    }

    function test_timelock_daoZero_reverts() public {
        vm.expectRevert(Timelock.DaoZero.selector);
        new Timelock(1, address(0));
    }

    /// @notice HW-27: no key decides over anything; the Dao proposes to the timelock, which is its own administrator.
    function test_hw27_timelock_hasNoOwner(address anyone) public view {
        vm.assume(anyone != address(dao) && anyone != address(timelock));
        assertTrue(timelock.hasRole(timelock.PROPOSER_ROLE(), address(dao)));
        assertTrue(timelock.hasRole(timelock.CANCELLER_ROLE(), address(dao)));
        assertTrue(timelock.hasRole(timelock.EXECUTOR_ROLE(), address(dao)));
        assertTrue(timelock.hasRole(timelock.DEFAULT_ADMIN_ROLE(), address(timelock)));
        assertFalse(timelock.hasRole(timelock.PROPOSER_ROLE(), anyone));
        assertFalse(timelock.hasRole(timelock.CANCELLER_ROLE(), anyone));
        assertFalse(timelock.hasRole(timelock.EXECUTOR_ROLE(), anyone));
        assertFalse(timelock.hasRole(timelock.DEFAULT_ADMIN_ROLE(), anyone));
    }

    function test_propose_belowThreshold_reverts() public {
        _giveVotes(stranger, THRESHOLD - 1);
        skip(1);
        Proposal memory p = _ordinary("below");
        bytes memory expected = abi.encodeWithSelector(
            IGovernor.GovernorInsufficientProposerVotes.selector, stranger, THRESHOLD - 1, THRESHOLD
        );
        vm.expectRevert(expected);
        vm.prank(stranger);
        dao.propose(p.targets, p.values, p.calls, p.description);

        _fund(stranger, 1);
        skip(1);
        vm.prank(stranger);
        dao.propose(p.targets, p.values, p.calls, p.description);
    }

    function test_propose_forOtherProposer_reverts() public {
        Proposal memory p = _ordinary(string.concat("mine\n#proposer=", vm.toString(bob.addr)));
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorRestrictedProposer.selector, alice.addr));
        vm.prank(alice.addr);
        dao.propose(p.targets, p.values, p.calls, p.description);
    }

    function test_hw25_propose_banWithAnythingElse_reverts(bool first) public {
        Proposal memory p;
        p.targets = new address[](2);
        p.values = new uint256[](2);
        p.calls = new bytes[](2);
        (uint256 ban, uint256 other) = first ? (0, 1) : (1, 0);
        p.targets[ban] = address(wallet);
        p.calls[ban] = abi.encodeCall(IHubWallet.ban, ());
        p.targets[other] = address(treasury);
        p.calls[other] = abi.encodeCall(ITreasury.spend, (1, recipient, 1));
        vm.expectRevert(abi.encodeWithSelector(IDao.BanNotAlone.selector, 2));
        vm.prank(alice.addr);
        dao.propose(p.targets, p.values, p.calls, "ban and spend");
    }

    function test_propose_ordinary_isNotGrave() public {
        Proposal memory p = _ordinary("ordinary");
        _propose(p);
        assertFalse(dao.isGrave(p.id));
        _startVote(p.id);
        assertEq(dao.quorumOf(p.id), SUPPLY * 4 / 100);
        assertEq(dao.quorumOf(p.id), dao.quorum(dao.proposalSnapshot(p.id)));
    }

    /// @notice GV-11: a ban, and everything that could open a way around it, needs the grave votes.
    function test_gv11_propose_banAndChangesOfTheGovernment_areGrave() public {
        _assertGrave(_single(address(wallet), abi.encodeCall(IHubWallet.ban, ()), "ban"));
        bytes memory padded = bytes.concat(IHubWallet.ban.selector, bytes32(0));
        _assertGrave(_single(address(wallet), padded, "ban with more data"));
        bytes32 role = timelock.PROPOSER_ROLE();
        _assertGrave(_single(address(timelock), abi.encodeCall(timelock.grantRole, (role, stranger)), "proposer"));
        _assertGrave(_single(address(timelock), abi.encodeCall(timelock.updateDelay, (0)), "no delay"));
        _assertGrave(_single(address(dao), abi.encodeCall(dao.updateQuorumNumerator, (1)), "quorum"));
        bytes memory inner = abi.encodeCall(IHubWallet.ban, ());
        _assertGrave(_single(address(dao), abi.encodeCall(dao.relay, (address(wallet), 0, inner)), "relay"));
    }

    /// @notice GV-11: what leaves the treasury can vote, so ordinary votes do not spend it, alone or beside other calls.
    function test_gv11_propose_spending_isGrave() public {
        bytes memory spend = abi.encodeCall(ITreasury.spend, (0, recipient, 1));
        _assertGrave(_single(address(treasury), spend, "spend"));
        Proposal memory p;
        p.targets = new address[](2);
        p.values = new uint256[](2);
        p.calls = new bytes[](2);
        (p.targets[0], p.calls[0]) = (address(token), abi.encodeCall(IERC20.approve, (recipient, 1)));
        (p.targets[1], p.calls[1]) = (address(treasury), spend);
        p.id = _id(p);
        _assertGrave(p);
    }

    /// @notice GV-11: a tenth of the supply, unopposed, does not vote itself what is in the treasury.
    function test_gv11_spendingByOrdinaryVotes_isDefeated() public {
        uint128 left = uint128(token.balanceOf(faucet));
        vm.startPrank(faucet);
        token.approve(address(treasury), left);
        treasury.deposit(left);
        vm.stopPrank();
        Proposal memory p = _single(address(treasury), abi.encodeCall(ITreasury.spend, (0, alice.addr, left)), "mine");
        _propose(p);
        _startVote(p.id);
        _vote(alice, p.id, FOR);
        _endVote(p.id);
        _assertProposal(p.id, IGovernor.ProposalState.Defeated);
    }

    function _assertGrave(Proposal memory p) private {
        vm.expectEmit(address(dao));
        emit IDao.GraveProposed(p.id);
        _propose(p);
        assertTrue(dao.isGrave(p.id));
        vm.warp(dao.proposalSnapshot(p.id) + 1);
        assertEq(dao.quorumOf(p.id), SUPPLY / 5);
    }

    function test_updateTimelock_byAnyone_reverts(address caller) public {
        vm.expectRevert(IDao.TimelockFixed.selector);
        vm.prank(caller);
        dao.updateTimelock(TimelockController(payable(caller)));
    }

    function test_views_tellTheRules() public view {
        assertEq(dao.cases(), address(cases));
        assertEq(dao.timelock(), address(timelock));
        assertEq(address(dao.token()), address(token));
        assertEq(dao.graveQuorumPercent(), 20);
        assertEq(dao.graveMajorityPercent(), 67);
        assertEq(dao.votingDelay(), VOTING_DELAY);
        assertEq(dao.votingPeriod(), VOTING_PERIOD);
        assertEq(dao.proposalThreshold(), THRESHOLD);
        assertEq(timelock.getMinDelay(), TIMELOCK_DELAY);
    }
}
