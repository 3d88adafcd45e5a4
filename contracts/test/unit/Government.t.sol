// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {HubFactory} from "src/HubFactory.sol";
import {HubWallet} from "src/HubWallet.sol";
import {Standing} from "src/Standing.sol";
import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {IStanding} from "src/interfaces/IStanding.sol";
import {ITreasury} from "src/interfaces/ITreasury.sol";
import {IWhitelist} from "src/interfaces/IWhitelist.sol";
import {CaseOutcome} from "src/types/Governance.sol";
import {HubKind, HubRecord, WalletState} from "src/types/Wallet.sol";
import {GovernmentBase} from "../utils/GovernmentBase.sol";

/// @notice The whole government over a real hub's wallet: from an accusation to the last consequence (GV-10 to GV-13, R8,
/// HW-19 to HW-25).
contract GovernmentTest is GovernmentBase {
    /// @notice GV-10: only an executed vote reaches a wallet.
    function test_gv10_wallet_byAnyoneButTheTimelock_reverts(address caller) public {
        vm.assume(caller != address(timelock));
        bytes memory expected = abi.encodeWithSelector(IHubWallet.NotDao.selector, caller, address(timelock));
        vm.startPrank(caller);
        vm.expectRevert(expected);
        real.suspect(1);
        vm.expectRevert(expected);
        real.rehab();
        vm.expectRevert(expected);
        real.ban();
    }

    /// @notice R8: the bond is 1 % of what is the hub's, and not of what it owes its miners.
    function test_r08_bond_isOfTheHubsOwnBalance() public {
        assertEq(cases.bondFor(address(real)), 10 * GIO);
        vm.prank(hub);
        real.transfer(miner, 500 * GIO); // 350 to the miner
        assertEq(cases.bondFor(address(real)), 65 * GIO / 10);
    }

    /// @notice R8: payday waits for an undecided case, and for a passed one until it is executed.
    function test_r08_payday_waitsForTheCase() public {
        vm.warp(real.registeredAt() + 29 days);
        uint256 caseId = _accuseReal();
        uint64 until = real.registeredAt() + 60 days;
        skip(1 days);
        _paydayRefused(until);
        uint256 id = cases.proposalOf(caseId);
        _voteFor(id);
        _paydayRefused(until);
        dao.queue(id);
        _paydayRefused(until);
        vm.warp(dao.proposalEta(id));
        dao.execute(id);
        _assertState(WalletState.Suspected);
    }

    function _paydayRefused(uint64 until) private {
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.CaseUndecided.selector, until));
        vm.prank(hub);
        real.payday();
    }

    /// @notice GV-13, HW-15: the fee is the only tax; the accuser who was wrong loses its bond, which is not one.
    function test_r08_payday_afterARejectedCase() public {
        vm.prank(hub);
        real.transfer(miner, 100 * GIO);
        uint256 caseId = _accuseReal();
        _startVote(cases.proposalOf(caseId));
        _voteAgainst(cases.proposalOf(caseId));
        assertEq(uint8(cases.decide(caseId)), uint8(CaseOutcome.Rejected));
        vm.warp(real.registeredAt() + 30 days);
        vm.prank(hub);
        real.payday();
        _assertState(WalletState.Idle);
        assertEq(treasury.fees(), 30 * GIO * 5 / 1000);
        assertEq(treasury.bucket(0).amount, BOND, "general money: nobody gains by voting a case down (HW-25)");
        assertEq(treasury.bucketCount(), 1);
    }

    /// @notice R8: at most one period per registration, even if nobody ever decides the case.
    function test_r08_payday_waitsOnePeriodAtMost() public {
        _accuseReal();
        vm.warp(real.registeredAt() + 60 days);
        vm.prank(hub);
        real.payday();
        _assertState(WalletState.Idle);
    }

    /// @notice R8: nor does a hub that is late with payday leave under a vote, in the same block or before its execution.
    function test_r08_payday_ofAnOldRegistration_waitsForTheVote(uint256 late) public {
        vm.warp(real.registeredAt() + bound(late, 30 days, 1000 days));
        uint256 caseId = _accuseReal();
        uint64 until = uint64(block.timestamp) + 30 days;
        _paydayRefused(until);
        uint256 id = cases.proposalOf(caseId);
        _voteFor(id);
        dao.queue(id);
        vm.warp(dao.proposalEta(id));
        _paydayRefused(until);
        dao.execute(id);
        _assertState(WalletState.Suspected);
    }

    function test_hw21_rehab_onAppeal() public {
        _suspectReal();
        assertEq(token.balanceOf(address(real)), 0, "frozen");
        _fundFor(address(cases), hub, GIO);
        vm.prank(hub);
        uint256 appeal = cases.appeal(address(real), keccak256("defence"), "", GIO);
        _carryOut(appeal);
        assertEq(uint8(cases.decide(appeal)), uint8(CaseOutcome.Upheld));
        _assertState(WalletState.Idle);
        vm.prank(hub);
        real.withdraw();
        assertEq(token.balanceOf(hub), MONEY + GIO);
    }

    /// @notice HW-22, HW-24, HW-25: the ban brings the hub's own money, and nobody has it for 120 days.
    function test_hw22_hw24_ban_locksTheHubsOwnMoney() public {
        vm.prank(hub);
        real.transfer(miner, 100 * GIO);
        _suspectReal();
        Proposal memory ban = _single(address(real), abi.encodeCall(IHubWallet.ban, ()), "ban");
        _propose(ban);
        _voteFor(ban.id);
        _queue(ban);
        vm.expectPartialRevert(IHubWallet.BanTooEarly.selector);
        _execute(ban);
        vm.warp(real.suspectedAt() + 120 days);
        _execute(ban);
        _assertState(WalletState.Punished);
        assertEq(treasury.bucket(1).amount, MONEY - 70 * GIO, "all but what the miner is owed");
        assertEq(token.balanceOf(address(real)), 70 * GIO);

        vm.prank(address(timelock));
        vm.expectPartialRevert(ITreasury.BucketLocked.selector);
        treasury.spend(1, recipient, 1);
        vm.prank(miner);
        token.transferFrom(address(real), miner, 70 * GIO);
        assertEq(token.balanceOf(miner), 70 * GIO);
    }

    /// @notice GV-04, GV-06: levels are given by vote, and the curator's power ends by vote, for ever.
    function test_gv04_gv06_levels_byVote() public {
        Standing standing = new Standing(whitelist, token, address(treasury), stranger);
        bytes memory verify = abi.encodeCall(IStanding.setVerified, (address(real), true));
        _pass(_single(address(standing), verify, "verify the hub"));
        assertEq(uint8(standing.levelOf(address(real))), uint8(IStanding.Level.Verified));
        vm.prank(stranger);
        standing.setTrusted(address(real), true);
        assertEq(uint8(standing.levelOf(address(real))), uint8(IStanding.Level.Trusted));

        _pass(_single(address(standing), abi.encodeCall(IStanding.endCuration, ()), "end curation"));
        vm.expectRevert(abi.encodeWithSelector(IStanding.NotCurator.selector, stranger));
        vm.prank(stranger);
        standing.setTrusted(address(real), false);
        bytes memory unverify = abi.encodeCall(IStanding.setTrusted, (address(real), false));
        _pass(_single(address(standing), unverify, "not trusted any more"));
        assertEq(uint8(standing.levelOf(address(real))), uint8(IStanding.Level.Verified));
    }

    /// @notice GV-24: another factory is admitted by vote, and its hubs get the same court.
    function test_gv24_factory_admittedByVote() public {
        HubFactory other = new HubFactory(hubs.implementation(), _walletParameters());
        vm.expectPartialRevert(IWhitelist.NotFactory.selector);
        vm.prank(hub);
        other.createHub("second");
        bytes memory admit = abi.encodeCall(IWhitelist.admit, (address(other), true));
        _pass(_single(address(whitelist), admit, "admit a factory"));
        vm.prank(hub);
        HubWallet second = HubWallet(other.createHub("second"));
        _fund(address(second), MONEY);
        vm.prank(hub);
        second.register(HubRecord("/dns/hub", "second", "", HubKind.Service));
        real = second;
        _suspectReal();
        _assertState(WalletState.Suspected);
    }

    /// @notice GV-11 from end to end: who may suspect cannot ban.
    function test_gv11_suspicionsVotes_doNotBan() public {
        uint256 caseId = _accuseReal();
        uint256 id = cases.proposalOf(caseId);
        _startVote(id);
        _vote(alice, id, FOR);
        _endVote(id);
        dao.queue(id);
        vm.warp(dao.proposalEta(id));
        dao.execute(id);
        _assertState(WalletState.Suspected);

        Proposal memory ban = _single(address(real), abi.encodeCall(IHubWallet.ban, ()), "ban");
        _propose(ban);
        _startVote(ban.id);
        _vote(alice, ban.id, FOR);
        _endVote(ban.id);
        vm.expectRevert();
        dao.queue(ban.id);
        _assertState(WalletState.Suspected);
    }
}
